// LogPool: an open log. One that anybody appends to, and nobody changes but as a whole.
#include <sys/uio.h>

#include <climits>
#include <vector>

#include "kit/pmemlog/pmemlog.h"

namespace nvm::bindings::kit {

namespace {

PyTypeObject* log_type = nullptr;

using Use = LibraryPool::Use;

[[noreturn]] void throw_log_error(const LibraryPool& pool) {
  throw_library_error(pmemlog_errormsg(), pool.path());
}

// The bytes to append, which stay in place while this lives: a str's UTF-8, or a buffer's.
class Appended {
 public:
  explicit Appended(PyObject* data) {
    if (PyBytes_Check(data)) {
      bytes_ = PyBytes_AS_STRING(data);
      size_ = static_cast<size_t>(PyBytes_GET_SIZE(data));
    } else if (PyUnicode_Check(data)) {
      text_ = bytes_argument(data);
      bytes_ = text_.data();
      size_ = text_.size();
    } else {
      range_ = std::make_unique<Range>(data);
      bytes_ = range_->data();
      size_ = range_->size();
    }
  }
  const char* data() const noexcept { return bytes_; }
  size_t size() const noexcept { return size_; }

 private:
  std::string text_;
  std::unique_ptr<Range> range_;
  const char* bytes_ = nullptr;
  size_t size_ = 0;
};

PyObject* append(PyObject* self, PyObject* argument) {
  return guarded([&] {
    LibraryPool& pool = *as_log(self)->pool;
    const Appended data(argument);
    const Use use(pool);
    const int result = pool.run(data.size(), [&] {
      return pmemlog_append(use.as<PMEMlogpool>(), data.data(), data.size());
    });
    if (result != 0) throw_log_error(pool);
    return PyLong_FromLong(0);
  });
}

PyObject* appendv(PyObject* self, PyObject* argument) {
  return guarded([&] {
    LibraryPool& pool = *as_log(self)->pool;
    if (PyUnicode_Check(argument) || PyBytes_Check(argument))
      raise(PyExc_TypeError, "appendv() wants a list of what to append; append() takes one");
    const Ref items = checked(PySequence_List(argument));
    std::vector<std::unique_ptr<Appended>> parts;
    std::vector<iovec> vector;
    size_t total = 0;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items.get()); ++i) {
      parts.push_back(std::make_unique<Appended>(PyList_GET_ITEM(items.get(), i)));
      vector.push_back({const_cast<char*>(parts.back()->data()), parts.back()->size()});
      total += parts.back()->size();
    }
    if (vector.size() > INT_MAX) raise(PyExc_ValueError, "more parts than appendv() can take");
    const Use use(pool);
    if (vector.empty()) return PyLong_FromLong(0);
    const int result = pool.run(total, [&] {
      return pmemlog_appendv(use.as<PMEMlogpool>(), vector.data(), static_cast<int>(vector.size()));
    });
    if (result != 0) throw_log_error(pool);
    return PyLong_FromLong(0);
  });
}

PyObject* nbyte(PyObject* self, PyObject*) {
  return guarded([&] {
    const Use use(*as_log(self)->pool);
    return PyLong_FromSize_t(pmemlog_nbyte(use.as<PMEMlogpool>()));
  });
}

long long tell_log(PyObject* self) {
  LibraryPool& pool = *as_log(self)->pool;
  const Use use(pool);
  const long long position = pool.run(0, [&] { return pmemlog_tell(use.as<PMEMlogpool>()); });
  if (position < 0) throw_log_error(pool);
  return position;
}

PyObject* tell(PyObject* self, PyObject*) {
  return guarded([&] { return PyLong_FromLongLong(tell_log(self)); });
}

Py_ssize_t length(PyObject* self) {
  try {
    return static_cast<Py_ssize_t>(tell_log(self));
  } catch (...) {
    set_python_error();
    return -1;
  }
}

PyObject* rewind_log(PyObject* self, PyObject*) {
  return guarded([&] {
    LibraryPool& pool = *as_log(self)->pool;
    const Use use(pool);
    as_log(self)->rewinds.fetch_add(1);
    pool.run(0, [&] {
      pmemlog_rewind(use.as<PMEMlogpool>());
      return 0;
    });
    return none();
  });
}

PyObject* repr(PyObject* self) {
  return guarded([&] {
    const Ref name = checked(library_pool_filename(self, nullptr));
    return PyUnicode_FromFormat("<LogPool of %R%s>", name.get(),
                                as_log(self)->pool->closed() ? ", closed" : "");
  });
}

PyMethodDef methods[] = {
    {"append", append, METH_O,
     "append($self, data, /)\n--\n\n"
     "Append a str's UTF-8, or the bytes of anything contiguous, in one step: after a power\n"
     "failure all of it is there or nothing. Durable when it returns 0. OSError with ENOSPC if\n"
     "the log has too little room."},
    {"appendv", appendv, METH_O,
     "appendv($self, data, /)\n--\n\n"
     "Append several pieces in one step, as append() does one."},
    {"nbyte", nbyte, METH_NOARGS,
     "nbyte($self, /)\n--\n\nThe bytes that the log has room for in all."},
    {"tell", tell, METH_NOARGS, "tell($self, /)\n--\n\nThe bytes that are in the log."},
    {"rewind", rewind_log, METH_NOARGS,
     "rewind($self, /)\n--\n\nEmpty the log. Durable when it returns."},
    {"walk", as_method(log_walk), METH_FASTCALL | METH_KEYWORDS,
     "walk($self, function, chunk_size=0)\n--\n\n"
     "Call a function with the log's bytes, chunk by chunk, the last one perhaps shorter; with\n"
     "chunk_size 0 once with all of them. It goes on as long as the function returns a true\n"
     "value. What is appended meanwhile is left out; RuntimeError if the log is rewound."},
    {"chunks", log_chunks, METH_O,
     "chunks($self, chunk_size, /)\n--\n\nAn iterator over the chunks that walk() would give."},
    {"close", library_pool_close, METH_NOARGS,
     "close($self, /)\n--\n\nClose the log. Twice is fine."},
    {"__enter__", library_pool_enter, METH_NOARGS, nullptr},
    {"__exit__", library_pool_exit, METH_VARARGS, nullptr},
    {}};

// NOLINTNEXTLINE(cppcoreguidelines-interfaces-global-init): of the attributes the address counts
PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>("An open log of libpmemlog: a context manager, iterable by "
                                  "chunk; len() is the bytes in it.")},
    {Py_tp_new, as_slot(refuse_new)},
    {Py_tp_dealloc, as_slot(library_pool_dealloc)},
    {Py_tp_repr, as_slot(repr)},
    {Py_tp_methods, methods},
    {Py_tp_getset, library_pool_attributes},
    {Py_sq_length, as_slot(length)},
    {Py_tp_iter, as_slot(log_iter)},
    {}};

PyType_Spec spec = {"nvm.pmemlog.LogPool", sizeof(LogPoolObject), 0, Py_TPFLAGS_DEFAULT, slots};

}  // namespace

PyObject* new_log_pool(PMEMlogpool* log, size_t size, const std::string& path) {
  auto pool = std::make_unique<LibraryPool>(
      log, size, path, [](void* handle) { pmemlog_close(static_cast<PMEMlogpool*>(handle)); });
  Ref object = checked(log_type->tp_alloc(log_type, 0));
  new (&as_log(object.get())->pool) std::unique_ptr<LibraryPool>(std::move(pool));
  new (&as_log(object.get())->rewinds) std::atomic<uint64_t>(0);
  return object.release();
}

void register_log_pool(PyObject* module) { log_type = add_type(module, spec); }

}  // namespace nvm::bindings::kit
