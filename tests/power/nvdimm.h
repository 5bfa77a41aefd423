// Whether what a pool lies in is persistent memory to everyone who is asked.
#pragma once

#include "heap/pool.h"

namespace nvm::power {

// Throws Error(os) unless the pool got the dax backend by itself, durable; the kernel has mapped
// its file with MAP_SYNC; and libpmem, not forced, takes another file there for persistent memory.
void check_nvdimm(const heap::Pool& pool);

}  // namespace nvm::power
