// What the kit's buffers have in common: an object whose buffer is mapped or allocated memory.
//
// Invariants
//   1. While a view is alive the memory stays in place: a view holds the object, and what is let go
//      while views are alive is given back with the last of them. (PyPy does not tell when a view
//      ends: there it is given back with the object.)
//   2. Memory that has been let go gives no new views: ValueError.
//   3. release is called once.
//
// Threads: the interpreter's lock guards the fields.
#pragma once

#include "kit/kit.h"

namespace nvm::bindings::kit {

struct MemoryObject {
  PyObject_HEAD char* data;  // null: given back, or never had
  size_t size;
  Py_ssize_t views;
  bool open;  // not let go
  bool writable;
  // Gives the memory back; 0, or an errno.
  int (*release)(MemoryObject*) noexcept;
};

inline MemoryObject* as_memory(PyObject* self) noexcept {
  return reinterpret_cast<MemoryObject*>(self);
}

// The object has this memory from now on.
void take_memory(MemoryObject* self, void* data, size_t size, bool writable,
                 int (*release)(MemoryObject*) noexcept) noexcept;
// Throws a ValueError if it has been let go.
void check_memory_open(const MemoryObject* self);
// Lets it go: now, or with the last view; twice is fine. 0, or the errno of release.
int let_memory_go(MemoryObject* self) noexcept;

// The slots; a type adds its own.
int memory_get_buffer(PyObject* self, Py_buffer* view, int flags);
void memory_release_buffer(PyObject* self, Py_buffer* view);
Py_ssize_t memory_length(PyObject* self);
PyObject* memory_get_item(PyObject* self, PyObject* key);             // slices: memoryviews
int memory_set_item(PyObject* self, PyObject* key, PyObject* value);  // of bytes
// Gives the memory back if need be, and frees the object.
void memory_dealloc(PyObject* self);
// "closed": whether it has been let go.
PyObject* memory_closed(PyObject* self, void*);

}  // namespace nvm::bindings::kit
