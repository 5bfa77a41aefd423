// Reading a log: walk(), and iteration by chunk. Both read a snapshot: no Python code runs under
// the library's lock, under which it could neither append nor wait for a thread that does.
#include "kit/pmemlog/pmemlog.h"

#include <algorithm>

namespace nvm::bindings::kit {

namespace {

// What `for chunk in log` gives.
constexpr size_t kDefaultChunk = 4096;

PyTypeObject* chunks_type = nullptr;

struct ChunksObject {
  PyObject_HEAD;
  PyObject* log;
  LogSnapshot* snapshot;
  size_t next;
  size_t chunk;
};

ChunksObject* as_chunks(PyObject* self) noexcept { return reinterpret_cast<ChunksObject*>(self); }

PyObject* new_chunks(PyObject* log, size_t chunk) {
  if (chunk == 0) raise(PyExc_ValueError, "chunks of no bytes");
  auto snapshot = std::make_unique<LogSnapshot>(log);
  Ref object = checked(chunks_type->tp_alloc(chunks_type, 0));
  ChunksObject* const chunks = as_chunks(object.get());
  chunks->log = Ref::borrow(log).release();
  chunks->snapshot = snapshot.release();
  chunks->chunk = chunk;
  return object.release();
}

PyObject* next_chunk(PyObject* self) {
  return guarded([&]() -> PyObject* {
    ChunksObject* const chunks = as_chunks(self);
    const size_t begin = chunks->next;
    if (begin == chunks->snapshot->size()) return nullptr;
    const size_t length = std::min(chunks->chunk, chunks->snapshot->size() - begin);
    Ref bytes = chunks->snapshot->chunk(begin, length);
    chunks->next = begin + length;
    return bytes.release();
  });
}

PyObject* itself(PyObject* self) { return Ref::borrow(self).release(); }

void dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  delete as_chunks(self)->snapshot;
  Py_CLEAR(as_chunks(self)->log);
  type->tp_free(self);
  Py_DECREF(type);
}

PyType_Slot slots[] = {{Py_tp_new, as_slot(refuse_new)},
                       {Py_tp_dealloc, as_slot(dealloc)},
                       {Py_tp_iter, as_slot(itself)},
                       {Py_tp_iternext, as_slot(next_chunk)},
                       {}};

PyType_Spec spec = {"nvm.pmemlog.LogChunks", sizeof(ChunksObject), 0, Py_TPFLAGS_DEFAULT, slots};

struct Content {
  const char* data = nullptr;
  size_t size = 0;
};

int note_content(const void* data, size_t size, void* content) {
  *static_cast<Content*>(content) = {static_cast<const char*>(data), size};
  return 0;
}

const Arguments<2> kWalk{"walk", {"function", "chunk_size"}, 1};

}  // namespace

LogSnapshot::LogSnapshot(PyObject* self) : log_(as_log(self)) {
  LibraryPool& pool = *log_->pool;
  const LibraryPool::Use use(pool);
  rewinds_ = log_->rewinds.load();
  Content content;
  pool.run(0, [&] {
    pmemlog_walk(use.as<PMEMlogpool>(), 0, note_content, &content);
    return 0;
  });
  data_ = content.data;
  size_ = content.size;
}

Ref LogSnapshot::chunk(size_t begin, size_t length) const {
  LibraryPool& pool = *log_->pool;
  const LibraryPool::Use use(pool);
  Ref bytes = checked(PyBytes_FromStringAndSize(data_ + begin, static_cast<Py_ssize_t>(length)));
  if (log_->rewinds.load() != rewinds_) raise(PyExc_RuntimeError, "the log was rewound meanwhile");
  return bytes;
}

PyObject* log_chunks(PyObject* self, PyObject* chunk_size) {
  return guarded([&] { return new_chunks(self, size_argument(chunk_size, "chunk_size")); });
}

PyObject* log_iter(PyObject* self) {
  return guarded([&] { return new_chunks(self, kDefaultChunk); });
}

PyObject* log_walk(PyObject* self, PyObject* const* given, Py_ssize_t positional,
                   PyObject* keywords) {
  return guarded([&] {
    const auto [function, size] = kWalk.take(given, positional, keywords);
    if (PyCallable_Check(function) == 0)
      raise(PyExc_TypeError, "walk() wants a function, not %.200s", Py_TYPE(function)->tp_name);
    const size_t wanted = size == nullptr ? 0 : size_argument(size, "chunk_size");
    const LogSnapshot log(self);
    // As in C, a walk in one piece calls the function even if there is nothing.
    const size_t chunk = wanted == 0 ? log.size() : wanted;
    size_t begin = 0;
    while (begin < log.size() || (begin == 0 && wanted == 0)) {
      const size_t length = std::min(chunk, log.size() - begin);
      const Ref bytes = log.chunk(begin, length);
      const Ref answer = checked(PyObject_CallFunctionObjArgs(function, bytes.get(), nullptr));
      const int go_on = PyObject_IsTrue(answer.get());
      check(go_on);
      begin += length;
      if (go_on == 0 || length == 0) break;
    }
    return none();
  });
}

void register_log_chunks(PyObject* module) { chunks_type = add_type(module, spec); }

}  // namespace nvm::bindings::kit
