// Values on their way into a pool: what an interpreter's objects are turned into before any lock
// is taken. They point into the caller's memory (the characters of a str and the like), which must
// outlive them.
//
// A Graph is a value with the containers inside it, sharing and cycles included: each container is
// a Node, stored once however often it is referred to.
#pragma once

#include <cstdint>
#include <deque>
#include <string_view>
#include <vector>

#include "heap/format.h"
#include "object/value/cell.h"

namespace nvm::object {

struct Node;

struct Value {
  enum class Kind : uint8_t {
    cell,     // fits a cell as it is
    str,      // data, length characters, width 1, 2 or 4 bytes each (the narrowest that fits)
    bytes,    // data, length bytes
    int64,    // an integer in `low` that fits no cell (two's complement)
    integer,  // data: little-endian magnitude of `length` bytes without leading zeros; negative
    real,     // a NaN with a payload: bits in `low`
    complex,  // bits of the real part in `low`, of the imaginary in `high`
    node,     // a container or tuple that is to be stored with it
    object,   // a persistent object of this pool: `offset`
  };
  Kind kind = Kind::cell;
  uint8_t width = 1;      // str
  bool ascii = false;     // str: all characters are below 128
  bool negative = false;  // integer
  union {
    uint64_t low = 0;
    const void* data;
    Node* node;
    Offset offset;
    uint64_t bits;  // of the cell
  };
  union {
    uint64_t high = 0;
    uint64_t length;
  };

  static Value of(Cell cell) {
    Value value;
    value.bits = cell.bits();
    return value;
  }
  // The shortest form: a cell where the text or number fits one. A str's width must be the
  // narrowest that holds its characters.
  static Value str(const void* data, uint64_t length, unsigned width, bool ascii);
  static Value bytes_of(const void* data, uint64_t length);
  static Value real_of(double value);
  static Value complex_of(double real, double imaginary);
  static Value integer_of(int64_t value);
  // Of any size; leading zeros (the last bytes) are left out.
  static Value big_integer(const void* magnitude, uint64_t length, bool negative);
  static Value object_at(Offset offset) {
    Value value;
    value.kind = Kind::object;
    value.offset = offset;
    return value;
  }
  static Value of(Node* node) {
    Value value;
    value.kind = Kind::node;
    value.node = node;
    return value;
  }
};

struct Node {
  heap::Type type;           // of a container
  std::vector<Value> items;  // dict: key, value, key, value, ...; bytearray: its bytes, as one
  Offset stored = 0;         // set while it is stored
  // Set by hash_value() (hash.h), which also puts a frozenset's items into their canonical order.
  bool hashed = false;
  uint64_t hash = 0;
  // Of named tuples and boxed values: "module:qualname", UTF-8; points into the caller's memory.
  std::string_view class_name = {};
  uint16_t flags = 0;  // of boxed values: see boxed.h
};

struct Graph {
  Value root;
  std::deque<Node> nodes;  // stable addresses
};

}  // namespace nvm::object
