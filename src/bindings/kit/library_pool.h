// The life of a pool that libpmemlog or libpmemblk has open.
//
// Invariants
//   1. The library is never called with a pool that is closed, or that a forked child has from its
//      parent: it would crash. The mapping is not there in a child (MADV_DONTFORK), so that the
//      child does not keep the file's lock, which lives with it.
//   2. close() waits for the calls that are under way, and none begins after it.
//
// Threads: any.
#pragma once

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "kit/kit.h"

namespace nvm::bindings::kit {

// What f, which calls a library, returns; without the interpreter's lock. errno is kept.
template <class F>
auto without_lock(F&& f) {
  int error = 0;
  const auto result = [&] {
    const Unlocked unlocked;
    const auto answer = f();
    error = errno;
    return answer;
  }();
  errno = error;
  return result;
}

class LibraryPool {
 public:
  // `handle` is where the library has mapped the pool. `end` closes it.
  using Close = void (*)(void* handle);
  LibraryPool(void* handle, size_t size, std::string path, Close end);
  ~LibraryPool();
  LibraryPool(const LibraryPool&) = delete;
  LibraryPool& operator=(const LibraryPool&) = delete;

  void close();  // twice is fine
  bool closed() const noexcept { return handle_.load() == nullptr; }
  const std::string& path() const noexcept { return path_; }

  // A call of the library. Throws Error(closed), Error(forked).
  class Use {
   public:
    explicit Use(LibraryPool& pool);
    ~Use() { pool_.users_.fetch_sub(1); }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    template <class Handle>
    Handle* as() const noexcept {
      return static_cast<Handle*>(handle_);
    }

   private:
    LibraryPool& pool_;
    void* handle_;
  };

  // Calls f, which stores or loads `bytes`; without the interpreter's lock if that may take long.
  template <class F>
  auto run(size_t bytes, F&& f) const {
    if (persistent_ && bytes <= kLongCopy) return f();
    return without_lock(std::forward<F>(f));
  }

 private:
  std::atomic<void*> handle_;
  std::atomic<int64_t> users_{0};
  uint64_t process_;
  size_t size_;
  bool persistent_;  // no msync
  std::string path_;
  Close close_;
};

// How a type begins whose objects are such pools, and what those of both libraries have in common:
// close(), the context manager, `filename` and `closed`, the end of an object.
struct LibraryPoolObject {
  PyObject_HEAD;
  std::unique_ptr<LibraryPool> pool;
};

inline LibraryPool& library_pool(PyObject* self) noexcept {
  return *reinterpret_cast<LibraryPoolObject*>(self)->pool;
}

PyObject* library_pool_close(PyObject* self, PyObject*);
PyObject* library_pool_enter(PyObject* self, PyObject*);
PyObject* library_pool_exit(PyObject* self, PyObject*);
PyObject* library_pool_filename(PyObject* self, void*);
void library_pool_dealloc(PyObject* self);
extern PyGetSetDef library_pool_attributes[];

// The library's own check of its version: True, or a RuntimeError. `arguments` are major and minor.
PyObject* check_library_version(PyObject* arguments, const char* (*check)(unsigned, unsigned));

// What an open or create of the library has answered with: Error(locked), or as
// throw_library_error().
[[noreturn]] void throw_open_error(int number, const char* message, const std::string& path);

}  // namespace nvm::bindings::kit
