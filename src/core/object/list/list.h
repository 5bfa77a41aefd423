// A growable array of cells: what Python sees as PersistentList.
//
// On the medium
//   ListHeader { Counted; u64 size; Offset body; u32 session; u32 reserved; ... }  one cache line
//     together with libpmemobj's compact header
//   ListBody   { u64 capacity; Cell cells[capacity]; }   0: no body yet
//
// Invariants, at every instant that a power cut can choose
//   1. size <= capacity of body. Cells at and beyond size own nothing.
//   2. Each cell below size owns its blob or holds one count of its object; it is not blank,
//      except the last one right after a cut (see append).
//   3. One header names a body.
//   4. `session` is that of the last opening in which this list was settled: if it is not the
//      present one, the last cell is looked at before anything else (settle).
//
// Why a cut is harmless
//   append             stores the cell, then size + 1, flushes both, one fence (F1). Only `size`
//                      arriving shows as a blank last cell: settle drops it. If the spare cell is
//                      not blank (after a pop or an abort), it is fenced first.
//   append, owned      cell flushed; then one publish of {blob, size} (F2).
//   grow               the cells are copied to a reserved body; publish {body, size, old body's
//                      free} (F2).
//   overwrite          one store (F1), or one publish of {new blob, cell, old blob's free} (F2).
//   pop                one store of size (F1), or one publish with the free (F2). A body of which
//                      less than a quarter is left is replaced by a smaller one (F2), as in grow.
//   clear              the body moves to a fresh list on limbo, which is freed in steps (F2).
//   insert, del, slices, reverse, sort   the moved cells are logged as one range (F3).
//
// One operation may append to a list several times, or set several of its cells; any other change
// must be the operation's only one of that list.
//
// Threads: callers hold the latch, shared to read, exclusive (an Operation) to change.
// Every function settles the list first. Indexes are checked: Error(index) where one is wrong.
#pragma once

#include <cstdint>
#include <span>

#include "heap/operation.h"
#include "heap/pool.h"
#include "object/value/cell.h"
#include "object/value/value.h"

namespace nvm::object::list {

using heap::Operation;
using heap::Pool;

struct Header {
  heap::Counted counted;
  uint64_t size;
  Offset body;
  uint32_t session;
  uint32_t reserved0;
  uint64_t reserved1[2];
};
struct Body {
  uint64_t capacity;
  uint64_t cells[];
};

Offset create(Operation& op, uint64_t capacity = 0);
// Gives a list that this very operation created, without capacity, its cells (made by make_cell):
// direct stores, as nobody can see it yet.
void fill_fresh(Operation& op, Offset list, std::span<const uint64_t> cells);

uint64_t size(Pool& pool, Offset list);
Cell get(Pool& pool, Offset list, uint64_t index);
// The cells as they lie there; valid until the latch is let go.
std::span<const uint64_t> cells(Pool& pool, Offset list);

void append(Operation& op, Offset list, const Value& value);
void set(Operation& op, Offset list, uint64_t index, const Value& value);
void insert(Operation& op, Offset list, uint64_t index, const Value& value);
// Removes the last cell; what it owns is freed with the commit (read it before).
void pop(Operation& op, Offset list);
// Replaces [begin, end) by `values` (their number may differ); del and slice assignment with step
// 1, extend, insert of several.
void splice(Operation& op, Offset list, uint64_t begin, uint64_t end,
            std::span<const Value> values);
// Extended slices: element begin + k * step for k in [0, count).
void set_strided(Operation& op, Offset list, uint64_t begin, int64_t step,
                 std::span<const Value> values);
void erase_strided(Operation& op, Offset list, uint64_t begin, int64_t step, uint64_t count);
void reverse(Operation& op, Offset list);
// Puts cell order[i] of the old list at place i; `order` is a permutation (for sort).
void permute(Operation& op, Offset list, std::span<const uint64_t> order);
// list *= times; times 0 clears.
void repeat(Operation& op, Offset list, uint64_t times);
void clear(Operation& op, Offset list);

// One step of freeing an unreferenced list; true when it is gone.
bool destroy_step(Operation& op, Offset list);

}  // namespace nvm::object::list
