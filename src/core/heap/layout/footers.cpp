#include "heap/layout/footers.h"

#include <cstring>

#include "heap/layout/heap_walk.h"

namespace nvm::heap {
namespace {

using pmdk::ChunkHeader;
using pmdk::ChunkType;

void mend_zone(const HeapView& heap, uint32_t zone) {
  const uint32_t chunks = heap.chunks_of(zone);
  for (uint32_t index = 0; index < chunks;) {
    const Chunk chunk = heap.chunk_at(zone, index);
    index += chunk.chunks;
    if (chunk.chunks == 1 || (chunk.type != ChunkType::free && chunk.type != ChunkType::used))
      continue;
    const ChunkHeader footer{ChunkType::footer, chunk.flags, chunk.chunks};
    auto& last = const_cast<ChunkHeader&>(heap.header_at(zone, index - 1));
    if (std::memcmp(&last, &footer, sizeof footer) != 0) last = footer;
  }
}

}  // namespace

void mend_footers(char* base, uint64_t size) {
  const HeapView heap(base, size);
  for (uint32_t zone = 0; zone < heap.zones(); ++zone) mend_zone(heap, zone);
}

}  // namespace nvm::heap
