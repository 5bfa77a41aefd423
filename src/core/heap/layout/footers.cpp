#include "heap/layout/footers.h"

#include <cstring>

#include "heap/layout/heap_walk.h"

namespace nvm::heap {

using pmdk::ChunkHeader;
using pmdk::ChunkType;

void mend_footers(char* base, uint64_t size) {
  const HeapView heap(base, size);
  for_each_chunk(heap, [&](const Chunk& chunk) {
    if (chunk.chunks == 1 || (chunk.type != ChunkType::free && chunk.type != ChunkType::used))
      return;
    const ChunkHeader footer{ChunkType::footer, chunk.flags, chunk.chunks};
    auto& last =
        const_cast<ChunkHeader&>(heap.header_at(chunk.zone, chunk.index + chunk.chunks - 1));
    if (std::memcmp(&last, &footer, sizeof footer) != 0) last = footer;
  });
}

}  // namespace nvm::heap
