// An insertion-ordered hash table: what Python sees as PersistentDict.
//
// On the medium
//   DictHeader { Counted; Offset body; u32 session; ... }; everything else hangs from the body, so
//     that one word swaps it (clear, rebuild).
//   Body { u64 used; u64 deleted; u64 index; u64 capacity; Offset segments[]; Entry inline[] }
//     a small one (up to 7 entries) has its entries inline and no index; a larger one has entry
//     segments that are never copied, and an index of 8-byte slots {hash, number + 1}.
//     `deleted` = number of deletions << 32 | entry number + 1 of the last one.
//   Entry (32 bytes, within one cache line) { Cell value; u32 hash; u8 kind and length; key[19] }
//     short str and bytes keys lie in the entry; any other key is a cell at byte 16.
//
// Invariants, at every instant that a power cut can choose
//   1. Entries below `used` are valid (hash word not 0) but for the last one right after a cut; an
//      entry with a blank value is a tombstone. `len` is used minus deletions.
//   2. The rule of slots: a slot counts only if its number is below `used` and its hash bits equal
//      the entry's; lookups pass over others, inserts may take them; a probe ends after `capacity`
//      slots.
//   3. Each entry that is no tombstone owns its key's and value's blobs, or one count each.
//   4. Hash words are stored last and are never 0; fresh segments are zero.
//
// Why a cut is harmless
//   insert      value, key, then mark; flush; used + 1, flush; slot, flush; one fence (F1). settle
//               drops an unmarked last entry and adds a missing slot of the last one; nothing else
//               can be uncertain. If the place is not blank (after an abort): mark := 0, fence first.
//   insert with owned blobs   entry and slot flushed, then one publish {blobs, used} (F2).
//   overwrite   one store of the value cell (F1), or one publish with the blobs (F2).
//   delete      the deletion word (count + 1, entry number), fence, then the tombstone, fence (F1);
//               settle completes it. With owned blobs: one publish (F2).
//   grow, rebuild, clear   a new segment, index or body is filled, fenced, then published (F2).
//
// Threads: callers hold the latch, shared to read, exclusive (an Operation) to change.
// Every function settles the dict first.
#pragma once

#include <cstdint>
#include <optional>

#include "heap/operation.h"
#include "heap/pool.h"
#include "object/cell.h"
#include "object/key.h"
#include "object/value.h"

namespace nvm::object::dict {

using heap::Operation;
using heap::Pool;

struct Header {
  heap::Counted counted;
  Offset body;
  uint32_t session;
  uint32_t reserved;
};

Offset create(Operation& op, uint64_t expected = 0);
// Adds an entry to a dict that this very operation created: direct stores and written(), no set(),
// as nobody can see it yet. `value` comes from make_cell(), so it is counted already; a key that is
// there gets the new value, and the old one is released.
void fill_fresh(Operation& op, Offset dict, const Key& key, Cell value);

uint64_t size(Pool& pool, Offset dict);
// The value's cell, blank if the key is absent.
Cell get(Pool& pool, Offset dict, const Key& key);

// Entries in order of insertion. `position` starts at 0 and is moved on; false at the end.
// Positions stay valid until the dict is rebuilt (version() changes then).
struct Item {
  uint64_t number;
  Cell value;
};
bool next(Pool& pool, Offset dict, uint64_t& position, Item& item);
bool previous(Pool& pool, Offset dict, uint64_t& position, Item& item);  // starts at used()
uint64_t used(Pool& pool, Offset dict);
uint64_t body_version(Pool& pool, Offset dict);  // the body's offset
// The key of an entry that next() gave, as stored.
StoredKey key_at(Pool& pool, Offset dict, uint64_t number);

// Inserts or overwrites. Returns true if the key was new. The stored key of an overwritten entry
// stays, as in Python.
bool set(Operation& op, Offset dict, const Key& key, const Value& value);
// False if the key is absent. What the entry owns is freed with the commit (read it before).
bool erase(Operation& op, Offset dict, const Key& key);
void erase_entry(Operation& op, Offset dict, uint64_t number);
void clear(Operation& op, Offset dict);

// One step of freeing an unreferenced dict; true when it is gone.
bool destroy_step(Operation& op, Offset dict);

}  // namespace nvm::object::dict
