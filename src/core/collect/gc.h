// Frees the objects that only keep one another alive: cycles, by mark and sweep.
//
// Reference counts free everything else at once, so this needs to run only where a program makes
// cycles and forgets them.
//
// How
//   mark    From the roots (pool.root, the pool's own dict, what is on limbo, what a handle has
//           pinned) every object that references lead to is reached. What is left is garbage: since
//           the caller owns the pool, nobody can reach it any more. References are counted on the
//           way, among the garbage too.
//   repair  Garbage whose count is wrong gets the right one (orphans), so that the sweep can rely
//           on counts; what has none then goes to limbo.
//   sweep   Each garbage container is cleared, as its own clear() would do it. That breaks every
//           cycle, since tuples and frozensets can be in one only together with a container; the
//           counts that reach zero free the rest.
//
// Invariants
//   1. Nothing that a root leads to is changed.
//   2. At every instant the pool is sound: counts are right, limbo holds what has none.
//   3. A garbage object that has been freed is not looked at again: before each step it must still
//      be a block of its type whose count is not zero (a fresh object's count is zero).
//
// Why a cut is harmless: repair, clear and the freeing are operations of their own, each there or
// not. What a cut leaves of the garbage is garbage still, with the right counts, and goes with the
// next collection; what had reached limbo is freed at open.
//
// A damaged pool is left alone: where an object cannot be read, what it refers to would look like
// garbage. Time: one walk over the heap, one look at each object. Memory: 16 bytes an object, and
// 8 for each that is waiting to be looked at.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "collect/progress.h"
#include "heap/pool.h"
#include "object/trace.h"

namespace nvm::collect {

struct GcReport {
  // Objects that live, by the name of their type or class; large values too.
  std::map<std::string, uint64_t> types;
  uint64_t containers_total = 0;  // objects that can refer to others, before the collection
  uint64_t containers_live = 0;   // of these, what a root leads to
  uint64_t other_total = 0;       // values in blocks of their own (long str, int, ...), bytearrays
  uint64_t other_live = 0;
  uint64_t orphans_uncounted = 0;   // freed: count zero, and not on limbo
  uint64_t orphans_miscounted = 0;  // freed: another count than references to it
  uint64_t collections = 0;         // freed: objects that only a cycle kept alive
  // Objects of classes with code of their own that `held` does not tell of. If there are any,
  // nothing has been done.
  std::vector<heap::Offset> untold;
  // Garbage of such classes: they have to let go what they hold.
  std::vector<heap::Offset> heads;
  // The garbage, if asked for: its first kMostMet objects.
  struct Met {
    heap::Offset offset;
    std::string type;
  };
  std::vector<Met> met;
  static constexpr size_t kMostMet = 1000;
};

// REQUIRES: the caller surveys the pool (heap::Surveying), which is writable. Throws
// Error(corrupt), with nothing freed, if the pool is damaged; Error(full) if what is left can only
// be freed with more room; what `progress` throws, which ends the collection between two steps.
// `progress` counts objects. `held` tells of each object of a class with code of its own.
GcReport gc(heap::Pool& pool, const object::HeldBy& held = {}, const Progress& progress = {},
            bool list_garbage = false);

}  // namespace nvm::collect
