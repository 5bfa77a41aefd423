// A record: the attributes of one instance of a class (PersistentObject), found through a shape
// that all instances with the same names in the same order share.
//
// On the medium
//   Header { Counted (with the class id); u64 shape (offset, bits 0..47) | inline slots << 48;
//            Offset overflow; Cell slots[inline slots]; }
//   overflow: a blob { u64 capacity; Cell slots[capacity]; } for attributes beyond the inline slots
//   Shape (heap/format.h): append-only, linked per class; shared, never freed. 0: no attributes.
//   Beyond 128 attributes, or 4,096 shapes of a class, the shape says kShapeDict: slot 0 refers to
//   a dict that holds all attributes.
//
// Invariants, at every instant that a power cut can choose
//   1. A slot below the shape's count is an attribute, or was: a blank one is deleted.
//   2. Slots at and beyond the count own nothing, and none of them comes back to life when
//      something is undone: a record's count only grows.
//   3. The shape's class is the record's.
//
// Why a cut is harmless
//   read, overwrite    one load; one store (F1) or one publish with the blobs (F2).
//   new attribute      the slot beyond the count, fence, then the shape word, fence (F1); with a
//                      blob, a new shape or a larger overflow, one publish (F2).
//   delete             a blank cell (F1 or F2). The attribute keeps its slot and its place in the
//                      order.
//   clear              several attributes become blank at once, with what they owned and referred
//                      to (F2, F3): as if they had been deleted.
//   change to a dict   the dict is filled while nothing refers to it; then slot 0, the shape and
//                      the overflow's free in one publish or in the undo log (F2, F3).
//
// Threads: callers hold the latch, shared to read, exclusive (an Operation) to change. The
// functions that take a Pool see what is committed to memory, not what an Operation is going to
// set.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "heap/operation.h"
#include "heap/pool.h"
#include "object/record/shape.h"
#include "object/trace.h"
#include "object/value/cell.h"
#include "object/value/value.h"

namespace nvm::object::record {

struct Header {
  heap::Counted counted;
  uint64_t shape;
  Offset overflow;
  uint64_t slots[];
};

// An instance of the class with this id (class_table.h) with room for the attributes that earlier
// instances ended up with.
Offset create(heap::Operation& op, uint64_t class_id);

uint64_t class_id(heap::Pool& pool, Offset record);
// Names are UTF-8 (surrogatepass). The cell, blank if there is no such attribute.
Cell get(heap::Pool& pool, Offset record, std::string_view name);
// Throws Error(value) if the name is new and no UTF-8.
void set(heap::Operation& op, Offset record, std::string_view name, const Value& value);
bool erase(heap::Operation& op, Offset record, std::string_view name);
// In order of first assignment, present ones only.
struct Attribute {
  std::string name;
  Cell value;
};
std::vector<Attribute> attributes(heap::Pool& pool, Offset record);

// For inline caches: (shape, slot) of a name, so that a later read of a record with the same shape
// is one load. Shapes' offsets never change within an opening; a Place that was found in a
// transaction which is then undone must be forgotten (Pool::undo_epoch()).
struct Place {
  static constexpr int32_t kAbsent = -1;
  static constexpr int32_t kInDict = -2;  // only get() and set() will do
  Offset shape;
  int32_t slot;
};
Place find(heap::Pool& pool, Offset record, std::string_view name);
// get() by a Place found before; `hit` is false if the record's shape is another.
Cell get_at(heap::Pool& pool, Offset record, Place place, bool& hit);
// set() of an attribute that is there; false if the record's shape is another.
bool set_at(heap::Operation& op, Offset record, Place place, const Value& value);

// How Python writes the attribute of a slot: ".name". Error(corrupt) if there is none.
std::string name_of_slot(heap::Pool& pool, Offset record, uint64_t slot);

bool destroy_step(heap::Operation& op, Offset record);
// One step of deleting all attributes that own or refer to something; true when none is left. Those
// in a dict stay: that is an object like any other.
bool clear_step(heap::Operation& op, Offset record);
void trace(heap::Pool& pool, Offset record, Tracer& tracer);

}  // namespace nvm::object::record
