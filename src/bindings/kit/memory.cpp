// The slots of the kit's buffers.
#include "kit/memory.h"

#include <cstring>

namespace nvm::bindings::kit {

namespace {

constexpr Py_ssize_t kBytes = 256;  // values of a byte

int give_back(MemoryObject* self) noexcept {
  if (self->data == nullptr) return 0;
  const int result = self->release(self);
  self->data = nullptr;
  return result;
}

Ref view_of(PyObject* self) { return checked(PyMemoryView_FromObject(self)); }

char* byte_at(MemoryObject* self, PyObject* key) {
  if (!PyIndex_Check(key))
    raise(PyExc_TypeError, "indices must be integers or slices, not %.200s", Py_TYPE(key)->tp_name);
  Py_ssize_t index = PyNumber_AsSsize_t(key, PyExc_IndexError);
  if (index == -1 && PyErr_Occurred()) throw PythonError{};
  check_memory_open(self);
  const auto size = static_cast<Py_ssize_t>(self->size);
  if (index < 0) index += size;
  if (index < 0 || index >= size) raise(PyExc_IndexError, "index out of range");
  return self->data + index;
}

int set_slice(MemoryObject* self, PyObject* slice, PyObject* value) {
  Py_ssize_t start = 0, stop = 0, step = 0;
  check(PySlice_Unpack(slice, &start, &stop, &step));
  const Range bytes(value);
  check_memory_open(self);
  const Py_ssize_t count =
      PySlice_AdjustIndices(static_cast<Py_ssize_t>(self->size), &start, &stop, step);
  if (static_cast<size_t>(count) != bytes.size())
    raise(PyExc_ValueError, "the slice has %zd bytes, but %zu are assigned", count, bytes.size());
  if (step == 1) {
    std::memmove(self->data + start, bytes.data(), bytes.size());
    return 0;
  }
  for (Py_ssize_t i = 0; i < count; ++i) self->data[start + i * step] = bytes.data()[i];
  return 0;
}

}  // namespace

void take_memory(MemoryObject* self, void* data, size_t size, bool writable,
                 int (*release)(MemoryObject*) noexcept) noexcept {
  self->data = static_cast<char*>(data);
  self->size = size;
  self->writable = writable;
  self->release = release;
  self->open = true;
}

void check_memory_open(const MemoryObject* self) {
  if (self->open) return;
  const char* name = Py_TYPE(self)->tp_name;
  const char* dot = std::strrchr(name, '.');
  raise(PyExc_ValueError, "this %.200s has been closed", dot == nullptr ? name : dot + 1);
}

int let_memory_go(MemoryObject* self) noexcept {
  self->open = false;
  return self->views == 0 ? give_back(self) : 0;
}

int memory_get_buffer(PyObject* self, Py_buffer* view, int flags) {
  view->obj = nullptr;
  return guarded_int([&] {
    MemoryObject* memory = as_memory(self);
    check_memory_open(memory);
    check(PyBuffer_FillInfo(view, self, memory->data, static_cast<Py_ssize_t>(memory->size),
                            memory->writable ? 0 : 1, flags));
    ++memory->views;
    return 0;
  });
}

void memory_release_buffer(PyObject* self, Py_buffer*) {
  MemoryObject* memory = as_memory(self);
  if (--memory->views == 0 && !memory->open) give_back(memory);
}

Py_ssize_t memory_length(PyObject* self) {
  return guarded(
      [&] {
        check_memory_open(as_memory(self));
        return static_cast<Py_ssize_t>(as_memory(self)->size);
      },
      -1);
}

// One byte, and a slice that is set, are done without a view: on PyPy a view never ends.
PyObject* memory_get_item(PyObject* self, PyObject* key) {
  return guarded([&] {
    if (PySlice_Check(key)) return PyObject_GetItem(view_of(self).get(), key);
    return PyLong_FromLong(static_cast<unsigned char>(*byte_at(as_memory(self), key)));
  });
}

int memory_set_item(PyObject* self, PyObject* key, PyObject* value) {
  return guarded_int([&] {
    MemoryObject* memory = as_memory(self);
    if (value == nullptr) raise(PyExc_TypeError, "memory cannot be deleted");
    if (!memory->writable) raise(PyExc_TypeError, "cannot modify read-only memory");
    if (PySlice_Check(key)) return set_slice(memory, key, value);
    const Py_ssize_t byte = integer_argument(value);
    if (byte < 0 || byte >= kBytes)
      raise(PyExc_ValueError, "byte must be in range(0, 256), not %zd", byte);
    *byte_at(memory, key) = static_cast<char>(byte);
    return 0;
  });
}

void memory_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  give_back(as_memory(self));
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* memory_closed(PyObject* self, void*) { return boolean(!as_memory(self)->open); }

}  // namespace nvm::bindings::kit
