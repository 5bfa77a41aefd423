// Which persistent objects are held from outside (by proxies, iterators, operations in flight).
//
// A Handle names an object by its offset and keeps it from being freed while it is pinned: an
// object whose reference count has reached zero stays on limbo until its last pin is gone. There
// is at most one handle an object. A handle whose object was undone with its transaction is
// stale: offset() is 0.
//
// Threads: every method may be called from any thread; none takes a pool lock, so that a dying
// proxy never waits for one.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "heap/format.h"

namespace nvm::heap {

class Pool;

class Handle {
 public:
  Offset offset() const noexcept { return offset_.load(std::memory_order_relaxed); }
  Pool& pool() const noexcept { return *pool_; }
  // The bindings' object for it (they guard it by the interpreter's lock, or one of their own).
  void* proxy = nullptr;

 private:
  friend class Handles;
  std::atomic<Offset> offset_{0};
  Pool* pool_ = nullptr;
  uint64_t pins_ = 0;
  bool on_limbo_ = false;
  Handle* next_ = nullptr;  // among the released
};

class Handles {
 public:
  explicit Handles(Pool& pool) : pool_(pool) {}
  ~Handles();

  // Pins the object at `offset`. REQUIRES: it is alive (the caller holds the latch).
  Handle* pin(Offset offset);
  void pin_again(Handle* handle) noexcept;
  void unpin(Handle* handle) noexcept;

  bool is_pinned(Offset offset) const;
  // What Operation tells when counts reach zero or rise from it.
  void set_on_limbo(Offset offset, bool on_limbo);
  void clear_limbo_marks();
  // The object was undone: its handle, if any, turns stale.
  void make_stale(Offset offset);
  // Adds the objects on limbo whose last pin has gone since the last call.
  void take_released(std::vector<Offset>& objects);
  bool any_released() const noexcept { return any_released_.load(std::memory_order_relaxed); }
  std::vector<Offset> all() const;

 private:
  Pool& pool_;
  mutable std::mutex mutex_;
  std::unordered_map<Offset, Handle*> table_;
  // Unpinned, on limbo, and no more in the table: the handle itself is kept to name the object, as
  // a dying proxy must not need memory.
  Handle* released_ = nullptr;
  size_t released_count_ = 0;
  std::atomic<bool> any_released_{false};
};

}  // namespace nvm::heap
