// The order of values that equality as keys rests on (see key.h).
//
// It is total, and 0 exactly for equal ones. Frozensets are compared element by element in their
// canonical order: by hash, and among equal hashes by this order. They lie in that order on the
// medium; those that are not stored yet get it from hash_of() (hash.h).
#pragma once

#include "heap/pool.h"
#include "object/key/term.h"

namespace nvm::object {

// REQUIRES: nodes among the terms have been hashed, but for unhashable ones. Does not recurse.
int compare(const heap::Pool& pool, const Term& a, const Term& b);

}  // namespace nvm::object
