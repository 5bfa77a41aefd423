// nvm.pmem2.Source: what can be mapped.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "kit/pmem2/pmem2.h"

namespace nvm::bindings::kit::pmem2 {

namespace {

PyTypeObject* source_type = nullptr;

Source* as_source(PyObject* self) noexcept { return reinterpret_cast<Source*>(self); }

void close_source(Source* self) noexcept {
  if (self->source == nullptr) return;
  pmem2_source_delete(&self->source);
  if (self->descriptor >= 0) ::close(self->descriptor);
  self->descriptor = -1;
}

Ref new_source() {
  Ref self = checked(source_type->tp_alloc(source_type, 0));
  as_source(self.get())->descriptor = -1;
  return self;
}

// Takes the descriptor over.
void take_descriptor(Source* self, int descriptor) {
  const int code = pmem2_source_from_fd(&self->source, descriptor);
  if (code == 0) {
    self->descriptor = descriptor;
    return;
  }
  ::close(descriptor);
  self->source = nullptr;
  check_code(code, self->name);
}

int open_file(const std::string& file, bool writable) {
  const Unlocked unlocked;
  const int descriptor = ::open(file.c_str(), (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
  if (descriptor < 0) throw_library_error(nullptr, file);
  return descriptor;
}

PyObject* from_file(PyObject*, PyObject* arguments, PyObject* keywords) {
  return guarded([&] {
    static const char* const kNames[] = {"path", "writable", nullptr};
    PyObject* path = nullptr;
    int writable = 1;
    if (PyArg_ParseTupleAndKeywords(arguments, keywords, "O|$p:from_file",
                                    const_cast<char**>(kNames), &path, &writable) == 0)
      throw PythonError{};
    Ref self = new_source();
    as_source(self.get())->name = Ref::borrow(path).release();
    take_descriptor(as_source(self.get()), open_file(file_name(path), writable != 0));
    return self.release();
  });
}

PyObject* from_fd(PyObject*, PyObject* argument) {
  return guarded([&] {
    const int descriptor = PyObject_AsFileDescriptor(argument);
    check(descriptor);
    Ref self = new_source();
    const int own = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    if (own < 0) throw_library_error(nullptr);
    take_descriptor(as_source(self.get()), own);
    return self.release();
  });
}

PyObject* anonymous(PyObject*, PyObject* argument) {
  return guarded([&] {
    const size_t size = size_argument(argument, "size");
    Ref self = new_source();
    check_code(pmem2_source_from_anon(&as_source(self.get())->source, size));
    return self.release();
  });
}

// ---- What a source tells

PyObject* get_size(PyObject* self, void*) {
  return guarded([&] {
    size_t size = 0;
    const Source* source = source_argument(self);
    check_code(pmem2_source_size(source->source, &size), source->name);
    return PyLong_FromSize_t(size);
  });
}

PyObject* get_alignment(PyObject* self, void*) {
  return guarded([&] {
    size_t alignment = 0;
    const Source* source = source_argument(self);
    check_code(pmem2_source_alignment(source->source, &alignment), source->name);
    return PyLong_FromSize_t(alignment);
  });
}

PyObject* get_numa_node(PyObject* self, void*) {
  return guarded([&] {
    int node = 0;
    const Source* source = source_argument(self);
    check_code(pmem2_source_numa_node(source->source, &node), source->name);
    return PyLong_FromLong(node);
  });
}

PyObject* get_name(PyObject* self, void*) {
  PyObject* name = as_source(self)->name;
  return Ref::borrow(name == nullptr ? Py_None : name).release();
}

PyObject* get_closed(PyObject* self, void*) { return boolean(as_source(self)->source == nullptr); }

PyObject* fileno(PyObject* self, PyObject*) {
  return guarded([&] {
    int descriptor = -1;
    const Source* source = source_argument(self);
    check_code(pmem2_source_get_fd(source->source, &descriptor), source->name);
    return PyLong_FromLong(descriptor);
  });
}

PyObject* device_id(PyObject* self, PyObject*) {
  return guarded([&] {
    const Source* source = source_argument(self);
    size_t size = 0;
    check_code(pmem2_source_device_id(source->source, nullptr, &size), source->name);
    std::string id(size, '\0');
    check_code(pmem2_source_device_id(source->source, id.data(), &size), source->name);
    return PyUnicode_DecodeFSDefault(id.c_str());
  });
}

PyObject* unsafe_shutdown_count(PyObject* self, PyObject*) {
  return guarded([&] {
    const Source* source = source_argument(self);
    uint64_t count = 0;
    check_code(pmem2_source_device_usc(source->source, &count), source->name);
    return PyLong_FromUnsignedLongLong(count);
  });
}

// ---- Reading and writing past bad blocks. The library sets the process's handler of SIGBUS
// meanwhile: the interpreter's lock is kept, so that only one thread does at a time.

const Arguments<2> kReadArguments{"pread", {"buffer", "offset"}, 1};
const Arguments<2> kWriteArguments{"pwrite", {"data", "offset"}, 1};

size_t offset_of(PyObject* argument) {
  return argument == nullptr ? 0 : size_argument(argument, "offset");
}

PyObject* pread(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
  return guarded([&] {
    const Source* source = source_argument(self);
    const auto [buffer, offset] = kReadArguments.take(given, count, keywords);
    const Range range(buffer, Access::write);
    check_code(
        pmem2_source_pread_mcsafe(source->source, range.data(), range.size(), offset_of(offset)),
        source->name);
    return none();
  });
}

PyObject* pwrite(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
  return guarded([&] {
    const Source* source = source_argument(self);
    const auto [data, offset] = kWriteArguments.take(given, count, keywords);
    const Range range(data);
    check_code(
        pmem2_source_pwrite_mcsafe(source->source, range.data(), range.size(), offset_of(offset)),
        source->name);
    return none();
  });
}

PyObject* bad_blocks(PyObject* self, PyObject*) {
  return guarded([&] { return make_bad_blocks(source_argument(self)).release(); });
}

// ---- The type

PyObject* close_method(PyObject* self, PyObject*) {
  close_source(as_source(self));
  return none();
}

PyObject* enter(PyObject* self, PyObject*) {
  return guarded([&] {
    source_argument(self);
    return Ref::borrow(self).release();
  });
}

PyObject* exit(PyObject* self, PyObject* const*, Py_ssize_t) { return close_method(self, nullptr); }

void dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  close_source(as_source(self));
  Py_CLEAR(as_source(self)->name);
  type->tp_free(self);
  Py_DECREF(type);
}

PyMethodDef methods[] = {
    {"from_file", as_method(from_file), METH_VARARGS | METH_KEYWORDS | METH_CLASS,
     "from_file($type, path, *, writable=True)\n--\n\nAn existing file, or device DAX."},
    {"from_fd", from_fd, METH_O | METH_CLASS,
     "from_fd($type, fd, /)\n--\n\n"
     "An open file, by its descriptor or an object with fileno(); a copy of it is used."},
    {"anonymous", anonymous, METH_O | METH_CLASS,
     "anonymous($type, size, /)\n--\n\nMemory without a file: volatile, of zeros."},
    {"fileno", fileno, METH_NOARGS, "fileno($self, /)\n--\n\nThe source's own descriptor."},
    {"device_id", device_id, METH_NOARGS,
     "device_id($self, /)\n--\n\nWhat identifies the NVDIMMs that it lies on."},
    {"unsafe_shutdown_count", unsafe_shutdown_count, METH_NOARGS,
     "unsafe_shutdown_count($self, /)\n--\n\n"
     "How often these NVDIMMs lost power without having flushed what was on its way to them."},
    {"pread", as_method(pread), METH_FASTCALL | METH_KEYWORDS,
     "pread($self, /, buffer, offset=0)\n--\n\n"
     "Fill the buffer from the file. A bad block is an Error (E_IO_FAIL), not a SIGBUS."},
    {"pwrite", as_method(pwrite), METH_FASTCALL | METH_KEYWORDS,
     "pwrite($self, /, data, offset=0)\n--\n\n"
     "Write data into the file, within its size. A bad block is an Error (E_IO_FAIL)."},
    {"bad_blocks", bad_blocks, METH_NOARGS,
     "bad_blocks($self, /)\n--\n\nThe bad blocks, as an iterator that can clear them too."},
    {"close", close_method, METH_NOARGS,
     "close($self, /)\n--\n\nLet the source go; maps of it stay. Twice is fine."},
    {"__enter__", enter, METH_NOARGS, "__enter__($self, /)\n--\n\n"},
    {"__exit__", as_method(exit), METH_FASTCALL, "__exit__($self, *exception)\n--\n\n"},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef attributes[] = {
    {"size", get_size, refuse_set, "Bytes.", as_closure("size")},
    {"alignment", get_alignment, refuse_set, "Of what offsets and lengths are multiples.",
     as_closure("alignment")},
    {"numa_node", get_numa_node, refuse_set, "The NUMA node of the persistent memory it lies on.",
     as_closure("numa_node")},
    {"name", get_name, refuse_set, "The file's name, as it was given, or None.",
     as_closure("name")},
    {"closed", get_closed, refuse_set, "Whether it has been closed.", as_closure("closed")},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>("What can be mapped: Source.from_file(path), "
                                  "Source.from_fd(fd) or Source.anonymous(size).")},
    {Py_tp_new, as_slot(refuse_new)},
    {Py_tp_dealloc, as_slot(dealloc)},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {0, nullptr}};

PyType_Spec spec = {"nvm.pmem2.Source", sizeof(Source), 0, kPlainFlags, slots};

}  // namespace

Source* source_argument(PyObject* argument) {
  if (PyObject_TypeCheck(argument, source_type) == 0)
    raise(PyExc_TypeError, "a Source is needed, not %.200s", Py_TYPE(argument)->tp_name);
  if (as_source(argument)->source == nullptr)
    raise(PyExc_ValueError, "this Source has been closed");
  return as_source(argument);
}

void register_source(PyObject* module) {
  source_type = add_named_type(module, "Pmem2Source", spec);
}

}  // namespace nvm::bindings::kit::pmem2
