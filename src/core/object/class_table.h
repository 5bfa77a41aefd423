// The classes whose instances live in the pool: id <-> "module:qualname". Append-only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "heap/operation.h"
#include "heap/pool.h"

namespace nvm::object::class_table {

// The id of a class, 0 if the pool does not know it. UTF-8.
uint64_t find(heap::Pool& pool, std::string_view name);
// As find, adding it if needed (F2: name blob, entry, count).
uint64_t ensure(heap::Operation& op, std::string_view name);
std::string name_of(heap::Pool& pool, uint64_t class_id);  // Error(corrupt) for an unknown id
uint64_t count(heap::Pool& pool);

}  // namespace nvm::object::class_table
