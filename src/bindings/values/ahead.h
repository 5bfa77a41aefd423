// What an iterator has decoded before it was asked for: a few items at a time, given as long as the
// pool stands unchanged, so that a step is a comparison instead of a latch.
#pragma once

#include <Python.h>

#include <algorithm>
#include <cstdint>

#include "heap/pool.h"
#include "object/value/cell.h"
#include "pmem/error.h"

namespace nvm::bindings {

// Whether such a value may be decoded ahead: no code of anyone's runs when it is made, or dropped,
// and it is not so large that it had better be waited for. Throws Error(corrupt).
bool fits_ahead(const heap::Pool& pool, object::Cell cell);

// Item has drop(). All zeros is nothing, as in an object that Python has just allocated.
template <class Item>
class Ahead {
 public:
  // Few enough that a loop that is left early has not decoded many in vain.
  static constexpr int kMost = 16;

  bool stands(const heap::Pool& pool) const noexcept {
    return next_ < end_ && pool.stands(times_locked_);
  }
  // REQUIRES stands().
  Item take() noexcept { return items_[next_++]; }

  void drop() noexcept {
    // What changes from step to step is not decoded in vain.
    if (next_ < end_) depth_ = 0;
    while (next_ < end_) items_[next_++].drop();
  }
  // Under the latch; REQUIRES that nothing is ahead. `add` makes the next item where it is told to,
  // or answers that there is none to be made ahead. Throws PythonError if `add` does; damage is
  // told of when it is reached.
  template <class Add>
  void fill(heap::Pool& pool, Add&& add) {
    next_ = end_ = 0;
    times_locked_ = pool.latch().times_locked();
    try {
      while (end_ < depth_ && add(items_[end_])) ++end_;
    } catch (const Error&) {
      // Its step meets it again.
    }
    depth_ = std::min(2 * depth_ + 1, kMost);
  }

 private:
  int depth_;  // how many items the next look decodes ahead
  int next_, end_;
  uint64_t times_locked_;  // they stand by this: Pool::stands
  Item items_[kMost];
};

}  // namespace nvm::bindings
