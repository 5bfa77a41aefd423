// The open pools of this process: what becomes of them in a forked child, and at exit.
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <mutex>

#include "binding.h"
#include "heap/locks.h"

namespace nvm::bindings {

namespace {

// Taken across a fork, so that the child finds the list whole.
std::mutex open_pools_mutex;
std::vector<PoolObject*> open_pools;
uint64_t newest_pool = 0;
std::atomic<uint64_t> newest_of_parent{0};  // 0: not a forked child

void before_fork() { open_pools_mutex.lock(); }

void after_fork_in_parent() { open_pools_mutex.unlock(); }

void after_fork_in_child() {
  newest_of_parent.store(newest_pool);
  for (PoolObject* pool : open_pools) pool->pool->forked();
  open_pools.clear();
  open_pools_mutex.unlock();
}

bool used_by_another_thread(heap::Pool& pool) {
  const std::vector<uint64_t> holders = pool.ownership().holders();
  return std::any_of(holders.begin(), holders.end(),
                     [](uint64_t thread) { return thread != heap::thread_id(); });
}

// At exit, before the interpreter is taken down. A pool that another thread uses is left as it is:
// its transaction is undone when it is opened next.
PyObject* close_all(PyObject*, PyObject*) {
  begin_exit();
  std::vector<Ref> pools;
  {
    const std::lock_guard lock(open_pools_mutex);
    for (PoolObject* pool : open_pools)
      pools.push_back(Ref::borrow(reinterpret_cast<PyObject*>(pool)));
  }
  for (const Ref& pool : pools) {
    auto* object = reinterpret_cast<PoolObject*>(pool.get());
    if (used_by_another_thread(*object->pool)) continue;
    if (!guarded([&] { return close_pool(object), Ref::borrow(Py_None).release(); }))
      PyErr_WriteUnraisable(pool.get());
  }
  Py_RETURN_NONE;
}

PyMethodDef close_all_method = {"_close_all", close_all, METH_NOARGS, nullptr};

}  // namespace

void add_open_pool(PoolObject* pool) {
  const std::lock_guard lock(open_pools_mutex);
  open_pools.push_back(pool);
  newest_pool = std::max(newest_pool, pool->pool->id());
}

void remove_open_pool(PoolObject* pool) noexcept {
  const std::lock_guard lock(open_pools_mutex);
  std::erase(open_pools, pool);
}

bool of_parent_process(const heap::Pool& pool) noexcept {
  return pool.id() <= newest_of_parent.load(std::memory_order_relaxed);
}

PoolObject* transaction_pool() noexcept {
  const std::lock_guard lock(open_pools_mutex);
  PoolObject* innermost = nullptr;
  for (PoolObject* pool : open_pools) {
    if (!pool->pool->in_transaction() || pool->levels.empty()) continue;
    if (innermost == nullptr || pool->levels.back().number > innermost->levels.back().number)
      innermost = pool;
  }
  return innermost;
}

void register_process(PyObject*) {
  pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
  const Ref exit = checked(PyImport_ImportModule("atexit"));
  const Ref function = checked(PyCFunction_New(&close_all_method, nullptr));
  checked(PyObject_CallMethod(exit.get(), "register", "O", function.get()));
}

}  // namespace nvm::bindings
