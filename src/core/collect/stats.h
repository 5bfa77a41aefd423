// How a pool's room is used.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "collect/progress.h"
#include "heap/pool.h"

namespace nvm::collect {

struct TypeStats {
  uint64_t count = 0;
  uint64_t bytes = 0;  // of the objects' blocks, with bodies and large values
};

struct Stats {
  uint64_t size = 0;             // of the file, bytes
  uint64_t limit = 0;            // what it may grow to
  uint64_t allocated_bytes = 0;  // in allocated blocks
  uint64_t free_bytes = 0;       // in free chunks and free units
  uint64_t free_in_chunks = 0;   // of these, in chunks: for blocks of any size
  uint64_t free_in_runs = 0;     // of these, in units: for blocks of the run's size
  uint64_t run_bytes = 0;        // in runs, used or not
  uint64_t largest_free = 0;     // the largest block that fits without growing
  uint64_t objects = 0;
  uint64_t blobs = 0;  // bodies, large values and the like
  uint64_t blob_bytes = 0;
  uint64_t limbo = 0;                      // objects that wait to be freed
  uint64_t classes = 0;                    // in the class table
  uint64_t session = 0;                    // how often the pool has been opened for writing
  std::map<std::string, TypeStats> types;  // by the name of the type, or of a record's class
};

// Walks over the heap once, and looks at each object. What is damaged is counted as far as it can
// be read. `progress` tells of blocks. REQUIRES: the caller shares or owns the pool.
Stats stats(heap::Pool& pool, const Progress& progress = {});

}  // namespace nvm::collect
