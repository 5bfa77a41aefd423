// What an object owns and refers to: the one enumeration that check and collection go by.
#pragma once

#include <string>

#include "heap/pool.h"
#include "object/value/cell.h"

namespace nvm::object {

class Tracer {
 public:
  virtual ~Tracer() = default;
  // A block that this object alone owns (a body, a segment, an index).
  virtual void block(Offset offset) = 0;
  // A filled slot: what it owns or refers to follows from the cell.
  virtual void cell(Cell cell) = 0;
  // Something is wrong with the object itself (an index that misses an entry, ...).
  virtual void damage(const std::string& what) = 0;
};

// Visits all of it, checking the type's own invariants on the way. Throws Error(corrupt) where it
// cannot go on. REQUIRES: the pool does not change meanwhile.
void trace(heap::Pool& pool, Offset object, Tracer& tracer);

// The class table, its names and the shapes.
void trace_classes(heap::Pool& pool, Tracer& tracer);

}  // namespace nvm::object
