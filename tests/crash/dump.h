// The whole content of a pool as text, so that two states can be compared: equal text, equal
// content as a user sees it, sharing included.
#pragma once

#include <string>

#include "heap/pool.h"

namespace nvm::crash {

// What pool.root and the pool's own dict hold, and the blocks of memory managers.
std::string dump(heap::Pool& pool);

}  // namespace nvm::crash
