// How much of a mapped pool a page fault brings from the disk.
#pragma once

#include <cstdint>

namespace nvm::backend {

// Of a pool that fills more than half of the memory there is (`used` bytes), only the page that is
// asked for: the kernel's read-ahead, up to some MiB a fault, would evict as much as it brings, and
// a read in random order took 6 ms instead of 0.1. Others are left to the kernel. REQUIRES: mapped.
void limit_read_ahead(void* base, uint64_t size, uint64_t used) noexcept;

}  // namespace nvm::backend
