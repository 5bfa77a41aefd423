// Keys of dicts and elements of sets: equality and hashes that are the pool's own, so that they are
// the same in every process and interpreter.
//
// Equality is Python's: numbers compare across types (1 == 1.0 == True == 1+0j), exactly; str with
// str, bytes with bytes; tuples and frozensets by their elements; None, Ellipsis and persistent
// objects by identity; a NaN equals a NaN with the same bits; boxed values by their keys (boxed.h).
//
// Hashes: text and bytes by XXH3 of their canonical form, numbers by Python's documented rule
// modulo 2^61 - 1, tuples and frozensets from their elements', persistent objects from their
// offset; mixed with the pool's hash key, folded to 32 bits, never 0. They are no defence against
// chosen keys.
#pragma once

#include <cstdint>

#include "heap/pool.h"
#include "object/value/cell.h"
#include "object/value/value.h"

namespace nvm::object {

// A key as it lies in a pool.
struct StoredKey {
  enum class Kind : uint8_t { cell, str, bytes } kind;
  bool ascii = false;  // str (inline ones are Latin-1 or 2 bytes wide)
  uint8_t width = 1;   // str
  uint8_t length = 0;  // characters or bytes
  const char* data = nullptr;
  Cell cell;  // any other key (long text too: a blob)
};

// A key to look up, with its hash; points into the caller's memory.
class Key {
 public:
  // Throws Error(type) if the value holds a list, dict or set (unhashable).
  Key(const heap::Pool& pool, const Value& value);
  const Value& value() const noexcept { return value_; }
  // It equals keys of other forms, too: those of the value that it is equal to.
  bool boxed() const noexcept { return boxed_; }
  uint32_t hash() const noexcept { return hash_; }
  bool equals(const heap::Pool& pool, const StoredKey& stored) const;

 private:
  Value value_;
  Value compared_;  // value_, or what it is equal to if it is a transparent boxed value
  bool boxed_;
  uint32_t hash_;
};

// The hash of a key as it lies there (rebuild).
uint32_t hash_of(const heap::Pool& pool, const StoredKey& key);
// A stored key as a value, which points to where it lies.
Value value_of(const heap::Pool& pool, const StoredKey& key);
// A total order in which 0 means equal (compare.h).
int compare(const heap::Pool& pool, const StoredKey& a, const StoredKey& b);
// Whether two values, one of them stored, are equal as keys.
bool equal(const heap::Pool& pool, const Value& value, Cell stored);

}  // namespace nvm::object
