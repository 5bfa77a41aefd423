// Looks at every chunk and every run of libpmemobj's heap, and goes on behind what is damaged:
// heap_walk.h stops there.
//
// What must hold beside the rules of heap_walk.h
//   1. A run's unit, header and number of chunks are an allocation class that the format has: the
//      room of another would not be found again, and units of two classes can overlap.
//   2. The bits of a run's bitmap behind its last unit are set.
// Footers are told apart: libpmemobj does not flush them, and what they say after a power cut means
// nothing until the pool has been opened for writing.
//
// REQUIRES what heap_walk.h does.
#pragma once

#include <cstdint>
#include <string>

#include "heap/layout/footers.h"
#include "heap/layout/heap_walk.h"

namespace nvm::heap {

class HeapVisitor {
 public:
  virtual ~HeapVisitor() = default;
  virtual void block(const Block& block) = 0;  // in ascending order of their offsets
  virtual void damage(Offset at, const std::string& what) = 0;
  // The block of whole chunks that begins there, used or free, has another footer than it should.
  virtual void footer(Offset /*begin*/, const WrongFooter& /*wrong*/) {}
};

void survey(const char* base, uint64_t size, HeapVisitor& visitor);

}  // namespace nvm::heap
