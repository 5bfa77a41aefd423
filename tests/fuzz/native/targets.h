// What is fuzzed, under the names that its corpus has its folders by (tests/fuzz/corpus). Each
// takes any input; damage has to end in nvm::Error, and what is no Error, or wrong, is thrown on.
#pragma once

#include <span>
#include <stdexcept>
#include <string>

#include "fuzz/native/input.h"
#include "pmem/error.h"

namespace nvm::fuzz {

// An answer that is wrong.
class Finding : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};
inline void expect(bool right, const char* what) {
  if (!right) throw Finding(what);
}

void fuzz_heap(Bytes input);     // the validator, and every way to walk over a heap's bytes
void fuzz_logs(Bytes input);     // recovery: libpmemobj's lanes, then our undo log
void fuzz_journal(Bytes input);  // the journal laid over its pool
void fuzz_objects(Bytes input);  // objects of every type: checked, read, freed

struct Target {
  const char* name;
  void (*run)(Bytes input);
};
inline constexpr Target kTargets[] = {
    {"heap", fuzz_heap}, {"logs", fuzz_logs}, {"journal", fuzz_journal}, {"objects", fuzz_objects}};

// Runs f, which may end with an Error. False: it has. Error(internal) is a finding.
template <class F>
bool passes(F&& f) {
  try {
    f();
    return true;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::internal) throw Finding(error.what());
    return false;
  }
}

}  // namespace nvm::fuzz
