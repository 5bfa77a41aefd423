// Which range an address lies in, and where the current thread last flushed.
#pragma once

#include "pmem/interpose/interpose.h"

namespace nvm::pmem::interpose {

// The target of the range that holds `address`, else of this thread's opening, else none.
Target find(const void* address) noexcept;

// As find, for a call that may leave flushes undrained: remembers them for take_undrained().
Target find_to_flush(const void* address) noexcept;

// As find, for a call that flushes and drains: what this thread left undrained there is forgotten.
Target find_to_persist(const void* address) noexcept;

// Where this thread has flushed since its last drain, if that is still attached; forgets it.
Target take_undrained() noexcept;

}  // namespace nvm::pmem::interpose
