// The ways into a pool: read(pool, f) and mutate(pool, f); and try_read(pool, f), try_mutate(pool,
// f) for callers that must not wait (capi/).
#pragma once

#include <mutex>
#include <optional>
#include <shared_mutex>
#include <type_traits>
#include <utility>

#include "heap/operation.h"
#include "heap/pool.h"

namespace nvm::heap {

// What try_share() and Reading do besides the plain case, in which a pool is open and nobody is in
// a transaction: try_share() with the latch shared already, and the wait of Reading's.
bool keep_shared(Pool& pool);
void share_after_waiting(Pool& pool);

// Shares the latch if no other thread is inside a transaction; false, and nothing is shared, if one
// is. Throws where the pool cannot be read.
inline bool try_share(Pool& pool) {
  pool.check_open();
  pool.latch().lock_shared();
  return pool.plain() || keep_shared(pool);
}

// Shares the latch for its lifetime, with no other thread's transaction open.
class Reading {
 public:
  // May wait; throws what Pool::begin_reading throws.
  explicit Reading(Pool& pool) : pool_(pool) {
    if (try_share(pool)) [[likely]]
      return;
    share_after_waiting(pool);
    waited_ = true;
  }
  ~Reading() {
    pool_.latch().unlock_shared();
    if (waited_) [[unlikely]]
      pool_.ownership().release_shared();
  }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

 private:
  Pool& pool_;
  bool waited_ = false;  // and shares ownership besides
};

// f(), if the pool's file was all there until its end; else Error(os), whatever f has made of it.
template <class F>
auto whole(Pool& pool, F&& f) try {
  if constexpr (std::is_void_v<std::invoke_result_t<F&>>) {
    std::forward<F>(f)();
    pool.check_whole();
  } else {
    auto result = std::forward<F>(f)();
    pool.check_whole();
    return result;
  }
} catch (const Error&) {
  pool.check_whole();
  throw;
}

// Runs f() under the shared latch. f must not run code of the user, wait, or keep pointers.
template <class F>
auto read(Pool& pool, F&& f) {
  Reading reading(pool);
  return whole(pool, std::forward<F>(f));
}

// read(), if no other thread is inside a transaction; else nothing, and f has not run.
template <class F>
auto try_read(Pool& pool, F&& f) -> std::optional<std::invoke_result_t<F&>> {
  if (!try_share(pool)) return std::nullopt;
  const std::shared_lock<Latch> latch(pool.latch(), std::adopt_lock);
  return whole(pool, std::forward<F>(f));
}

// Exclusive use of a pool for one operation.
class Mutating {
 public:
  explicit Mutating(Pool& pool);  // waits for ownership, with checks; no latch yet
  // The same for ownership that Pool::try_own() has taken.
  Mutating(Pool& pool, std::adopt_lock_t) noexcept : pool_(pool) {}
  ~Mutating();
  Mutating(const Mutating&) = delete;
  Mutating& operator=(const Mutating&) = delete;

  // Frees what the operation let go, and gives ownership back. Returns what Pool::await() takes.
  // Throws Error(os) if the commit cannot be recorded.
  PendingCommit finish();

 private:
  void collect() noexcept;

  Pool& pool_;
  bool owned_ = true;
};

// Exclusive use of a pool for work on all of it. Other threads can read meanwhile. This one can
// too, in what the work calls back, but changes nothing: Error(transaction).
class Surveying {
 public:
  // Waits for ownership. Throws Error(transaction) inside a transaction or reading(); `work` is
  // what it calls itself there.
  Surveying(Pool& pool, const char* work);
  ~Surveying();
  Surveying(const Surveying&) = delete;
  Surveying& operator=(const Surveying&) = delete;

 private:
  Pool& pool_;
};

// As mutate(), for those who own the pool, and free by themselves what operations let go
// (Pool::collect_garbage).
template <class F>
auto mutate_owned(Pool& pool, F&& f) {
  using Result = std::invoke_result_t<F&, Operation&>;
  for (;;) {
    try {
      pool.check_open();
      std::lock_guard latch(pool.latch());
      Operation operation(pool);
      if constexpr (std::is_void_v<Result>) {
        whole(pool, [&] { f(operation); });
        operation.commit();
        return;
      } else {
        Result result = whole(pool, [&] { return f(operation); });
        operation.commit();
        return result;
      }
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::full) throw;
    }
    pool.grow();  // throws Error(full) at the limit
  }
}

// Runs f(Operation&) as one operation: durable when it returns, or, inside a transaction, part of
// it. If it throws, nothing has changed. If the pool is full it grows and f runs again, so f must
// have no other effects than on the operation. f must not run code of the user, nor wait.
template <class F>
auto mutate(Pool& pool, F&& f) {
  Mutating mutating(pool);
  if constexpr (std::is_void_v<std::invoke_result_t<F&, Operation&>>) {
    mutate_owned(pool, std::forward<F>(f));
    pool.await(mutating.finish());
  } else {
    auto result = mutate_owned(pool, std::forward<F>(f));
    pool.await(mutating.finish());
    return result;
  }
}

// Runs f(Operation&) as mutate() does, if that is possible without waiting; false, and nothing has
// changed, if not: on the journal backend each commit waits. It does not grow the pool: Error(full)
// is thrown on.
template <class F>
bool try_mutate(Pool& pool, F&& f) {
  pool.check_open();
  pool.check_writable();
  if (pool.records() || !pool.try_own()) return false;
  Mutating mutating(pool, std::adopt_lock);
  std::lock_guard latch(pool.latch());
  Operation operation(pool);
  whole(pool, [&] { f(operation); });
  operation.commit();
  return true;
}

}  // namespace nvm::heap
