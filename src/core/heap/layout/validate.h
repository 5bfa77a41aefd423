// Looks through a pool file before anything in it is believed.
//
// libpmemobj trusts what it opens: damaged or crafted files make it crash, hang, or write anywhere.
// So the file is mapped privately, recovered there as libpmemobj would (lane_logs.h), and checked:
// header and descriptor, every lane's logs, each zone's chain of chunks, the root object. Takes
// milliseconds for any size: nothing inside chunks is read.
#pragma once

#include <cstdint>
#include <string>

#include "heap/format.h"
#include "heap/layout/lane_logs.h"

namespace nvm::heap {

struct Validated {
  LaneReport lanes;
  Offset root = 0;    // the RootObject
  uint64_t size = 0;  // bytes of the file that are the pool's
};

// The pool at [base, base + file_size), private memory that is recovered thereby. Throws
// Error(corrupt), Error(layout).
Validated validate(char* base, uint64_t file_size, const std::string& file);

// The root object in libpmemobj's root allocation. Throws Error(corrupt) if there is none.
Offset find_root(const char* base, uint64_t size, const std::string& file);

}  // namespace nvm::heap
