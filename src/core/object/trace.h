// What an object owns and refers to: the one enumeration that check and collection go by.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "heap/operation.h"
#include "heap/pool.h"
#include "object/value/cell.h"

namespace nvm::object {

// Where in an object a cell lies.
struct Slot {
  enum class Kind : uint8_t { none, item, element, key, value, attribute };
  Kind kind = Kind::none;
  uint64_t number = 0;  // an index, the number of an entry, or that of an attribute's slot
};

// What an object of a class with code of its own (raw/raw.h) refers to and owns, as its class says.
struct Held {
  std::vector<Offset> references;
  std::vector<Offset> blocks;
};
using HeldBy = std::unordered_map<Offset, Held>;  // by the object's head

// What is wrong with an object, as far as mend() needs to know.
enum class Flaw : uint8_t {
  other,   // what is right cannot be known
  index,   // a dict's or set's index misses an entry, which is whole itself
  length,  // a number of cells or entries is not what these show
};

class Tracer {
 public:
  virtual ~Tracer() = default;
  // A block that this object alone owns (a body, a segment, an index), and how much of it the
  // object uses. False: it must not be read, because it is not the object's or is too short.
  virtual bool block(Offset offset, uint64_t bytes = 0) = 0;
  // The object itself takes so many bytes. False: its block is shorter, it must not be read.
  virtual bool extent(uint64_t /*bytes*/) { return true; }
  // A filled slot: what it owns or refers to follows from the cell.
  virtual void cell(Cell cell, Slot slot = {}) = 0;
  // Something is wrong with the object itself (an index that misses an entry, ...).
  virtual void damage(const std::string& what, Slot slot = {}, Flaw flaw = Flaw::other) = 0;
  // What the object at `head` holds; nullptr: nobody knows.
  virtual const Held* held(Offset /*head*/) { return nullptr; }
  // False: only what is owned and referred to matters, not whether the rest is sound.
  virtual bool examines() const { return true; }
};

// Visits all of it, checking the type's own invariants on the way. Throws Error(corrupt) where it
// cannot go on. REQUIRES: the pool does not change meanwhile.
void trace(heap::Pool& pool, Offset object, Tracer& tracer);

// Puts right what trace() has told as a flaw of this kind, but Flaw::other. Nothing that can be
// read is lost.
void mend(heap::Operation& op, Offset object, Flaw flaw);

// The class table, its names and the shapes.
void trace_classes(heap::Pool& pool, Tracer& tracer);

}  // namespace nvm::object
