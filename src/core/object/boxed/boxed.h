// A boxed value: an immutable one of a type that the core does not know (a date, a Decimal, a
// member of an enum, an instance of a class of the user's). What it is made from again lies beside
// what it is equal by.
//
// On the medium: laid out as a tuple (object/tuple/tuple.h) with the id of its class,
//   { Counted; u64 length | flags << 48; Cell state; Cell key; }
//   length  2, or 1 for a value without a key, which cannot be a key of a dict
//   flags   bits 0..2 the Form, bit 3 kTransparent
//
// Invariants
//   1. state is any value: what the interpreter makes the value from.
//   2. A transparent one's key is a number, str or bytes. It is equal to that value and hashes as
//      it does: an IntEnum as its int, a Decimal of 1.5 as the float.
//   3. Any other one's key is a tuple. It is equal only to boxed values that are not transparent
//      and whose keys are equal, whatever their classes (a PosixPath and a PurePosixPath): the
//      tuple's first element says what equality it is (see docs/format.md).
//
// Why a cut is harmless: as a tuple, it is filled and flushed while nothing refers to it (F2), and
// never changes.
#pragma once

#include <cstdint>

#include "heap/pool.h"
#include "object/value/cell.h"
#include "object/value/value.h"

namespace nvm::object::boxed {

// What the class of a boxed value has to be for the interpreter to make the value.
enum class Form : uint8_t {
  standard = 1,  // of the interpreter's own library, under a fixed name
  enumeration,   // state: the member's name, or the value of a flag
  dataclass,     // state: a tuple of names and values of its fields
  registered,    // state: what the user's function has given
  pickled,       // state: bytes of a pickle
};
inline constexpr uint16_t kFormMask = 7;
inline constexpr uint16_t kTransparent = 8;

// As it lies there, checked: valid until the latch is let go.
struct View {
  Form form;
  bool transparent;
  uint64_t class_id;
  Cell state;
  Cell key;  // blank: it has none
};
View view(const heap::Pool& pool, Offset offset);  // Error(corrupt) if it is none

// The items of a node of Type::boxed: state, and key unless it has none.
inline constexpr uint64_t kState = 0;
inline constexpr uint64_t kKey = 1;
inline bool has_key(const Node& node) { return node.items.size() > kKey; }
inline bool is_transparent(const Node& node) { return (node.flags & kTransparent) != 0; }

}  // namespace nvm::object::boxed
