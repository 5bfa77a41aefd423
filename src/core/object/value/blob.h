// Immutable values too large for a cell: each belongs to the one slot that refers to it.
//
// On the medium: one header word, then the content.
//   bits 0..7   BlobType          bits 8..11  character width (str: 1, 2, 4)
//   bit 12      str: all ASCII; integer: negative
//   bits 16..63 length: characters, bytes, or bytes of an integer's magnitude
// A str lies in CPython's canonical form (the narrowest width), so that reading is one copy; an
// integer as its little-endian magnitude without leading zeros; a real as its bits, a complex as
// those of its two parts.
//
// Why a cut is harmless: a blob is written and flushed while nothing refers to it (F2), and never
// changes.
#pragma once

#include <cstdint>

#include "heap/operation.h"
#include "heap/pool.h"
#include "object/value/cell.h"
#include "object/value/value.h"

namespace nvm::object::blob {

enum class BlobType : uint8_t { str = 1, bytes = 2, integer = 3, real = 4, complex = 5 };

// A blob as it lies there, checked: valid until the latch is let go.
struct View {
  BlobType type;
  uint8_t width;
  bool ascii;
  bool negative;
  uint64_t length;
  const char* data;
  uint64_t bytes;  // of data
};
View view(const heap::Pool& pool, Offset blob);  // Error(corrupt) if it is none

// Bytes that it takes, its header included.
uint64_t size_of(const View& view);
// The value; points to the blob. REQUIRES: flaw_of() finds nothing.
Value value_of(const View& view);
// What keeps a blob that can be viewed from being what create() makes of a value, nullptr if
// nothing does: characters in a wider form than they need, leading zeros, a value that fits a cell
// (the names of classes and attributes may be short).
const char* flaw_of(const heap::Pool& pool, Offset blob, bool name = false);
// True if a str of these characters has this width, and is or is not all ASCII.
bool is_canonical(const void* characters, uint64_t length, unsigned width, bool ascii);

// REQUIRES: value is a str, bytes, int64, integer, real or complex.
Offset create(heap::Operation& op, const Value& value);
// Another one with the same content, for another slot.
Offset copy(heap::Operation& op, Offset blob);

}  // namespace nvm::object::blob
