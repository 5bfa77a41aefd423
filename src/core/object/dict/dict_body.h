// How a dict's body is made, grows, is rebuilt without its tombstones, and is freed.
#pragma once

#include <cstdint>

#include "heap/operation.h"
#include "object/dict/dict_table.h"

namespace nvm::object::dict {

// An empty body that `expected` entries fit in without another one.
Offset make_body(Operation& op, uint64_t expected);

// Makes a place for the next entry. True if slots or entries have moved: probe again.
bool make_room(Operation& op, Table& table);
// The same for so many more entries.
void make_room_for(Operation& op, Table& table, uint64_t additional);
// Fills a fresh index, without what aborted inserts left in the old one.
void renew_index(Operation& op, Table& table, unsigned log2);

// The next entry. REQUIRES: make_room(), and a probe that did not find the key.
void append(Operation& op, Table& table, const EntryKey& key, Cell value, const Probe& probe);

// Segments, index and body, not what the entries own.
void free_body(Operation& op, const Table& table);

}  // namespace nvm::object::dict
