// What the files of PersistentObjectPool share.
#pragma once

#include "binding.h"

namespace nvm::bindings {

// new(), transaction(), reading(), persist_via_pickle() (pool_making.cpp).
extern const std::vector<PyMethodDef> making_methods;

extern PyGetSetDef pool_attributes[];  // pool_attributes.cpp

// check() and stats() (pool_reports.cpp).
extern const std::vector<PyMethodDef> report_methods;

// gc() (pool_collection.cpp).
extern const std::vector<PyMethodDef> collection_methods;

// The pool as a mapping over its own dict (pool_mapping.cpp).
extern const std::vector<PyMethodDef> mapping_methods;
int pool_bool(PyObject* self);
Py_ssize_t pool_length(PyObject* self);
PyObject* pool_iter(PyObject* self);
PyObject* pool_subscript(PyObject* self, PyObject* key);
int pool_assign(PyObject* self, PyObject* key, PyObject* value);  // value null: del
int pool_contains(PyObject* self, PyObject* key);

}  // namespace nvm::bindings
