// A hash table of elements, in order of insertion: what Python sees as PersistentSet.
//
// On the medium a set is laid out exactly as a dict (dict.h): header, body, entries and index. Its
// header's type is set, its elements are the keys, and the value of every entry is the constant
// None, so that a blank value is a tombstone here too.
//
// Invariants: the dict's, and
//   1. The value of an entry that is no tombstone is None.
//
// Why a cut is harmless
//   add, discard   the dict's insert and erase, with a value that is always small.
//   the bulk changes   several of these in one operation: as soon as more than one word changes,
//   the
//                  undo log (F3), or one publish where all of it fits (F2).
//
// One operation may add and discard as often as it likes, but elements are discarded before others
// are added: adding may rebuild the body, and with it the numbers by which entries are known.
//
// Threads: callers hold the latch, shared to read, exclusive (an Operation) to change.
#pragma once

#include <cstdint>
#include <span>

#include "heap/operation.h"
#include "heap/pool.h"
#include "object/key/key.h"

namespace nvm::object::set {

using heap::Operation;
using heap::Pool;

using Keys = std::span<const Key>;

// `expected` elements fit without another index.
Offset create(Operation& op, uint64_t expected = 0);
// Adds to a set that this very operation has created: stored at once, as nobody can see it yet.
void fill_fresh(Operation& op, Offset set, const Key& element);

uint64_t size(Pool& pool, Offset set);
bool contains(Pool& pool, Offset set, const Key& element);

// Elements in order of insertion. `position` starts at 0 and is moved on; false at the end.
bool next(Pool& pool, Offset set, uint64_t& position, StoredKey& element);
// The element that was added last; false if the set is empty. Erase it by pop().
bool last(Pool& pool, Offset set, StoredKey& element);

// Both tell whether that changed the set. Throws Error(value) beyond dict::kMaxEntries.
bool add(Operation& op, Offset set, const Key& element);
bool discard(Operation& op, Offset set, const Key& element);
// Removes the last element; false if the set is empty. What it owns is freed with the commit.
bool pop(Operation& op, Offset set);
void clear(Operation& op, Offset set);

// The set becomes its union with the keys, its difference to them, its intersection with them, or
// what is in just one of the two. A key may be given twice.
void update(Operation& op, Offset set, Keys keys);
void difference_update(Operation& op, Offset set, Keys keys);
void intersection_update(Operation& op, Offset set, Keys keys);
void symmetric_difference_update(Operation& op, Offset set, Keys keys);

}  // namespace nvm::object::set
