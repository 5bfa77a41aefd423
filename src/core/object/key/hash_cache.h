// Hashes of stored tuples and frozensets that hold others: so that one that is nested in another
// is not hashed again with all that it holds, and n levels that are made one by one take n steps.
//
// What is immutable keeps its hash until it is freed, which forget() tells, or is undone, which
// Pool::undo_epoch() does. A limited number is known: when there are too many, all are forgotten.
//
// Threads: any, each with the latch.
#pragma once

#include <cstdint>
#include <mutex>
#include <unordered_map>

#include "heap/format.h"

namespace nvm::heap {
class Pool;
}

namespace nvm::object {

using heap::Offset;

class HashCache {
 public:
  static constexpr size_t kMost = size_t{1} << 15;

  // What is known of an object.
  struct Known {
    static constexpr int64_t kNone = -1;  // no interpreter has a hash like this

    bool has_hash = false;
    uint64_t hash = 0;             // hash_of() (hash.h)
    int64_t interpreters = kNone;  // what the interpreter hashes its like to
    bool fit = false;              // a frozenset whose elements compare as the pool can
  };

  Known find(const heap::Pool& pool, Offset object);
  void learn_hash(const heap::Pool& pool, Offset object, uint64_t hash);
  void learn_interpreters(const heap::Pool& pool, Offset object, int64_t hash);
  void learn_fit(const heap::Pool& pool, Offset object);
  void forget(Offset object);

 private:
  Known& at(const heap::Pool& pool, Offset object);
  void forget_what_was_undone(const heap::Pool& pool);

  std::mutex mutex_;
  uint64_t epoch_ = 0;
  std::unordered_map<Offset, Known> known_;
};

}  // namespace nvm::object
