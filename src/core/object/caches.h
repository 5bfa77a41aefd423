// What the object layer knows of an open pool for as long as it is open.
#pragma once

#include "heap/pool.h"
#include "object/key/hash_cache.h"
#include "object/record/shape.h"

namespace nvm::object {

struct Caches {
  ShapeCache shapes;
  HashCache hashes;
};

inline Caches& caches(const heap::Pool& pool) { return pool.attachment<Caches>(); }

}  // namespace nvm::object
