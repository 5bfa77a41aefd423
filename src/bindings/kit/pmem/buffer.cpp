// nvm.pmem: map_file, unmap and MemoryBuffer.
#include <libpmem.h>

#include <cerrno>
#include <cstring>

#include "kit/pmem/pmem.h"

namespace nvm::bindings::kit::pmem {

namespace {

PyTypeObject* buffer_type = nullptr;

Buffer* as_buffer(PyObject* self) noexcept { return reinterpret_cast<Buffer*>(self); }

int release(MemoryObject* memory) noexcept {
  remove_mapping(reinterpret_cast<Buffer*>(memory));
  return pmem_unmap(memory->data, memory->size) == 0 ? 0 : errno;
}

// ---- Mapping

struct Mapped {
  void* data = nullptr;
  size_t size = 0;
  int is_pmem = 0;
};

Mapped map(const std::string& file, size_t size, int flags, mode_t mode) {
  const Unlocked unlocked;
  Mapped mapped;
  mapped.data = pmem_map_file(file.c_str(), size, flags, mode, &mapped.size, &mapped.is_pmem);
  if (mapped.data == nullptr) throw_library_error(pmem_errormsg(), file);
  return mapped;
}

PyObject* map_file(PyObject*, PyObject* arguments, PyObject* keywords) {
  return guarded([&] {
    static const char* names[] = {"file_name", "file_size", "flags", "mode", nullptr};
    PyObject *name = nullptr, *size = nullptr;
    int flags = 0;
    unsigned mode = 0666;
    if (PyArg_ParseTupleAndKeywords(arguments, keywords, "O|OiI:map_file",
                                    const_cast<char**>(names), &name, &size, &flags, &mode) == 0)
      throw PythonError{};
    const size_t length = size == nullptr ? 0 : size_argument(size, "file_size");
    const std::string file = file_name(name);
    Ref self = checked(buffer_type->tp_alloc(buffer_type, 0));
    Buffer* buffer = as_buffer(self.get());
    buffer->name = Ref::borrow(name).release();
    const Mapped mapped = map(file, length, flags, mode);
    take_memory(&buffer->memory, mapped.data, mapped.size, true, release);
    buffer->is_pmem = mapped.is_pmem != 0;
    add_mapping(buffer);
    return self.release();
  });
}

void unmap(Buffer* buffer) {
  const int failure = let_memory_go(&buffer->memory);
  if (failure != 0) throw_library_error(failure, pmem_errormsg());
}

PyObject* unmap_method(PyObject* self, PyObject*) {
  return guarded([&] {
    unmap(as_buffer(self));
    return none();
  });
}

PyObject* unmap_function(PyObject*, PyObject* object) {
  return guarded([&] {
    if (PyObject_TypeCheck(object, buffer_type) == 0)
      raise(PyExc_TypeError, "unmap() needs a MemoryBuffer, not %.200s", Py_TYPE(object)->tp_name);
    unmap(as_buffer(object));
    return none();
  });
}

PyObject* enter(PyObject* self, PyObject*) {
  return guarded([&] {
    check_memory_open(as_memory(self));
    return Ref::borrow(self).release();
  });
}

PyObject* exit(PyObject* self, PyObject* const*, Py_ssize_t) {
  return guarded([&] {
    Buffer* buffer = as_buffer(self);
    if (buffer->memory.open) persist(Range(self));
    unmap(buffer);
    return none();
  });
}

// ---- The position

size_t rest_of(const Buffer* buffer) {
  return buffer->memory.size - static_cast<size_t>(buffer->position);
}

PyObject* write(PyObject* self, PyObject* data) {
  return guarded([&] {
    const Range range(PyUnicode_Check(data) != 0 ? checked(PyUnicode_AsUTF8String(data)).get()
                                                 : data);
    Buffer* buffer = as_buffer(self);
    check_memory_open(&buffer->memory);
    if (range.size() > rest_of(buffer))
      raise(PyExc_RuntimeError, "out of range: %zu bytes at %zd, but the buffer has %zu",
            range.size(), buffer->position, buffer->memory.size);
    std::memmove(buffer->memory.data + buffer->position, range.data(), range.size());
    buffer->position += static_cast<Py_ssize_t>(range.size());
    return PyLong_FromSize_t(range.size());
  });
}

PyObject* read(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  return guarded([&] {
    check_count("read", count, 0, 1);
    const Py_ssize_t wanted = count == 0 ? 0 : integer_argument(arguments[0]);
    Buffer* buffer = as_buffer(self);
    check_memory_open(&buffer->memory);
    const size_t rest = rest_of(buffer);
    if (rest == 0) raise(PyExc_EOFError, "the end of the buffer");
    if (wanted < 0 || static_cast<size_t>(wanted) > rest)
      raise(PyExc_RuntimeError, "out of range: %zd bytes at %zd, but the buffer has %zu", wanted,
            buffer->position, buffer->memory.size);
    const Py_ssize_t size = wanted == 0 ? static_cast<Py_ssize_t>(rest) : wanted;
    Ref bytes = checked(PyBytes_FromStringAndSize(buffer->memory.data + buffer->position, size));
    buffer->position += size;
    return bytes.release();
  });
}

PyObject* seek(PyObject* self, PyObject* argument) {
  return guarded([&] {
    const Py_ssize_t position = integer_argument(argument);
    Buffer* buffer = as_buffer(self);
    check_memory_open(&buffer->memory);
    if (position < 0 || static_cast<size_t>(position) > buffer->memory.size)
      raise(PyExc_RuntimeError, "out of range: position %zd, but the buffer has %zu bytes",
            position, buffer->memory.size);
    buffer->position = position;
    return none();
  });
}

PyObject* tell(PyObject* self, PyObject*) {
  return guarded([&] {
    check_memory_open(as_memory(self));
    return PyLong_FromSsize_t(as_buffer(self)->position);
  });
}

// ---- The type

PyObject* get_is_pmem(PyObject* self, void*) { return boolean(as_buffer(self)->is_pmem); }

PyObject* get_name(PyObject* self, void*) { return Ref::borrow(as_buffer(self)->name).release(); }

PyObject* repr(PyObject* self) {
  const Buffer* buffer = as_buffer(self);
  if (!buffer->memory.open)
    return PyUnicode_FromFormat("<MemoryBuffer of %R, unmapped>", buffer->name);
  return PyUnicode_FromFormat("<MemoryBuffer of %R, %zu bytes>", buffer->name, buffer->memory.size);
}

void dealloc(PyObject* self) {
  Py_CLEAR(as_buffer(self)->name);
  memory_dealloc(self);
}

PyMethodDef methods[] = {
    {"write", write, METH_O,
     "write($self, data, /)\n--\n\n"
     "Store data (bytes-like, or str as UTF-8) at the position and move it on. RuntimeError, and\n"
     "nothing is stored, if it does not fit. Returns the number of bytes. Nothing is durable "
     "until\n"
     "it is persisted."},
    {"read", as_method(read), METH_FASTCALL,
     "read($self, size=0, /)\n--\n\n"
     "The next size bytes, or all that follow if size is 0. EOFError at the end; RuntimeError if\n"
     "there are some, but fewer."},
    {"seek", seek, METH_O,
     "seek($self, pos, /)\n--\n\nSet the position; RuntimeError outside of the buffer."},
    {"tell", tell, METH_NOARGS, "tell($self, /)\n--\n\nThe position."},
    {"unmap", unmap_method, METH_NOARGS,
     "unmap($self, /)\n--\n\n"
     "Let the mapping go; twice is fine. Views of it (memoryviews, NumPy arrays) stay valid: it "
     "is\n"
     "unmapped with the last one. Nothing is persisted."},
    {"__enter__", enter, METH_NOARGS, "__enter__($self, /)\n--\n\n"},
    {"__exit__", as_method(exit), METH_FASTCALL,
     "__exit__($self, *exception)\n--\n\nPersist everything and unmap."},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef attributes[] = {
    {"is_pmem", get_is_pmem, refuse_set, "Whether it is persistent memory.", as_closure("is_pmem")},
    {"name", get_name, refuse_set, "The file's name, as it was given.", as_closure("name")},
    {"closed", memory_closed, refuse_set, "Whether it has been unmapped.", as_closure("closed")},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>("A mapped file; map_file() makes it. Its buffer is the file's "
                                  "bytes, writable; a slice is a memoryview of them.")},
    {Py_tp_new, as_slot(refuse_new)},
    {Py_tp_dealloc, as_slot(dealloc)},
    {Py_tp_repr, as_slot(repr)},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_mp_length, as_slot(memory_length)},
    {Py_mp_subscript, as_slot(memory_get_item)},
    {Py_mp_ass_subscript, as_slot(memory_set_item)},
    {Py_bf_getbuffer, as_slot(memory_get_buffer)},
    {Py_bf_releasebuffer, as_slot(memory_release_buffer)},
    {0, nullptr}};

PyType_Spec spec = {"nvm.pmem.MemoryBuffer", sizeof(Buffer), 0, kPlainFlags, slots};

PyMethodDef functions[] = {
    {"map_file", as_method(map_file), METH_VARARGS | METH_KEYWORDS,
     "map_file($module, /, file_name, file_size=0, flags=0, mode=0o666)\n--\n\n"
     "Map a file, or device DAX, as a MemoryBuffer.\n\n"
     "Without flags the file must exist, and file_size must be 0: all of it is mapped. With\n"
     "FILE_CREATE it is made if missing, with this mode, and has file_size bytes, allocated "
     "unless\n"
     "FILE_SPARSE is given too; with FILE_EXCL as well it must not exist. FILE_TMPFILE makes a "
     "file\n"
     "without a name in the folder file_name. OSError with libpmem's message if it cannot be "
     "done."},
    {"unmap", unmap_function, METH_O,
     "unmap($module, buffer, /)\n--\n\nLet the mapping go: buffer.unmap()."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

void register_buffer(PyObject* module) {
  buffer_type = add_type(module, spec);
  add_functions(module, "pmem", functions);
  check(PyModule_AddIntConstant(module, "PMEM_FILE_CREATE", PMEM_FILE_CREATE));
  check(PyModule_AddIntConstant(module, "PMEM_FILE_EXCL", PMEM_FILE_EXCL));
  check(PyModule_AddIntConstant(module, "PMEM_FILE_SPARSE", PMEM_FILE_SPARSE));
  check(PyModule_AddIntConstant(module, "PMEM_FILE_TMPFILE", PMEM_FILE_TMPFILE));
}

}  // namespace nvm::bindings::kit::pmem
