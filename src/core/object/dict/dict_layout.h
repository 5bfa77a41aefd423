// How a dict lies on the medium: its header, its body, its entries, and where entry `number` is.
//
//   Header   what references name; `body` (0: empty) is the one word that swaps all the rest
//   Body     a small one is followed by 3, 7 or 15 entries; a large one by a directory of segments
//   Segment  entries only, zero when fresh, never copied
//   Index    slots only, zero when fresh: hash | (number + 1) << 32
//
// Entry `number` of a large body: the first 16 are segment 0; after that each power of two is
// shared by four segments, so that at most a fifth of the room is not in use. Places are 32 bytes
// and start at multiples of 32, so that an entry lies in one cache line. Blocks of more than
// kHeaderless bytes start 16 beyond a multiple of 32, behind libpmemobj's header: entries start at
// the next multiple.
//
// From level kSpillLevel on a segment would be whole chunks of libpmemobj's, were it not for the
// header, which would cost one chunk more. So the first entry of each such segment lies behind the
// directory instead. For the same reason an index has two slots less than a power of two.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "heap/file/alloc_classes.h"
#include "heap/format.h"

namespace nvm::object::dict {

using heap::Offset;

struct Header {
  heap::Counted counted;
  Offset body;
  uint32_t session;  // the opening in which the dict was settled last
  uint32_t reserved0;
  uint64_t reserved1[3];
};
static_assert(sizeof(Header) == 48);  // a cache line with the compact header

struct Entry {
  uint64_t value;  // a cell; blank: a tombstone
  uint64_t mark;   // hash | (kind | length << 3) << 32 | first bytes of the key; 0: no entry
  uint64_t low;    // a key that is a cell, or more bytes of a text
  uint64_t high;
};
static_assert(sizeof(Entry) == 32);
inline constexpr uint64_t kEntryBytes = sizeof(Entry);

enum class EntryKind : uint8_t { cell = 1, ascii = 2, latin1 = 3, wide = 4, bytes = 5 };
inline constexpr size_t kTextAt = 13;  // in the entry; 2-byte characters start at 14
inline constexpr size_t kWideTextAt = 14;
inline constexpr size_t kMaxText = kEntryBytes - kTextAt;            // bytes
inline constexpr size_t kMaxWide = (kEntryBytes - kWideTextAt) / 2;  // characters

inline constexpr uint32_t hash_of_mark(uint64_t mark) { return static_cast<uint32_t>(mark); }

struct Body {
  uint64_t used;     // entries, tombstones included
  uint64_t deleted;  // deletions << 32 | number + 1 of the entry deleted last (0: none to complete)
  uint64_t index;    // offset | log2 << 48; 0 in an inline body
  uint64_t room;     // entries behind it (inline), or kLarge | pointers in the directory
  // Entry entries[], or Offset segments[], then Entry spilled[] at a multiple of 32
};
static_assert(sizeof(Body) == kEntryBytes);
inline constexpr uint64_t kLarge = uint64_t{1} << 63;
inline constexpr uint64_t kHeaderless = heap::kBlobUnits.back();

inline constexpr uint64_t align_entry(Offset offset) { return (offset + 31) & ~uint64_t{31}; }
// What to ask for, so that `bytes` of entries fit behind the first multiple of 32.
inline constexpr uint64_t with_gap(uint64_t bytes) {
  return bytes > kHeaderless ? bytes + heap::kBlockHeader : bytes;
}

// ---- Inline bodies

inline constexpr uint64_t kSmallestInline = 3, kLargestInline = 15;  // 128 to 512 bytes
inline constexpr uint64_t inline_bytes(uint64_t entries) { return (entries + 1) * kEntryBytes; }
inline constexpr uint64_t inline_room(uint64_t entries) {
  return entries <= 3 ? 3 : entries <= 7 ? 7 : kLargestInline;
}

// ---- Segments

inline constexpr uint64_t kFirstSegment = 16;  // entries
inline constexpr uint64_t kSpillLevel = 11;    // segments of 256 KiB and more

struct Place {
  uint64_t segment;
  uint64_t level;  // of segments with 4 << level entries; segment 0: level 2 (16 entries)
  uint64_t entry;
};
inline constexpr Place place_of(uint64_t number) {
  if (number < kFirstSegment) return {0, 2, number};
  const uint64_t level = static_cast<uint64_t>(std::bit_width(number)) - 5;
  return {1 + 4 * level + ((number >> (level + 2)) & 3), level,
          number & ((uint64_t{4} << level) - 1)};
}
inline constexpr uint64_t level_of_segment(uint64_t segment) {
  return segment == 0 ? 2 : (segment - 1) / 4;
}
inline constexpr bool spills(uint64_t segment) {
  return segment != 0 && level_of_segment(segment) >= kSpillLevel;
}
// Entries that lie in the segment itself.
inline constexpr uint64_t segment_entries(uint64_t segment) {
  return (uint64_t{4} << level_of_segment(segment)) - (spills(segment) ? 1 : 0);
}

// ---- Directories

inline constexpr uint64_t kSmallDirectory = 1 + 4 * 6;   // up to level 5: 1,024 entries
inline constexpr uint64_t kLargeDirectory = 1 + 4 * 26;  // up to level 25: 2^30 entries
inline constexpr uint64_t kFirstSpilled = 1 + 4 * kSpillLevel;
inline constexpr uint64_t spilled_in(uint64_t pointers) {
  return pointers > kFirstSpilled ? pointers - kFirstSpilled : 0;
}
// The first multiple of 32 behind the directory of the body at `body`.
inline constexpr Offset spilled_at(Offset body, uint64_t pointers) {
  return align_entry(body + sizeof(Body) + pointers * sizeof(Offset));
}
inline constexpr uint64_t directory_bytes(uint64_t pointers) {
  const uint64_t directory = sizeof(Body) + pointers * sizeof(Offset);
  return spilled_in(pointers) == 0 ? directory
                                   : align_entry(directory) + spilled_in(pointers) * kEntryBytes;
}
static_assert(place_of(1023).segment == kSmallDirectory - 1);
static_assert(place_of(16).segment == 1 && place_of(31).segment == 4 && place_of(32).segment == 5);
static_assert(spilled_in(kSmallDirectory) == 0);

// ---- Index

// The largest index is the largest block that libpmemobj gives, rounded down to a power of two.
inline constexpr unsigned kSmallestIndex = 5, kLargestIndex = 30;  // log2
inline constexpr unsigned kIndexShift = 48;
inline constexpr uint64_t slots_of(unsigned log2) { return (uint64_t{1} << log2) - 2; }
// Two thirds of the slots are used at most.
inline constexpr uint64_t index_holds(unsigned log2) { return slots_of(log2) * 2 / 3; }
inline constexpr unsigned index_for(uint64_t entries) {
  unsigned log2 = kSmallestIndex;
  while (log2 < kLargestIndex && index_holds(log2) < entries) ++log2;
  return log2;
}
inline constexpr uint64_t kMaxEntries = index_holds(kLargestIndex);  // tombstones included
static_assert(slots_of(kLargestIndex) * sizeof(uint64_t) <= heap::kMaxBlock);
static_assert(place_of(kMaxEntries - 1).segment < kLargeDirectory);

}  // namespace nvm::object::dict
