#include "heap/layout/heap_walk.h"

#include <algorithm>

#include "heap/file/alloc_classes.h"
#include "pmem/error.h"

namespace nvm::heap {
namespace {

using pmdk::ChunkType;

constexpr uint64_t kUnitAlignment = 8;

[[noreturn]] void bad_chunk(uint32_t zone, uint32_t index, const std::string& what) {
  throw_corrupt("zone " + std::to_string(zone) + ", chunk " + std::to_string(index) + ": " + what);
}

constexpr uint64_t align_up(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}
constexpr uint64_t words_for(uint64_t bits) {
  return (bits + pmdk::kBitsPerWord - 1) / pmdk::kBitsPerWord;
}

// Bytes of a run's bitmap and how many units follow it.
struct Bitmap {
  uint64_t bytes;
  uint64_t units;
};

Bitmap bitmap_of(uint64_t content, uint64_t unit, uint16_t flags) {
  constexpr uint64_t word = sizeof(uint64_t);
  if ((flags & pmdk::kFlexibleBitmap) == 0) {
    const uint64_t bytes = pmdk::kFixedBitmapWords * word;
    return {bytes,
            std::min((content - bytes) / unit, pmdk::kFixedBitmapWords * pmdk::kBitsPerWord)};
  }
  // As many words as units would need without a bitmap; header and bitmap end at a cache line.
  const uint64_t with_header =
      align_up(words_for(content / unit) * word + sizeof(pmdk::RunHeader), pmdk::kCacheLine);
  const uint64_t bytes = with_header - sizeof(pmdk::RunHeader);
  if (bytes >= content) return {bytes, 0};
  return {bytes, (content - bytes) / unit};
}

}  // namespace

BlockHeader header_of(const Chunk& chunk) noexcept {
  if ((chunk.flags & pmdk::kCompactHeader) != 0) return BlockHeader::compact;
  return (chunk.flags & pmdk::kNoHeader) != 0 ? BlockHeader::none : BlockHeader::legacy;
}

HeapView::HeapView(const char* base, uint64_t size) noexcept : base_(base), size_(size), zones_(0) {
  uint64_t rest = size > pmdk::kFirstZone ? size - pmdk::kFirstZone : 0;
  while (rest >= pmdk::kZoneMetadata + pmdk::kChunkSize) {
    ++zones_;
    rest -= std::min(rest, pmdk::kZoneSize);
  }
}

Offset HeapView::chunk_offset(uint32_t zone, uint32_t index) const noexcept {
  return pmdk::kFirstZone + zone * pmdk::kZoneSize + pmdk::kZoneMetadata + index * pmdk::kChunkSize;
}

uint32_t HeapView::room_of(uint32_t zone) const noexcept {
  const uint64_t bytes = size_ - chunk_offset(zone, 0);
  return static_cast<uint32_t>(std::min(bytes / pmdk::kChunkSize, pmdk::kChunksPerZone));
}

uint32_t HeapView::chunks_of(uint32_t zone) const {
  const auto& header = at<pmdk::ZoneHeader>(pmdk::kFirstZone + zone * pmdk::kZoneSize);
  if (header.magic == 0) return 0;
  if (header.magic != pmdk::kZoneMagic) bad_chunk(zone, 0, "the zone's header is damaged");
  if (header.chunks > room_of(zone)) {
    bad_chunk(zone, header.chunks, "the zone ends beyond the file");
  }
  return header.chunks;
}

const pmdk::ChunkHeader& HeapView::header_at(uint32_t zone, uint32_t index) const noexcept {
  const Offset headers = pmdk::kFirstZone + zone * pmdk::kZoneSize + sizeof(pmdk::ZoneHeader);
  return at<pmdk::ChunkHeader>(headers + index * sizeof(pmdk::ChunkHeader));
}

Chunk HeapView::chunk_at(uint32_t zone, uint32_t index) const {
  const pmdk::ChunkHeader& header = header_at(zone, index);
  if (header.type != ChunkType::free && header.type != ChunkType::used &&
      header.type != ChunkType::run) {
    bad_chunk(zone, index,
              "type " + std::to_string(static_cast<unsigned>(header.type)) +
                  " where a chunk should begin");
  }
  const uint32_t end = chunks_of(zone);
  if (header.chunks == 0 || index >= end || header.chunks > end - index) {
    bad_chunk(zone, index, "covers " + std::to_string(header.chunks) + " chunks");
  }
  if ((header.flags & ~pmdk::kChunkFlags) != 0) bad_chunk(zone, index, "unknown flags");
  return {zone, index, header.chunks, header.type, header.flags};
}

void HeapView::check_run_data(const Chunk& chunk) const {
  const Offset headers = pmdk::kFirstZone + chunk.zone * pmdk::kZoneSize + sizeof(pmdk::ZoneHeader);
  for (uint32_t i = 1; i < chunk.chunks; ++i) {
    const auto data =
        at<pmdk::ChunkHeader>(headers + (chunk.index + i) * sizeof(pmdk::ChunkHeader));
    if (data.type != ChunkType::run_data || data.chunks != i) {
      bad_chunk(chunk.zone, chunk.index + i, "does not point back to its run");
    }
  }
}

RunShape HeapView::run_at(const Chunk& chunk) const {
  const Offset begin = chunk_offset(chunk.zone, chunk.index);
  const auto& header = at<pmdk::RunHeader>(begin);
  const uint64_t content = chunk.chunks * pmdk::kChunkSize - sizeof(pmdk::RunHeader);
  RunShape run;
  run.header = header_of(chunk);
  run.unit = header.unit;
  if (run.unit <= size_of(run.header) || run.unit > content || run.unit % kUnitAlignment != 0) {
    bad_chunk(chunk.zone, chunk.index, "a run of units of " + std::to_string(run.unit) + " bytes");
  }
  const Bitmap bitmap = bitmap_of(content, run.unit, chunk.flags);
  uint64_t units = bitmap.units;
  run.bitmap = begin + sizeof(pmdk::RunHeader);
  run.first_unit = run.bitmap + bitmap.bytes;
  if ((chunk.flags & pmdk::kAligned) != 0) {
    if (!std::has_single_bit(header.alignment) || header.alignment > run.unit) {
      bad_chunk(chunk.zone, chunk.index, "a run with a damaged alignment");
    }
    const uint64_t user = run.first_unit + size_of(run.header);
    run.first_unit = align_up(user, header.alignment) - size_of(run.header);
    units -= units == 0 ? 0 : 1;
  }
  if (units == 0) bad_chunk(chunk.zone, chunk.index, "a run without units");
  run.units = static_cast<uint32_t>(units);
  return run;
}

namespace {

// What a block's header says; `room` is what the block can have at most, header included.
Block read_header(const HeapView& view, const Chunk& chunk, Offset begin, BlockHeader header,
                  uint64_t room) {
  Block block{begin + size_of(header), 0, 0, header, false, chunk.zone, chunk.index};
  uint64_t size = room;
  if (header == BlockHeader::compact) {
    const auto& compact = view.at<pmdk::CompactHeader>(begin);
    size = compact.size & pmdk::kBlockSizeMask;
    block.type = compact.type;
    block.internal = ((compact.size >> pmdk::kBlockFlagsShift) & pmdk::kInternalObject) != 0;
  } else if (header == BlockHeader::legacy) {
    const auto& legacy = view.at<pmdk::LegacyHeader>(begin);
    size = legacy.size;
    block.type = legacy.type;
    block.internal = ((legacy.flags >> pmdk::kBlockFlagsShift) & pmdk::kInternalObject) != 0;
  }
  if (size <= size_of(header) || size > room) {
    bad_chunk(chunk.zone, chunk.index,
              "a block of " + std::to_string(size) + " bytes at " + std::to_string(begin));
  }
  block.usable = size - size_of(header);
  return block;
}

}  // namespace

Block HeapView::block_of(const Chunk& chunk) const {
  return read_header(*this, chunk, chunk_offset(chunk.zone, chunk.index), header_of(chunk),
                     chunk.chunks * pmdk::kChunkSize);
}

Block HeapView::block_of(const Chunk& chunk, const RunShape& run, uint32_t unit,
                         uint32_t& units) const {
  const Offset begin = run.first_unit + unit * run.unit;
  units = 1;
  if (run.header == BlockHeader::none) {
    return read_header(*this, chunk, begin, run.header, run.unit);
  }
  const uint64_t left_in_word = pmdk::kBitsPerWord - unit % pmdk::kBitsPerWord;
  const uint64_t most = std::min<uint64_t>(left_in_word, run.units - unit);
  const Block block = read_header(*this, chunk, begin, run.header, most * run.unit);
  const uint64_t size = block.usable + size_of(run.header);
  units = static_cast<uint32_t>((size + run.unit - 1) / run.unit);
  return block;
}

void HeapWalk::load_word() noexcept {
  first_bit_ = next_word_ * static_cast<uint32_t>(pmdk::kBitsPerWord);
  bits_ = units_in_use(view_, run_, first_bit_);
  ++next_word_;
}

// Goes on to the next chunk in use. A run's words are visited next; a block of whole chunks is
// given at once, with words_ 0.
bool HeapWalk::next_chunk(Block& block) {
  words_ = 0;
  for (;;) {
    if (!in_zone_) {
      if (zone_ == view_.zones()) return false;
      chunks_ = view_.chunks_of(zone_);
      next_index_ = 0;
      in_zone_ = true;
    }
    if (next_index_ >= chunks_) {
      ++zone_;
      in_zone_ = false;
      continue;
    }
    chunk_ = view_.chunk_at(zone_, next_index_);
    next_index_ += chunk_.chunks;
    if (chunk_.type == ChunkType::used) {
      block = view_.block_of(chunk_);
      return true;
    }
    if (chunk_.type == ChunkType::run) {
      view_.check_run_data(chunk_);
      run_ = view_.run_at(chunk_);
      words_ = static_cast<uint32_t>(words_for(run_.units));
      next_word_ = 0;
      return true;
    }
  }
}

void HeapWalk::take_headed_unit(Block& block, uint32_t unit, uint32_t bit) {
  uint32_t units = 0;
  block = view_.block_of(chunk_, run_, unit, units);
  const uint64_t mask = (units == pmdk::kBitsPerWord ? ~uint64_t{0} : (uint64_t{1} << units) - 1)
                        << bit;
  if ((bits_ & mask) != mask) {
    bad_chunk(chunk_.zone, chunk_.index,
              "the block at " + std::to_string(block.offset) + " reaches into free units");
  }
  bits_ &= ~mask;
}

uint64_t allocated_units(const HeapView& view, const RunShape& run) {
  uint64_t count = 0;
  for (uint32_t first = 0; first < run.units; first += pmdk::kBitsPerWord) {
    count += static_cast<uint64_t>(std::popcount(units_in_use(view, run, first)));
  }
  return count;
}

HeapTotals heap_totals(const char* base, uint64_t size) {
  const HeapView view(base, size);
  HeapTotals totals;
  uint64_t free_range = 0;
  uint64_t range_end = 0;
  const auto add_free = [&](Offset begin, uint64_t bytes) {
    totals.free_bytes += bytes;
    free_range = begin == range_end ? free_range + bytes : bytes;
    range_end = begin + bytes;
    totals.largest_free = std::max(totals.largest_free, free_range);
  };
  for_each_chunk(view, [&](const Chunk& chunk) {
    const uint64_t bytes = chunk.chunks * pmdk::kChunkSize;
    if (chunk.type == ChunkType::free) {
      add_free(view.chunk_offset(chunk.zone, chunk.index), bytes);
    } else if (chunk.type == ChunkType::used) {
      totals.used_bytes += bytes;
      ++totals.blocks;
    } else {
      const RunShape run = view.run_at(chunk);
      const uint64_t units = allocated_units(view, run);
      totals.run_bytes += bytes;
      totals.run_used_bytes += units * run.unit;
      totals.blocks += units;
      ++totals.runs;
    }
  });
  totals.zones = view.zones();
  for (uint32_t zone = 0; zone < view.zones(); ++zone) {
    const uint32_t room = view.room_of(zone);
    const uint32_t known = view.chunks_of(zone);
    totals.bytes += room * pmdk::kChunkSize;
    if (known < room) add_free(view.chunk_offset(zone, known), (room - known) * pmdk::kChunkSize);
  }
  return totals;
}

void check_zones(const char* base, uint64_t size) {
  for_each_chunk(HeapView(base, size), [](const Chunk&) {});
}

void check_runs(const char* base, uint64_t size) {
  const HeapView view(base, size);
  for_each_chunk(view, [&view](const Chunk& chunk) {
    if (chunk.type != ChunkType::run) return;
    const RunShape run = view.run_at(chunk);
    if ((chunk.flags & pmdk::kAligned) != 0 || !is_run_class(run.unit, run.header, chunk.chunks))
      bad_chunk(chunk.zone, chunk.index,
                "a run with units of " + std::to_string(run.unit) +
                    " bytes that is of no allocation class");
  });
}

}  // namespace nvm::heap
