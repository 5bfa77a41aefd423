// PersistentSet: what set.cpp, set_update.cpp and set_operators.cpp share. Each holds the slots and
// methods its name says; set.cpp puts them into the type.
#pragma once

#include <Python.h>

#include "container.h"
#include "dict/dict.h"
#include "object/set/set.h"

namespace nvm::bindings {

bool is_set(PyObject* object) noexcept;

uint64_t set_size(Proxy* self);
bool set_holds(Proxy* self, const DictKey& element);
// All elements, read at one instant and in order of insertion, in an ordinary list.
Ref set_elements(Proxy* self);
// The same in an ordinary set.
Ref set_snapshot(Proxy* self);
// The set gets these elements (an ordinary set) for those it has.
void set_assign(Proxy* self, PyObject* elements);

// set_update.cpp
PyObject* set_update(PyObject* self, PyObject* others);
PyObject* set_intersection_update(PyObject* self, PyObject* others);
PyObject* set_difference_update(PyObject* self, PyObject* others);
PyObject* set_symmetric_difference_update(PyObject* self, PyObject* other);
PyObject* set_inplace_or(PyObject* self, PyObject* other);
PyObject* set_inplace_and(PyObject* self, PyObject* other);
PyObject* set_inplace_subtract(PyObject* self, PyObject* other);
PyObject* set_inplace_xor(PyObject* self, PyObject* other);

// set_operators.cpp
PyObject* set_union(PyObject* self, PyObject* others);
PyObject* set_intersection(PyObject* self, PyObject* others);
PyObject* set_difference(PyObject* self, PyObject* others);
PyObject* set_symmetric_difference(PyObject* self, PyObject* other);
PyObject* set_isdisjoint(PyObject* self, PyObject* other);
PyObject* set_issubset(PyObject* self, PyObject* other);
PyObject* set_issuperset(PyObject* self, PyObject* other);
PyObject* set_or(PyObject* left, PyObject* right);
PyObject* set_and(PyObject* left, PyObject* right);
PyObject* set_subtract(PyObject* left, PyObject* right);
PyObject* set_xor(PyObject* left, PyObject* right);
PyObject* set_compare(PyObject* self, PyObject* other, int op);
// What operators take: sets of any kind and set-like views of dicts.
bool is_set_operand(PyObject* object) noexcept;

}  // namespace nvm::bindings
