// Immutable sequences and sets of cells: what an assigned tuple or frozenset is stored as, and what
// Python sees as PersistentTuple and PersistentFrozenSet. These differ by their types alone: they
// come back as objects with an identity.
//
// On the medium: { Counted; u64 length | flags << 48; Cell cells[length]; }, written once before
// anyone refers to it. A frozenset's elements lie in an order of their own (by hash, see hash.h),
// so that equal sets of elements lie alike. A tuple with a class id is a named tuple: equal to a
// plain one. Only boxed values (object/boxed/boxed.h), which are laid out like this too, have
// flags.
//
// Why a cut is harmless: it is filled and flushed while nothing refers to it (F2).
#pragma once

#include <cstdint>
#include <span>

#include "heap/operation.h"
#include "heap/pool.h"
#include "object/value/cell.h"
#include "object/value/value.h"

namespace nvm::object::tuple {

struct Header {
  heap::Counted counted;
  uint64_t length;  // and flags
  uint64_t cells[];
};

// A tuple, frozenset or boxed value without its elements: they must be given by fill() in the same
// operation.
Offset create(heap::Operation& op, heap::Type type, uint64_t length, uint64_t class_id = 0,
              uint16_t flags = 0);
// The cells, made by make_cell() and as many as create() was told.
void fill(heap::Operation& op, Offset tuple, std::span<const uint64_t> cells);

inline bool is_tuple(heap::Type type) {
  return type == heap::Type::tuple || type == heap::Type::persistent_tuple;
}
inline bool is_frozenset(heap::Type type) {
  return type == heap::Type::frozenset || type == heap::Type::persistent_frozenset;
}

// The elements, checked; valid until the latch is let go. For all of these types.
std::span<const uint64_t> cells(const heap::Pool& pool, Offset tuple);
uint16_t flags(const heap::Pool& pool, Offset tuple);
// Of the class table; 0: it has no class.
uint64_t class_id(const heap::Pool& pool, Offset tuple);

// Whether a frozenset has an element equal to this value, which is hashable. Looks at a logarithmic
// number of them.
bool holds(const heap::Pool& pool, Offset frozenset, const Value& value);

bool destroy_step(heap::Operation& op, Offset tuple);

}  // namespace nvm::object::tuple
