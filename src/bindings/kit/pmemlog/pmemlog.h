// nvm.pmemlog: what its files share.
#pragma once

#include <libpmemlog.h>

#include <atomic>
#include <memory>

#include "kit/library_pool.h"

namespace nvm::bindings::kit {

struct LogPoolObject : LibraryPoolObject {
  std::atomic<uint64_t> rewinds;  // a walk ends when it changes
};

inline LogPoolObject* as_log(PyObject* self) noexcept {
  return reinterpret_cast<LogPoolObject*>(self);
}

// A new object for an open pool (log_pool.cpp).
PyObject* new_log_pool(PMEMlogpool* log, size_t size, const std::string& path);

void register_log_pool(PyObject* module);
void register_log_chunks(PyObject* module);

// What is in the log at a moment, read without the library's lock: what lies there stays as it is
// until the log is rewound (log_chunks.cpp).
class LogSnapshot {
 public:
  explicit LogSnapshot(PyObject* self);
  size_t size() const noexcept { return size_; }
  // Throws a RuntimeError if the log has been rewound since.
  Ref chunk(size_t begin, size_t length) const;

 private:
  LogPoolObject* log_;
  const char* data_ = nullptr;
  size_t size_ = 0;
  uint64_t rewinds_ = 0;
};

PyObject* log_chunks(PyObject* self, PyObject* chunk_size);
PyObject* log_iter(PyObject* self);
PyObject* log_walk(PyObject* self, PyObject* const* given, Py_ssize_t positional,
                   PyObject* keywords);

}  // namespace nvm::bindings::kit
