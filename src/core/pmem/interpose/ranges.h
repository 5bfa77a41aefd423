// Which range an address lies in, and what the current thread last flushed.
#pragma once

#include <cstdint>

#include "pmem/interpose/interpose.h"

namespace nvm::pmem::interpose {

// A place that calls can go to. Only the attachment made at `sequence` is meant: once it is
// detached, resolve() gives none.
struct Place {
  enum class Kind : uint8_t { none, range, opening };
  Kind kind = Kind::none;
  uint32_t slot = 0;
  uint64_t sequence = 0;
};

struct Found {
  Target target;
  Place place;
};

// The range that holds `address`, else this thread's opening, else none.
Found find(const void* address) noexcept;

// As find, for a call that may leave flushes undrained: remembers the place for drain().
Target find_to_flush(const void* address) noexcept;

// Where this thread's next drain must go (none: the real libpmem); forgets it.
Target take_undrained() noexcept;

}  // namespace nvm::pmem::interpose
