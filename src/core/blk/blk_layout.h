// What libpmemblk keeps in a pool, and what must hold of it before the library may see it.
//
// Facts of its format 1 and of the block translation table 1.1 in it, from PMDK 1.12's
// src/libpmemblk/blk.h and btt_layout.h. Numbers are little-endian.
//   0      PoolHeader                                   4 KiB
//   4096   BlkDescriptor, then run-time state that means nothing in a file
//   8192   arenas, of 512 GiB at most: BttInfo, data, map, flog, copy of the BttInfo
//
// A pool has no arena before the first write. The map has a word for each block: where it is in the
// data, and whether it is zero or in error. The flog has a pair of entries for each free block.
//
// Invariants that libpmemblk takes for granted
//   1. An arena's parts lie inside it, one after the other, and each is as long as the number of
//      blocks wants. Its next arena, if any, begins behind it.
//   2. Words of the map, and entries of the flog, name blocks that the data has.
#pragma once

#include <cstdint>
#include <vector>

#include "tools/pool_view.h"

namespace nvm::blk {

inline constexpr uint32_t kMajor = 1;
inline constexpr uint64_t kDescriptorOffset = sizeof(heap::pmdk::PoolHeader);
inline constexpr uint64_t kArenas = 8192;
inline constexpr uint64_t kMinArena = uint64_t{16} << 20;

struct BlkDescriptor {
  uint32_t block_size;
  uint32_t zeroed;
};

inline constexpr char kInfoSignature[16] = "BTT_ARENA_INFO";
inline constexpr uint32_t kInfoError = 1;  // a flag: the arena is read-only

struct BttInfo {
  char signature[16];
  uint8_t uuid[16];
  uint8_t parent_uuid[16];
  uint32_t flags;
  uint16_t major;
  uint16_t minor;
  uint32_t external_size;
  uint32_t external_blocks;
  uint32_t internal_size;
  uint32_t internal_blocks;
  uint32_t free_blocks;
  uint32_t info_size;
  uint64_t next;  // the offsets are from this BttInfo on
  uint64_t data;
  uint64_t map;
  uint64_t flog;
  uint64_t copy;
  uint8_t unused[3968];
  uint64_t checksum;
};
static_assert(sizeof(BttInfo) == 4096);

struct FlogEntry {
  uint32_t block;
  uint32_t old_place;
  uint32_t new_place;
  uint32_t sequence;
};
inline constexpr uint64_t kFlogPair = 64;
inline constexpr uint32_t kPlaceMask = 0x3fffffff;
inline constexpr uint32_t kEntryState = 0xc0000000;
inline constexpr uint32_t kEntryError = 0x40000000;
inline constexpr uint32_t kEntryZero = 0x80000000;
inline constexpr uint32_t kEntryNormal = 0xc0000000;

struct Arena {
  uint64_t offset;  // in the pool
  BttInfo info;
};

inline const BlkDescriptor& descriptor_of(const tools::PoolView& view) {
  return *reinterpret_cast<const BlkDescriptor*>(view.base() + kDescriptorOffset);
}

// Of a pool that is sound so far as that; without the arenas behind a damaged one.
std::vector<Arena> arenas(const tools::PoolView& view);

// Throws Error(corrupt), Error(layout). Reads every word of the map: 4 bytes a block.
void check(const tools::PoolView& view);

}  // namespace nvm::blk
