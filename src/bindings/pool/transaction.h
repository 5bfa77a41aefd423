// The levels of a pool's transaction, as Python code begins and ends them.
#pragma once

#include <optional>

#include "backend/backend.h"
#include "binding.h"

namespace nvm::bindings {

inline constexpr double kForEver = -1;

// Seconds from None (for ever) or a number that is not negative. Throws Error(value) / PythonError.
double seconds_of(PyObject* timeout);

// What "commit" and "relaxed" promise; nothing for a null pointer. Throws Error(value).
std::optional<backend::Promise> promise_of(const char* sync);

void begin_level(PoolObject* pool, Level::Kind kind, double timeout,
                 std::optional<backend::Promise> promise = std::nullopt);
// Ends the innermost level, which began as `begin`. Throws Error(transaction) outside of one, and
// in a block: then everything is undone.
void commit_level(PoolObject* pool);
// Undoes everything and ends the levels that began as `begin` and are not inside a block.
void abort_levels(PoolObject* pool);
// Ends the innermost block, and what was begun inside it. `failed`: by an exception.
void leave_block(PoolObject* pool, bool failed);
// Tells that the pool's close has undone its transaction.
void forget_levels(PoolObject* pool) noexcept;

Ref make_transaction(PoolObject* pool, double timeout,
                     std::optional<backend::Promise> promise);  // transaction.cpp
Ref make_reading(PoolObject* pool, double timeout);             // reading.cpp

// For once the outermost level has ended. Throws Error(transaction) outside of a transaction.
void call_after_commit(PoolObject* pool, PyObject* function);
void call_after_abort(PoolObject* pool, PyObject* function);

}  // namespace nvm::bindings
