// Reads libpmemobj's heap from its bytes: every allocated block, and where one is.
//
// Independent of libpmemobj and of whether the pool is open: it needs the pool's base and size.
// Every field is checked against its bounds before it is used, so any bytes can be given: a damaged
// place is Error(corrupt) with zone and chunk in its message, and a point query says "no block".
//
// The heap's rules as they are read here (layout in pmdk_layout.h)
//   1. A zone's chunk headers form a chain: each names its type and how many chunks it covers. What
//      lies between two links (footers, leftovers) means nothing, except run_data.
//   2. A used chunk is one block, with a header. A run holds units; a set bit is an allocated unit.
//      A block with a header may take several units within one word of the bitmap.
//   3. A zone without the magic number has never been used.
//
// REQUIRES of every function: the pool does not change meanwhile, and check_pool_header() accepts
// it. Logs of the lanes that are not applied yet are not looked at.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <string>

#include "heap/format.h"
#include "heap/layout/pmdk_layout.h"

namespace nvm::heap {

enum class BlockHeader { none, compact, legacy };

struct Block {
  Offset offset = 0;    // of what the user may use
  uint64_t usable = 0;  // bytes from there
  uint64_t type = 0;    // libpmemobj's type number; 0 without header
  BlockHeader header = BlockHeader::none;
  bool internal = false;  // libpmemobj's own: the root object, extensions of logs
  uint32_t zone = 0;
  uint32_t chunk = 0;
};

// A link of a zone's chain.
struct Chunk {
  uint32_t zone = 0;
  uint32_t index = 0;
  uint32_t chunks = 0;  // covered
  pmdk::ChunkType type = pmdk::ChunkType::unknown;
  uint16_t flags = 0;
};

// Where a run's units are.
struct RunShape {
  Offset bitmap = 0;
  Offset first_unit = 0;
  uint64_t unit = 0;
  uint32_t units = 0;
  BlockHeader header = BlockHeader::none;
};

// The heap of a mapped pool, zone by zone and link by link.
class HeapView {
 public:
  HeapView(const char* base, uint64_t size) noexcept;

  uint32_t zones() const noexcept { return zones_; }
  // Chunks of a zone as its header says, at most what the file has room for; 0: never used.
  // Throws Error(corrupt).
  uint32_t chunks_of(uint32_t zone) const;
  // Chunks that the file has room for.
  uint32_t room_of(uint32_t zone) const noexcept;
  // A chunk's header as it lies there. REQUIRES: index < chunks_of(zone).
  const pmdk::ChunkHeader& header_at(uint32_t zone, uint32_t index) const noexcept;
  // The link at a place of the chain. Throws Error(corrupt) if there can be none.
  Chunk chunk_at(uint32_t zone, uint32_t index) const;
  // Throws Error(corrupt) unless the chunks that a run covers point back to it.
  void check_run_data(const Chunk& chunk) const;
  // REQUIRES: the chunk is a run. Throws Error(corrupt) unless its header makes sense.
  RunShape run_at(const Chunk& chunk) const;
  // REQUIRES: the chunk is in use as one block.
  Block block_of(const Chunk& chunk) const;
  // The block whose first unit is `unit`, with the number of units it takes. Throws Error(corrupt).
  Block block_of(const Chunk& chunk, const RunShape& run, uint32_t unit, uint32_t& units) const;

  Offset chunk_offset(uint32_t zone, uint32_t index) const noexcept;
  // Of a chunk's header.
  Offset offset_of(const pmdk::ChunkHeader& header) const noexcept {
    return static_cast<Offset>(reinterpret_cast<const char*>(&header) - base_);
  }
  template <class T>
  const T& at(Offset offset) const noexcept {
    return *reinterpret_cast<const T*>(base_ + offset);
  }

 private:
  const char* base_;
  uint64_t size_;
  uint32_t zones_;
};

// Each link of each zone's chain, in order: visit(const Chunk&). Throws Error(corrupt).
template <class Visit>
void for_each_chunk(const HeapView& view, Visit visit) {
  for (uint32_t zone = 0; zone < view.zones(); ++zone) {
    const uint32_t chunks = view.chunks_of(zone);
    for (uint32_t index = 0; index < chunks;) {
      const Chunk chunk = view.chunk_at(zone, index);
      if (chunk.type == pmdk::ChunkType::run) view.check_run_data(chunk);
      visit(chunk);
      index += chunk.chunks;
    }
  }
}

// All allocated blocks in the order of their offsets:  HeapWalk walk(...); while (walk.next(b)) ...
class HeapWalk {
 public:
  HeapWalk(const char* base, uint64_t size) noexcept : view_(base, size) {}

  // The next block; false at the end. Throws Error(corrupt).
  bool next(Block& block) {
    while (bits_ == 0) {
      if (next_word_ < words_) {
        load_word();
      } else if (!next_chunk(block)) {
        return false;
      } else if (words_ == 0) {
        return true;  // a block of whole chunks
      }
    }
    take_unit(block);
    return true;
  }

 private:
  void load_word() noexcept;
  bool next_chunk(Block& block);
  void take_unit(Block& block) {
    const auto bit = static_cast<uint32_t>(std::countr_zero(bits_));
    const uint32_t unit = first_bit_ + bit;
    if (run_.header != BlockHeader::none) return take_headed_unit(block, unit, bit);
    bits_ &= bits_ - 1;
    block = {run_.first_unit + unit * run_.unit,
             run_.unit,
             0,
             BlockHeader::none,
             false,
             chunk_.zone,
             chunk_.index};
  }
  void take_headed_unit(Block& block, uint32_t unit, uint32_t bit);

  HeapView view_;
  uint32_t zone_ = 0;
  uint32_t next_index_ = 0;
  uint32_t chunks_ = 0;
  bool in_zone_ = false;
  Chunk chunk_{};
  RunShape run_{};
  uint32_t words_ = 0;  // of the run's bitmap
  uint32_t next_word_ = 0;
  uint32_t first_bit_ = 0;  // of the word in bits_
  uint64_t bits_ = 0;       // units of that word still to visit
};

struct HeapTotals {
  uint32_t zones = 0;
  uint64_t bytes = 0;           // of all chunks
  uint64_t free_bytes = 0;      // in free chunks
  uint64_t largest_free = 0;    // bytes of the largest range of free chunks
  uint64_t used_bytes = 0;      // in chunks that are one block
  uint64_t run_bytes = 0;       // in runs, bitmaps included
  uint64_t run_used_bytes = 0;  // in allocated units
  uint64_t runs = 0;
  uint64_t blocks = 0;  // in use as whole chunks, and allocated units
};
HeapTotals heap_totals(const char* base, uint64_t size);

// Follows each zone's chain of chunks to its end. Throws Error(corrupt). Reads no chunk.
void check_zones(const char* base, uint64_t size);
// The same, and looks at the beginning of each run: one page of it is read. A run that is of no
// allocation class is refused: libpmemobj takes it for one of a class near it, and what it puts
// there overlaps.
void check_runs(const char* base, uint64_t size);

// The units in use of a word of the bitmap: `first` is its first unit. Bits beyond the last unit
// are always set and mean nothing.
inline uint64_t units_in_use(const HeapView& view, const RunShape& run, uint32_t first) {
  const uint64_t bits = view.at<uint64_t>(run.bitmap + first / 8);
  const uint32_t left = run.units - first;
  return left < pmdk::kBitsPerWord ? bits & ((uint64_t{1} << left) - 1) : bits;
}

// Of a whole run.
uint64_t allocated_units(const HeapView& view, const RunShape& run);

inline uint64_t size_of(BlockHeader header) {
  switch (header) {
    case BlockHeader::compact:
      return sizeof(pmdk::CompactHeader);
    case BlockHeader::legacy:
      return sizeof(pmdk::LegacyHeader);
    case BlockHeader::none:
      return 0;
  }
  return 0;
}

BlockHeader header_of(const Chunk& chunk) noexcept;

// The allocated block that starts at `offset`, which may be any number at all.
std::optional<Block> block_at(const char* base, uint64_t size, Offset offset) noexcept;
// The same in constant time, whatever the heap's size, by the headers near the offset alone. What a
// larger block has overwritten can deceive it, if the offset is a damaged one that leads there.
std::optional<Block> quick_block_at(const char* base, uint64_t size, Offset offset) noexcept;
// True if a block could start at `offset`, allocated or not.
bool is_block_place(const char* base, uint64_t size, Offset offset) noexcept;

}  // namespace nvm::heap
