// Records what the real core does to a pool, for media.h to tell what a power cut could leave of
// it.
//
// While a Recorder lives (one at a time), a pool that is opened on the dax backend gets a backend
// that records, and the core's hooks tell it each store. libpmemobj's copies arrive as calls of the
// backend. Its plain stores are found by comparing the pool with a copy of what is known of it: the
// lines of each flush, and the whole pool as `Scan` says (not all that libpmemobj stores is
// flushed; it can reach the medium all the same). Such stores count as made when found, word by
// word in ascending order; of several to one word between two comparisons the last is seen.
//
// Stores are split into aligned words of 8 bytes, ascending (in a copy, in the order that
// backend/replicated.h copies a line in); those that change nothing are left out.
//
// Threads: any may work on the pool. A fence is one of its thread's flushes only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/backend.h"
#include "crash/recording.h"

namespace nvm::crash {

// The part of libpmemobj's descriptor (struct pmemobjpool) that is made anew at each open.
inline constexpr uint64_t kRunTimePart = 0x1a20;
inline constexpr uint64_t kRunTimeEnd = 0x2000;

// When the whole pool is compared.
enum class Scan { never, at_marks, at_fences };

struct Counts {
  uint64_t stores = 0;   // of ours
  uint64_t flushes = 0;  // of ours and of libpmemobj, as all below
  uint64_t lines = 0;    // that were flushed
  uint64_t fences = 0;   // after a flush of the same thread, for libpmemobj's
  uint64_t publishes = 0;

  bool operator==(const Counts&) const = default;
};
Counts operator-(const Counts& after, const Counts& before);
std::string to_string(const Counts& counts);

// A place in our sources that flushes or fences.
struct SiteSeen {
  enum class Kind { flush, fence };
  Kind kind = Kind::flush;
  std::string file;
  std::string function;
  uint32_t line = 0;
  uint32_t column = 0;
  uint64_t hits = 0;

  bool same_place(const SiteSeen& other) const {
    return kind == other.kind && line == other.line && column == other.column && file == other.file;
  }
};
std::string to_string(const SiteSeen& site);

class Recorder {
 public:
  // The medium at first: the file's bytes, or nothing if there is no such file. What libpmemobj
  // makes anew in its descriptor at each open is ignored.
  explicit Recorder(const std::string& file, Scan scan = Scan::at_fences);
  explicit Recorder(std::vector<char> medium, Scan scan = Scan::at_fences);
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  // The backend of the recorded pool; what backend::make(dax) returns while this object lives. If
  // there is one already, the pool that gets another is not recorded.
  std::unique_ptr<backend::Backend> make_backend();

  // Records a copy of the open pool, too (a replica), which is mapped at `base` and whose bytes lie
  // in the medium from `begin` on. What is returned is to be attached for its addresses.
  std::unique_ptr<backend::Backend> record_copy(const void* base, uint64_t begin, uint64_t length);

  // [offset, offset + length) keeps the bytes it had: for memory in the pool that means nothing at
  // the next open.
  void ignore(uint64_t offset, uint64_t length);

  // Leaves out this site's flushes or fences from now on.
  void leave_out(const SiteSeen& site);
  // Those that have been passed.
  std::vector<SiteSeen> sites() const;

  // The test's operations, by numbers of its choice.
  void begin(uint64_t operation);
  void returned(uint64_t operation);
  template <class Function>
  void operation(uint64_t number, Function&& function) {
    begin(number);
    std::forward<Function>(function)();
    returned(number);
  }

  Counts counts() const;
  // What `function` costs.
  template <class Function>
  Counts cost_of(Function&& function) {
    const Counts before = counts();
    std::forward<Function>(function)();
    return counts() - before;
  }

  // Stops recording (the pool may stay open, unrecorded) and returns what was recorded. Pools that
  // are opened from now on, as by a judge, are as always.
  Recording finish();

 private:
  class Tape;
  class TapeBackend;
  class PoolBackend;
  std::shared_ptr<Tape> tape_;
};

}  // namespace nvm::crash
