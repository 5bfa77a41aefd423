// A record: the attributes of one instance of a class (PersistentObject), found through a shape
// that all instances with the same names in the same order share.
//
// On the medium
//   Header { Counted (with the class id); u64 shape (offset, bits 0..47) | inline slots << 48;
//            Offset overflow; Cell slots[inline slots]; }
//   overflow: a blob { u64 capacity; Cell slots[capacity]; } for attributes beyond the inline slots
//   Shape (heap/format.h): append-only, linked per class; shared, never freed.
//   Beyond 128 attributes, or 4,096 shapes of a class, the shape says kShapeDict: slot 0 refers to
//   a dict that holds all attributes.
//
// Invariants, at every instant that a power cut can choose
//   1. A slot below the shape's count is an attribute; a blank one is an attribute that was deleted.
//   2. Slots at and beyond the count own nothing.
//
// Why a cut is harmless
//   read, overwrite    one load; one store (F1) or one publish with the blobs (F2).
//   new attribute      the slot beyond the count, fence, then the shape word, fence (F1); with a
//                      blob or a larger overflow, one publish (F2).
//   delete             a blank cell (F1 or F2).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "heap/operation.h"
#include "heap/pool.h"
#include "object/cell.h"
#include "object/value.h"

namespace nvm::object::record {

struct Header {
  heap::Counted counted;
  uint64_t shape;
  Offset overflow;
  uint64_t slots[];
};

inline constexpr uint64_t kMaxAttributes = 128;
inline constexpr uint64_t kMaxShapes = 4096;

// An instance of the class with this id (class_table.h) with room for the attributes that earlier
// instances ended up with.
Offset create(heap::Operation& op, uint64_t class_id);

uint64_t class_id(heap::Pool& pool, Offset record);
// Names are UTF-8 (surrogatepass). The cell, blank if there is no such attribute.
Cell get(heap::Pool& pool, Offset record, std::string_view name);
void set(heap::Operation& op, Offset record, std::string_view name, const Value& value);
bool erase(heap::Operation& op, Offset record, std::string_view name);
// In order of first assignment, present ones only.
struct Attribute {
  std::string name;
  Cell value;
};
std::vector<Attribute> attributes(heap::Pool& pool, Offset record);

// For inline caches: (shape, slot) of a name, so that a later read of a record with the same shape
// is one load. slot < 0: absent. Shapes' offsets never change within an opening.
struct Place {
  Offset shape;
  int32_t slot;
};
Place find(heap::Pool& pool, Offset record, std::string_view name);
// get() by a Place found before; `hit` is false if the record's shape is another.
Cell get_at(heap::Pool& pool, Offset record, Place place, bool& hit);

bool destroy_step(heap::Operation& op, Offset record);

}  // namespace nvm::object::record
