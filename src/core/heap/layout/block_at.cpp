// Is there a block at an offset? Declared in heap_walk.h.
#include <exception>
#include <optional>

#include "heap/layout/heap_walk.h"
#include "pmem/error.h"

namespace nvm::heap {
namespace {

// The link of the chain that covers a chunk. The chain is followed from the zone's beginning: a
// header between two links is a leftover.
std::optional<Chunk> link_over(const HeapView& view, uint32_t zone, uint64_t wanted) {
  const uint32_t chunks = view.chunks_of(zone);
  for (uint32_t index = 0; index < chunks;) {
    const Chunk chunk = view.chunk_at(zone, index);
    if (wanted < uint64_t{index} + chunk.chunks) {
      if (chunk.type == pmdk::ChunkType::run) view.check_run_data(chunk);
      return chunk;
    }
    index += chunk.chunks;
  }
  return std::nullopt;
}

// The same by the chunk's own header, in constant time: a leftover would be believed.
std::optional<Chunk> link_by_header(const HeapView& view, uint32_t zone, uint64_t wanted) {
  if (wanted >= view.chunks_of(zone)) return std::nullopt;
  auto index = static_cast<uint32_t>(wanted);
  const auto& header = view.header_at(zone, index);
  if (header.type == pmdk::ChunkType::run_data) {
    if (header.chunks > index) return std::nullopt;
    index -= header.chunks;  // a run's later chunks count back to its first
  }
  const Chunk chunk = view.chunk_at(zone, index);
  if (wanted >= uint64_t{index} + chunk.chunks) return std::nullopt;
  return chunk;
}

// What lies at a place: the chunk, and for a run also its shape and which unit begins there.
struct Place {
  Chunk chunk;
  RunShape run;
  uint32_t unit = 0;
};

template <class Link>
std::optional<Place> find_place(const HeapView& view, uint64_t size, Offset offset, Link link_of) {
  if (offset < pmdk::kFirstZone || offset >= size) return std::nullopt;
  const uint64_t zone = (offset - pmdk::kFirstZone) / pmdk::kZoneSize;
  if (zone >= view.zones()) return std::nullopt;
  const Offset chunks = view.chunk_offset(static_cast<uint32_t>(zone), 0);
  if (offset < chunks) return std::nullopt;
  const uint64_t index = (offset - chunks) / pmdk::kChunkSize;
  const std::optional<Chunk> link = link_of(view, static_cast<uint32_t>(zone), index);
  if (!link) return std::nullopt;
  Place place{*link, {}, 0};
  if (link->type != pmdk::ChunkType::run) {
    const Offset begin = view.chunk_offset(link->zone, link->index);
    if (offset != begin + size_of(header_of(*link))) return std::nullopt;
    return place;
  }
  place.run = view.run_at(*link);
  const uint64_t header = size_of(place.run.header);
  if (offset < place.run.first_unit + header) return std::nullopt;
  const uint64_t from_first = offset - header - place.run.first_unit;
  if (from_first % place.run.unit != 0) return std::nullopt;
  const uint64_t unit = from_first / place.run.unit;
  if (unit >= place.run.units) return std::nullopt;
  place.unit = static_cast<uint32_t>(unit);
  return place;
}

// Is the unit the first one of an allocated block? With headers, units in front of it in the same
// word may belong to a block that covers it.
std::optional<Block> block_in_run(const HeapView& view, const Place& place) {
  const RunShape& run = place.run;
  const uint32_t bit = place.unit % pmdk::kBitsPerWord;
  const uint32_t first = place.unit - bit;
  const uint64_t bits = units_in_use(view, run, first);
  if ((bits >> bit & 1) == 0) return std::nullopt;
  uint32_t units = 0;
  if (run.header == BlockHeader::none) return view.block_of(place.chunk, run, place.unit, units);
  for (uint32_t at = 0; at <= bit; at += units) {
    units = 1;
    if ((bits >> at & 1) == 0) continue;
    const Block block = view.block_of(place.chunk, run, first + at, units);
    if (at == bit) return block;
  }
  return std::nullopt;
}

template <class Link>
std::optional<Block> block_by(const char* base, uint64_t size, Offset offset, Link link) noexcept {
  try {
    const HeapView view(base, size);
    const std::optional<Place> place = find_place(view, size, offset, link);
    if (!place) return std::nullopt;
    if (place->chunk.type == pmdk::ChunkType::run) return block_in_run(view, *place);
    if (place->chunk.type != pmdk::ChunkType::used) return std::nullopt;
    return view.block_of(place->chunk);
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

}  // namespace

std::optional<Block> block_at(const char* base, uint64_t size, Offset offset) noexcept {
  return block_by(base, size, offset, link_over);
}

std::optional<Block> quick_block_at(const char* base, uint64_t size, Offset offset) noexcept {
  return block_by(base, size, offset, link_by_header);
}

bool is_block_place(const char* base, uint64_t size, Offset offset) noexcept {
  try {
    return find_place(HeapView(base, size), size, offset, link_over).has_value();
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace nvm::heap
