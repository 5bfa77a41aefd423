#include "kit/library_pool.h"

#include <libpmem.h>
#include <pthread.h>
#include <sys/mman.h>

#include <chrono>
#include <thread>
#include <utility>

namespace nvm::bindings::kit {

namespace {

constexpr std::chrono::microseconds kPause{50};

// How many forks led to this process, as far as this module has seen.
std::atomic<uint64_t> process{0};

uint64_t this_process() {
  static const int kRegistered = pthread_atfork(nullptr, nullptr, [] { process.fetch_add(1); });
  static_cast<void>(kRegistered);
  return process.load();
}

}  // namespace

LibraryPool::LibraryPool(void* handle, size_t size, std::string path, Close end)
    : handle_(handle),
      process_(this_process()),
      size_(size),
      persistent_(pmem_is_pmem(handle, size) != 0),
      path_(std::move(path)),
      close_(end) {
  // A child that had the mapping would still be refused; it would only keep the lock.
  static_cast<void>(::madvise(handle, size_, MADV_DONTFORK));
}

// Nobody calls any more: the last reference is gone.
LibraryPool::~LibraryPool() {
  void* const handle = handle_.exchange(nullptr);
  if (handle != nullptr && process_ == process.load()) close_(handle);
}

void LibraryPool::close() {
  void* const handle = handle_.exchange(nullptr);
  if (handle == nullptr || process_ != process.load()) return;
  const Unlocked unlocked;
  while (users_.load() != 0) std::this_thread::sleep_for(kPause);
  close_(handle);
}

LibraryPool::Use::Use(LibraryPool& pool) : pool_(pool) {
  pool_.users_.fetch_add(1);
  handle_ = pool_.handle_.load();
  if (handle_ != nullptr && pool_.process_ == process.load(std::memory_order_relaxed)) return;
  pool_.users_.fetch_sub(1);
  if (handle_ == nullptr) throw Error(ErrorKind::closed, "the pool is closed", 0, pool_.path_);
  throw Error(ErrorKind::forked, "the pool belongs to the parent process", 0, pool_.path_);
}

// ---- The objects

namespace {

PyObject* is_closed(PyObject* self, void*) { return boolean(library_pool(self).closed()); }

}  // namespace

PyObject* library_pool_close(PyObject* self, PyObject*) {
  return guarded([&] {
    library_pool(self).close();
    return none();
  });
}

PyObject* library_pool_enter(PyObject* self, PyObject*) {
  return guarded([&] {
    const LibraryPool::Use use(library_pool(self));
    return Ref::borrow(self).release();
  });
}

PyObject* library_pool_exit(PyObject* self, PyObject*) { return library_pool_close(self, nullptr); }

PyObject* library_pool_filename(PyObject* self, void*) {
  const std::string& path = library_pool(self).path();
  return PyUnicode_DecodeFSDefaultAndSize(path.data(), static_cast<Py_ssize_t>(path.size()));
}

void library_pool_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  std::destroy_at(&reinterpret_cast<LibraryPoolObject*>(self)->pool);
  type->tp_free(self);
  Py_DECREF(type);
}

PyGetSetDef library_pool_attributes[] = {
    {"filename", library_pool_filename, refuse_set, "The file's name.", as_closure("filename")},
    {"closed", is_closed, refuse_set, "Whether it has been closed.", as_closure("closed")},
    {}};

// ---- What the libraries are asked

PyObject* check_library_version(PyObject* arguments, const char* (*check)(unsigned, unsigned)) {
  return guarded([&] {
    unsigned major = 0;
    unsigned minor = 0;
    if (PyArg_ParseTuple(arguments, "II:check_version", &major, &minor) == 0) throw PythonError{};
    const char* complaint = check(major, minor);
    if (complaint != nullptr) raise(PyExc_RuntimeError, "%s", complaint);
    return boolean(true);
  });
}

void throw_open_error(int number, const char* message, const std::string& path) {
  if (number == EWOULDBLOCK)
    throw Error(ErrorKind::locked, "another program has the pool open, or this one", number, path);
  throw_library_error(number != 0 ? number : EIO, message, path);
}

}  // namespace nvm::bindings::kit
