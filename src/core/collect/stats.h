// How a pool's room is used.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "heap/pool.h"

namespace nvm::collect {

struct TypeStats {
  uint64_t count = 0;
  uint64_t bytes = 0;  // of the objects' own blocks, without blobs and bodies
};

struct Stats {
  uint64_t size = 0;             // of the file, bytes
  uint64_t limit = 0;            // what it may grow to
  uint64_t allocated_bytes = 0;  // in allocated blocks
  uint64_t free_bytes = 0;       // in free chunks and free units
  uint64_t largest_free = 0;     // the largest block that fits without growing
  uint64_t objects = 0;
  uint64_t blobs = 0;
  uint64_t blob_bytes = 0;
  uint64_t limbo = 0;    // objects that wait to be freed
  uint64_t classes = 0;  // in the class table
  uint64_t session = 0;  // how often the pool has been opened for writing
  std::map<std::string, TypeStats> types;
};

// REQUIRES: the caller shares or owns the pool.
Stats stats(heap::Pool& pool);

}  // namespace nvm::collect
