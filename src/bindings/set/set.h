// PersistentSet and PersistentFrozenSet: what the files of this folder share. Each holds the slots
// and methods its name says; set.cpp and frozenset.cpp put them into the types.
#pragma once

#include <Python.h>

#include "container.h"
#include "dict/dict.h"
#include "object/set/set.h"

namespace nvm::bindings {

bool is_set(PyObject* object) noexcept;        // a PersistentSet
bool is_frozenset(PyObject* object) noexcept;  // a PersistentFrozenSet
// What operators take: sets of any kind and set-like views of dicts.
bool is_set_operand(PyObject* object) noexcept;

// set_elements.cpp: of both kinds
uint64_t set_size(Proxy* self);
bool set_holds(Proxy* self, const DictKey& element);
// All elements, read at one instant, in an ordinary list (a set's in order of insertion).
Ref set_elements(Proxy* self);
// The same in an ordinary set or frozenset.
Ref set_snapshot(Proxy* self);
// What to look for instead of this object: of a set, which is unhashable, a frozenset.
Ref element_sought(PyObject* element);
Py_ssize_t set_length(PyObject* self);
int set_contains(PyObject* self, PyObject* element);
PyObject* set_copy(PyObject* self, PyObject*);
PyObject* set_to_python(PyObject* self, PyObject*);
PyObject* set_reduce(PyObject* self, PyObject*);
// "PersistentSet({1, 2})".
PyObject* set_repr(PyObject* self);

// set_update.cpp: of a PersistentSet
void set_assign(Proxy* self, PyObject* elements);  // an ordinary set's, for those it has
PyObject* set_update(PyObject* self, PyObject* others);
PyObject* set_intersection_update(PyObject* self, PyObject* others);
PyObject* set_difference_update(PyObject* self, PyObject* others);
PyObject* set_symmetric_difference_update(PyObject* self, PyObject* other);
PyObject* set_inplace_or(PyObject* self, PyObject* other);
PyObject* set_inplace_and(PyObject* self, PyObject* other);
PyObject* set_inplace_subtract(PyObject* self, PyObject* other);
PyObject* set_inplace_xor(PyObject* self, PyObject* other);

// set_operators.cpp: of both kinds
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

// frozenset.cpp: what is known of a PersistentFrozenSet (object/key/hash_cache.h)
Py_hash_t known_hash(PyObject* frozenset);              // -1: nothing
void learn_hash(PyObject* frozenset, PyObject* plain);  // that of the ordinary one
bool known_fit(PyObject* frozenset);                    // by check_key()
void learn_fit(PyObject* frozenset);
void register_frozenset(PyObject* module);

}  // namespace nvm::bindings
