// An insertion-ordered hash table: what Python sees as PersistentDict.
//
// On the medium (dict_layout.h has every byte)
//   Header { Counted; Offset body; u32 session; ... }; everything else hangs from the body, so
//     that one word swaps it (clear, rebuild).
//   Body { u64 used; u64 deleted; u64 index; u64 room; } and behind it 3, 7 or 15 entries and no
//     index, or a directory of entry segments that are never copied; the index is an array of slots
//     of 8 bytes, {hash, number + 1}. `deleted` = deletions << 32 | number + 1 of the last one.
//   Entry (32 bytes, within one cache line) { Cell value; u32 hash; u8 kind and length; key[19] }
//     short str and bytes keys lie in the entry; any other key is a cell at byte 16.
//
// Invariants, at every instant that a power cut can choose
//   1. Entries below `used` are valid (hash word not 0) but for the last one right after a cut; an
//      entry with a blank value is a tombstone. `len` is used minus deletions.
//   2. The rule of slots: a slot counts only if its number is below `used` and its hash bits equal
//      the entry's; lookups pass over others, inserts may take those whose number is not used; a
//      probe ends after all slots. Every entry that is no tombstone has a slot that counts.
//   3. Each entry that is no tombstone owns its key's and value's blobs, or one count each.
//   4. Hash words are stored last and are never 0; fresh segments and indexes are zero.
//   5. The entry that `deleted` names, if it is below `used`, is or is to be a tombstone.
//
// Why a cut is harmless
//   insert      value, key, then mark; flush; slot, flush; used + 1, flush; one fence (F1). settle
//               drops an unmarked last entry and adds a missing slot of the last one; nothing else
//               can be uncertain. If the place is not blank (after an abort, or an erase of the
//               last entry): mark := 0, fence first.
//   insert with owned blobs   entry and slot flushed, then one publish {blobs, used} (F2).
//   overwrite   one store of the value cell (F1), or one publish with the blobs (F2).
//   erase       the deletion word (count + 1, entry number), fence, then the tombstone, fence (F1);
//               settle completes it. With owned blobs: one publish (F2). The last entry leaves no
//               tombstone: `used` is lowered to it (F1), and past tombstones before it (F3), so
//               that popping from the end never walks over what was popped.
//   grow, rebuild, clear   a new segment, index or body is filled, fenced, then published (F2).
//   undo        entries at and beyond `used` and slots naming them are mere leavings after a roll
//               back. Within a transaction such a place may have been in use when it began (erase
//               of the last entry): there what is not blank is logged before it is stored to.
//
// When tombstones exceed live entries, the next insert rebuilds the body without them: numbers
// start again, and a queue (insert at the end, erase the first) stays as large as what is in it.
// Erasing never allocates.
//
// Threads: callers hold the latch, shared to read, exclusive (an Operation) to change.
// Every function settles the dict first. The functions that take a Pool see what is committed to
// memory, not what an Operation in progress is going to set.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "heap/operation.h"
#include "heap/pool.h"
#include "object/dict/dict_layout.h"
#include "object/key/key.h"
#include "object/trace.h"
#include "object/value/cell.h"
#include "object/value/value.h"

namespace nvm::object::dict {

using heap::Operation;
using heap::Pool;

// `expected` entries fit without another index. The type is dict, or set (set.h).
Offset create(Operation& op, uint64_t expected = 0, heap::Type type = heap::Type::dict);

uint64_t size(Pool& pool, Offset dict);
// The value's cell, blank if the key is absent.
Cell get(Pool& pool, Offset dict, const Key& key);

// Entries in order of insertion. `position` starts at 0 and is moved on; false at the end.
// Positions stay valid until the dict is rebuilt (body_version() changes then); used with an older
// one, entries may be met twice or missed, nothing worse. For many at once: dict_walk.h.
struct Item {
  uint64_t number;
  Cell value;
};
bool next(Pool& pool, Offset dict, uint64_t& position, Item& item);
bool previous(Pool& pool, Offset dict, uint64_t& position, Item& item);  // starts at used()
uint64_t used(Pool& pool, Offset dict);
uint64_t body_version(Pool& pool, Offset dict);  // the body's offset
// The key of an entry that next(), previous() or find() gave, as stored.
StoredKey key_at(Pool& pool, Offset dict, uint64_t number);
std::optional<Item> find(Pool& pool, Offset dict, const Key& key);

// Inserts or overwrites. Returns true if the key was new. The stored key of an overwritten entry
// stays, as in Python. Throws Error(value) beyond kMaxEntries.
bool set(Operation& op, Offset dict, const Key& key, const Value& value);
// Inserts unless the key is there: true if it was new.
bool insert(Operation& op, Offset dict, const Key& key, const Value& value);
// Makes room for so many inserts at once; worth it before many of them in one operation.
void reserve(Operation& op, Offset dict, uint64_t additional);
// set() for a dict that this very operation has created, with a cell made by make_cell(): stored at
// once, since nothing refers to it yet.
void fill_fresh(Operation& op, Offset dict, const Key& key, Cell value);
// False if the key is absent. What the entry owns is freed with the commit (read it before).
bool erase(Operation& op, Offset dict, const Key& key);
// REQUIRES: `number` from next(), previous() or find(), with no change since.
void erase_entry(Operation& op, Offset dict, uint64_t number);
void clear(Operation& op, Offset dict);

// Brings what set(), insert() and find() read first for these keys into the processor's caches, all
// of it at once: lines of the index, which lie anywhere, and of entries.
void prefetch(Operation& op, Offset dict, std::span<const Key> keys);
// Calls change(i) for each keys[i] in order, some of them prefetched at a time.
template <class Change>
void in_turn(Operation& op, Offset dict, std::span<const Key> keys, Change change) {
  constexpr size_t prefetched = 32;  // two lines of each are well below a core's first cache
  for (size_t i = 0; i < keys.size(); ++i) {
    if (i % prefetched == 0)
      prefetch(op, dict, keys.subspan(i, std::min(prefetched, keys.size() - i)));
    change(i);
  }
}

// One step of freeing an unreferenced dict; true when it is gone.
bool destroy_step(Operation& op, Offset dict);

// Tells every block and cell that the dict owns, and what is wrong with it in itself (trace.h).
void trace(Pool& pool, Offset dict, Tracer& tracer);
// Repairs, by what the entries say (Flaw in trace.h): a new index, in one publish (F2); the number
// of deletions, one word (F1).
void renew_index(Operation& op, Offset dict);
void count_deletions(Operation& op, Offset dict);

}  // namespace nvm::object::dict
