// Says of a whole pool whether it is sound: what can be reached is intact and counted right, and
// what is allocated can be reached.
//
//   1. Every block that is reached is allocated, and reached once (blobs, bodies) or through
//      references alone (counted objects).
//   2. Every counted object's count is the number of references found.
//   3. An object without references is on limbo, and an object on limbo has none.
//   4. Every allocated block is reached: what is not is a leak. Objects with references that only
//      lie in a cycle with one another are reported apart: they are garbage, not damage.
//   5. Each type's own invariants (trace.h); no value holds itself (value_cycles.h).
//   6. libpmemobj's heap is sound (heap_survey.h); in a pool that is open for writing, the footers
//      of whole chunks too.
//
// Objects without a count that nothing reaches are not followed: what they own is a leak by itself.
//
// Time and memory are proportional to the number of allocated blocks: about 40 bytes each.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "collect/progress.h"
#include "heap/pool.h"
#include "object/trace.h"

namespace nvm::collect {

// How something can be put right without loss, for repair() in repair.h.
struct Mend {
  // In the order in which they have to be taken.
  enum class Kind : uint8_t {
    footer,       // a chunk's header becomes `value`
    index,        // a dict's or set's is built anew
    length,       // of an object: counted anew
    raise,        // an object's count becomes `value`, which is more
    second_slot,  // a slot of limbo names what another one does, and is cleared
    lost_slot,    // a slot of limbo names no object, and is cleared
    lower,        // an object's count becomes `value`, which is not more; if 0, it goes to limbo
    leak,         // a block is freed
  } kind;
  heap::Offset place;  // of the object, block, slot or header
  uint64_t value = 0;
};

struct Finding {
  enum class Kind { damage, count, leak, limbo } kind;
  heap::Offset offset;   // of the block or object concerned, 0: none
  std::string what;      // begins with the path, if there is one
  std::string path;      // of the object or place, as Python writes it; empty: nothing leads there
  std::string repaired;  // what repair() has done about it; empty: nothing
  std::string kept;      // why repair() has done nothing about it; empty: it has, or was not asked
  static constexpr size_t kNoMend = ~size_t{0};
  size_t mend = kNoMend;  // in CheckReport::mends; several findings may share one
};

struct CheckReport {
  std::vector<Finding> findings;     // empty: sound; at most kMostFindings
  std::vector<Mend> mends;           // all, also of what is not among the findings any more
  bool whole = true;                 // all that may refer to something has been read
  bool hidden = false;               // not all, as it lies where only code that is absent can look
  uint64_t objects = 0;              // counted objects reached
  uint64_t blocks = 0;               // allocated blocks in all
  uint64_t cyclic_garbage = 0;       // objects that nothing but themselves keeps alive
  std::vector<heap::Offset> untold;  // objects that `held` does not tell of
  uint64_t memory = 0;               // blocks of a memory manager that no object told of owns
  uint64_t leaks = 0;                // blocks and objects that nothing owns
  uint64_t leaked_bytes = 0;
  static constexpr size_t kMostFindings = 1000;
};

// REQUIRES: the caller surveys the pool (heap::Surveying). `held` tells of objects of classes with
// code of their own. Where one is not told of, or a memory manager's mere memory belongs to none,
// references may lie there that nobody finds: counts that are too high are no finding then.
CheckReport check(heap::Pool& pool, const object::HeldBy& held = {}, const Progress& progress = {});

}  // namespace nvm::collect
