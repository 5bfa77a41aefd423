// The footers of blocks of whole chunks: the last chunk's header repeats the size, and libpmemobj
// finds the block before a freed one by it.
//
// libpmemobj never flushes them, so that after a power cut one may be of a block that has ended
// there long ago. When the block behind is freed then, libpmemobj merges it with whatever begins
// where that one did, and the chain of chunks is broken: in PMDK 1.12 an assertion, or, in a
// release, overwritten blocks.
#pragma once

#include <cstdint>
#include <optional>

#include "heap/format.h"
#include "heap/layout/heap_walk.h"

namespace nvm::heap {

// A chunk header that is to be another one.
struct WrongFooter {
  Offset at;
  uint64_t right;  // its 8 bytes
};
// The footer of a link of a zone's chain, if that needs one and it does not say so.
std::optional<WrongFooter> wrong_footer(const HeapView& heap, const Chunk& chunk);

// Makes each footer say what its block's header says. Nothing is flushed, as libpmemobj does not
// either. REQUIRES: the pool is mapped at `base`, recovered, and nothing has been allocated in it
// since it was opened. Throws Error(corrupt).
void mend_footers(char* base, uint64_t size);

}  // namespace nvm::heap
