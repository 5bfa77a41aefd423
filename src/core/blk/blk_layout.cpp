#include "blk/blk_layout.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "heap/file/posix_file.h"
#include "heap/layout/checksum.h"

namespace nvm::blk {
namespace {

using tools::PoolView;

constexpr uint64_t kAlignment = 4096;

[[noreturn]] void damaged(const PoolView& view, const std::string& what) {
  heap::throw_error(ErrorKind::corrupt, view.path(), "damaged: " + what, EUCLEAN);
}

bool is_arena(const BttInfo& info) {
  return std::memcmp(info.signature, kInfoSignature, sizeof info.signature) == 0 &&
         info.checksum ==
             heap::fletcher64_around(&info, sizeof info, offsetof(BttInfo, checksum), sizeof info);
}

// Invariant 1. Each sum is of numbers below 2^63, once each has been compared with the room.
bool fits(const BttInfo& info, uint64_t room) {
  const uint64_t map_bytes = uint64_t{info.external_blocks} * sizeof(uint32_t);
  const uint64_t data_bytes = uint64_t{info.internal_blocks} * info.internal_size;
  const uint64_t flog_bytes = uint64_t{info.free_blocks} * kFlogPair;
  const uint64_t end = info.next == 0 ? room : std::min(info.next, room);
  const auto inside = [=](uint64_t begin, uint64_t bytes) {
    return begin >= sizeof(BttInfo) && begin <= end && bytes <= end - begin &&
           begin % kAlignment == 0;
  };
  return info.info_size == sizeof(BttInfo) && info.free_blocks != 0 && info.external_size != 0 &&
         info.internal_size >= info.external_size && info.internal_blocks > info.free_blocks &&
         info.external_blocks == info.internal_blocks - info.free_blocks &&
         info.internal_blocks <= kPlaceMask && inside(info.data, data_bytes) &&
         inside(info.map, map_bytes) && inside(info.flog, flog_bytes) &&
         inside(info.copy, sizeof(BttInfo)) && info.data + data_bytes <= info.map &&
         info.map + map_bytes <= info.flog && info.flog + flog_bytes <= info.copy &&
         (info.next == 0 || (info.next >= kMinArena && info.next <= room));
}

void check_places(const PoolView& view, const Arena& arena) {
  const char* const base = view.base() + arena.offset;
  const auto* map = reinterpret_cast<const uint32_t*>(base + arena.info.map);
  for (uint32_t block = 0; block < arena.info.external_blocks; ++block) {
    // A word that is all zero is a block never written, at the place of its own number.
    if (map[block] != 0 && (map[block] & kPlaceMask) >= arena.info.internal_blocks)
      damaged(view, "block " + std::to_string(block) + " is at a place that there is not");
  }
  for (uint32_t i = 0; i < arena.info.free_blocks; ++i) {
    const auto* pair = reinterpret_cast<const FlogEntry*>(base + arena.info.flog + i * kFlogPair);
    for (const FlogEntry* entry : {pair, pair + 1}) {
      if (entry->block >= arena.info.external_blocks ||
          (entry->old_place & kPlaceMask) >= arena.info.internal_blocks ||
          (entry->new_place & kPlaceMask) >= arena.info.internal_blocks)
        damaged(view,
                "entry " + std::to_string(i) + " of the flog names a place that there is not");
    }
  }
}

}  // namespace

std::vector<Arena> arenas(const PoolView& view) {
  std::vector<Arena> result;
  uint64_t offset = kArenas;
  while (view.size() >= offset && view.size() - offset >= sizeof(BttInfo)) {
    const auto& info = *reinterpret_cast<const BttInfo*>(view.base() + offset);
    if (!is_arena(info) || !fits(info, view.size() - offset)) break;
    result.push_back({offset, info});
    if (info.next == 0) break;
    offset += info.next;
  }
  return result;
}

void check(const PoolView& view) {
  view.require(tools::PoolKind::blk, kMajor);
  if (view.size() < kArenas + kMinArena) damaged(view, "truncated: there is no room for blocks");
  if (descriptor_of(view).block_size == 0) damaged(view, "blocks of no bytes");
  const auto* first = reinterpret_cast<const BttInfo*>(view.base() + kArenas);
  const bool written =
      std::any_of(reinterpret_cast<const char*>(first), reinterpret_cast<const char*>(first + 1),
                  [](char byte) { return byte != 0; });
  if (!written) return;
  const std::vector<Arena> found = arenas(view);
  if (found.empty() || found.back().info.next != 0)
    damaged(view, "arena " + std::to_string(found.size()) + " has no right header");
  for (const Arena& arena : found) {
    if (arena.info.external_size != descriptor_of(view).block_size)
      damaged(view, "an arena with blocks of another size");
    check_places(view, arena);
  }
}

}  // namespace nvm::blk
