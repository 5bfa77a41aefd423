// PersistentList: what list.cpp, list_slices.cpp, list_search.cpp, list_sort.cpp and list_iter.cpp
// share. Each holds the slots and methods its name says; list.cpp puts them into the type.
#pragma once

#include <Python.h>

#include "container.h"
#include "object/list/list.h"

namespace nvm::bindings {

bool is_list(PyObject* object) noexcept;

uint64_t list_size(Proxy* self);
// The item, or null (no exception) at and beyond the end.
Ref list_item(Proxy* self, uint64_t index);
// All items, read at one instant, in an ordinary list.
Ref list_snapshot(Proxy* self);
// Throws IndexError. Negative indexes count from the end.
uint64_t checked_index(Py_ssize_t index, uint64_t size, const char* message);

// list_slices.cpp
PyObject* list_get_slice(PyObject* self, PyObject* slice);
int list_set_slice(PyObject* self, PyObject* slice, PyObject* values);  // null: deletes
void list_extend(Proxy* self, PyObject* iterable);
PyObject* list_concat(PyObject* self, PyObject* other);
PyObject* list_repeat(PyObject* self, Py_ssize_t times);
PyObject* list_inplace_concat(PyObject* self, PyObject* other);
PyObject* list_inplace_repeat(PyObject* self, Py_ssize_t times);

// list_search.cpp
int list_contains(PyObject* self, PyObject* value);
PyObject* list_count(PyObject* self, PyObject* value);
PyObject* list_index(PyObject* self, PyObject* const* arguments, Py_ssize_t count);
PyObject* list_remove(PyObject* self, PyObject* value);
PyObject* list_compare(PyObject* self, PyObject* other, int op);

// list_sort.cpp
PyObject* list_sort(PyObject* self, PyObject* arguments, PyObject* keywords);

// list_iter.cpp
PyObject* list_iter(PyObject* self);
PyObject* list_reversed(PyObject* self, PyObject*);
void register_list_iterator(PyObject* module);

}  // namespace nvm::bindings
