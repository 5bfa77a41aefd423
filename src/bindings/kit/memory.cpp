// The slots of the kit's buffers.
#include "kit/memory.h"

#include <cstring>

namespace nvm::bindings::kit {

namespace {

int give_back(MemoryObject* self) noexcept {
  if (self->data == nullptr) return 0;
  const int result = self->release(self);
  self->data = nullptr;
  return result;
}

Ref view_of(PyObject* self) { return checked(PyMemoryView_FromObject(self)); }

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

PyObject* memory_get_item(PyObject* self, PyObject* key) {
  return guarded([&] { return PyObject_GetItem(view_of(self).get(), key); });
}

int memory_set_item(PyObject* self, PyObject* key, PyObject* value) {
  return guarded_int([&] {
    if (value == nullptr) raise(PyExc_TypeError, "memory cannot be deleted");
    return PyObject_SetItem(view_of(self).get(), key, value);
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
