// A value seen the same way whether it is on its way into a pool or lies there already: what hash.h
// and key.h compute with. Valid as long as what it points to: the caller's memory, or the latch.
#pragma once

#include <cstdint>
#include <string>

#include "heap/pool.h"
#include "object/key/number.h"
#include "object/value/cell.h"
#include "object/value/value.h"

namespace nvm::object {

// The characters of a str or the bytes of a bytes.
struct Text {
  const void* data;
  uint64_t length;
  unsigned width;  // bytes of a character
  uint64_t bytes() const { return length * width; }
};

struct Term {
  enum class Kind : uint8_t {
    constant,  // None, Ellipsis
    number,    // True and False too
    str,
    bytes,
    tuple,
    frozenset,
    identity,    // a record, or the head of an object (raw.h): equal only to itself
    unhashable,  // a list, dict, set, bytearray or boxed value without a key
    scoped,      // a boxed value that is equal to its like only: a container of its key
  };
  Kind kind = Kind::constant;
  heap::Type type = heap::Type::none;  // unhashable: of what
  uint8_t width = 1;                   // str
  uint64_t bits = 0;           // constant: the cell; str, bytes: the cell if data is nullptr
  const void* data = nullptr;  // str, bytes
  uint64_t length = 0;         // str: characters; bytes; containers: elements
  Node* node = nullptr;        // a container or unhashable that is not stored yet
  Offset offset = 0;           // otherwise the object
  Number number;

  static Term of(const heap::Pool& pool, const Value& value);
  // Throws Error(corrupt) for what no value is stored as.
  static Term of(const heap::Pool& pool, Cell cell);

  bool is_container() const {
    return kind == Kind::tuple || kind == Kind::frozenset || kind == Kind::scoped;
  }
  // REQUIRES: is_container(), index < length.
  Term element(const heap::Pool& pool, uint64_t index) const;
  // A container's name among all, stored or not.
  uint64_t identity() const;
  // REQUIRES: a str or bytes. Points into this Term if the characters lie in a cell.
  Text text() const { return {data != nullptr ? data : &bits, length, width}; }
  // REQUIRES: unhashable. Says so as the interpreter does, where it would.
  std::string why_unhashable() const;
};

}  // namespace nvm::object
