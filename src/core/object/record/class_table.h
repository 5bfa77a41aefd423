// The classes whose instances live in the pool: id <-> "module:qualname". Append-only.
//
// On the medium (heap/format.h): the root object refers to a ClassTable and counts its entries; an
// entry names a class and links its shapes. Entries beyond the count are blank or undone.
//
// Why a cut is harmless: a new entry is written beyond the count, and published with its name and
// the count, and with the larger table if it needs one (F2).
//
// Threads: callers hold the latch, shared to read, exclusive (an Operation) to change.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "heap/operation.h"
#include "heap/pool.h"
#include "object/trace.h"

namespace nvm::object::class_table {

inline constexpr uint64_t kMaxClasses = (uint64_t{1} << 24) - 1;  // what Counted has room for

// The id of a class, 0 if the pool does not know it. UTF-8.
uint64_t find(heap::Pool& pool, std::string_view name);
// As find, adding it if needed (F2: name blob, entry, count).
uint64_t ensure(heap::Operation& op, std::string_view name);
std::string name_of(heap::Pool& pool, uint64_t class_id);  // Error(corrupt) for an unknown id
uint64_t count(heap::Pool& pool);

// The entry of a class, as the operation sees the table. Error(corrupt) for an unknown id.
heap::ClassEntry* entry(heap::Operation& op, uint64_t class_id);

}  // namespace nvm::object::class_table
