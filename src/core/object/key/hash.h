// 64-bit hashes of values, the same in every process and interpreter, equal for equal keys.
//
//   str, bytes      XXH3 (64 bits, no seed) of the characters as they lie in memory, in the
//                   narrowest width, XOR a constant for each of str of width 1, 2, 4 and bytes
//   numbers         number.h; True is 1 and False is 0
//   None, Ellipsis  a constant
//   tuple           from its elements', by the round of xxHash that CPython uses for tuples
//   frozenset       the sum of its elements' hashes, each scrambled
//   boxed values    transparent: as their key; others: from their key's
//   record          from its offset
//
// They decide the order of a frozenset's elements on the medium, so they are part of the format.
// Nothing recurses: a tuple may be nested as deep as memory allows.
#pragma once

#include <cstdint>

#include "heap/pool.h"
#include "object/key/term.h"

namespace nvm::object {

// The hash of a term; throws Error(type) for a list, dict or set, or what holds one. Frozensets
// among its nodes have their items in canonical order afterwards (see compare.h).
uint64_t hash_of(const heap::Pool& pool, const Term& term);

uint64_t hash_of_str(const Text& text);
uint64_t hash_of_bytes(const Text& text);

// What an index is searched by: mixed with the pool's hash key, 32 bits, never 0.
uint32_t folded(const heap::Pool& pool, uint64_t hash);

}  // namespace nvm::object
