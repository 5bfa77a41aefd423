#include "heap/layout/footers.h"

#include <bit>

namespace nvm::heap {

using pmdk::ChunkHeader;
using pmdk::ChunkType;

// What flags a footer has depends on what wrote it last, and means nothing.
std::optional<WrongFooter> wrong_footer(const HeapView& heap, const Chunk& chunk) {
  if (chunk.chunks == 1 || (chunk.type != ChunkType::free && chunk.type != ChunkType::used))
    return std::nullopt;
  const ChunkHeader& last = heap.header_at(chunk.zone, chunk.index + chunk.chunks - 1);
  if (last.type == ChunkType::footer && last.chunks == chunk.chunks) return std::nullopt;
  const ChunkHeader right{ChunkType::footer, chunk.flags, chunk.chunks};
  return WrongFooter{heap.offset_of(last), std::bit_cast<uint64_t>(right)};
}

void mend_footers(char* base, uint64_t size) {
  const HeapView heap(base, size);
  for_each_chunk(heap, [&](const Chunk& chunk) {
    if (const auto wrong = wrong_footer(heap, chunk))
      *reinterpret_cast<uint64_t*>(base + wrong->at) = wrong->right;
  });
}

}  // namespace nvm::heap
