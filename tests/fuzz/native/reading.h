// Reads everything in a pool, through all that the core offers for it.
#pragma once

#include "heap/pool.h"

namespace nvm::fuzz {

// Throws the first Error that it meets, after having read the rest. REQUIRES: the caller shares the
// latch.
void read_all(heap::Pool& pool);

}  // namespace nvm::fuzz
