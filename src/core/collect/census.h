// Every allocated block of a pool, found without following a reference.
#pragma once

#include <cstdint>
#include <vector>

#include "heap/layout/heap_walk.h"
#include "heap/pool.h"

namespace nvm::collect {

struct Entry {
  heap::Offset offset;
  uint64_t usable;
  uint64_t type;  // 0: a blob without header
  uint64_t references = 0;
  bool owned = false;    // reached as somebody's block
  bool reached = false;  // reached as an object
};

class Census {
 public:
  explicit Census(const heap::Pool& pool);
  // nullptr if no block starts there.
  Entry* find(heap::Offset offset) noexcept;
  std::vector<Entry>& entries() noexcept { return entries_; }  // in order of their offsets

 private:
  std::vector<Entry> entries_;
};

// True for the types whose blocks carry a reference count.
bool is_counted(uint64_t type) noexcept;

}  // namespace nvm::collect
