// What libpmemlog keeps in a pool, and what must hold of it before the library may see it.
//
// Facts of its format 1, from PMDK 1.12's src/libpmemlog/log.h. Numbers are little-endian.
//   0        PoolHeader                          4 KiB
//   4096     LogDescriptor, then run-time state that means nothing in a file
//   start    the log: bytes [start, write) are what has been appended
//
// Invariants
//   1. start = 8192 <= write <= end, and end is the pool's size.
// libpmemlog checks these, but not that the file is as long as it says: a store behind its end
// would be a SIGBUS.
#pragma once

#include <cstdint>

#include "tools/pool_view.h"

namespace nvm::log {

inline constexpr uint32_t kMajor = 1;
inline constexpr uint64_t kDescriptorOffset = sizeof(heap::pmdk::PoolHeader);
inline constexpr uint64_t kStart = 8192;

struct LogDescriptor {
  uint64_t start;
  uint64_t end;
  uint64_t write;
};

inline const LogDescriptor& descriptor_of(const tools::PoolView& view) {
  return *reinterpret_cast<const LogDescriptor*>(view.base() + kDescriptorOffset);
}

// Throws Error(corrupt), Error(layout).
void check(const tools::PoolView& view);

}  // namespace nvm::log
