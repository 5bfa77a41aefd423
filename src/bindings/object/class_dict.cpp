// Looking names up on classes, in the way that each interpreter has.
#include "object/object.h"
#include "values/encode.h"

namespace nvm::bindings {

#ifdef PYPY_VERSION

namespace {

// nvm._pypy.classes, which says why this is done in Python there.
PyObject* classes() {
  static PyObject* const module = checked(PyImport_ImportModule("nvm._pypy.classes")).release();
  return module;
}

// A tuple of one or no item.
Ref ask(const char* function, PyTypeObject* type, PyObject* name) {
  const Ref found = checked(PyObject_CallMethod(classes(), function, "OO", type, name));
  if (PyTuple_GET_SIZE(found.get()) == 0) return {};
  return Ref::borrow(PyTuple_GET_ITEM(found.get(), 0));
}

}  // namespace

Ref own_value(PyTypeObject* type, PyObject* name) { return ask("own_value", type, name); }

Ref lookup(PyTypeObject* type, PyObject* name) { return ask("lookup", type, name); }

// The slots would not tell: each class of Python's has its own.
bool inherits_comparison(PyTypeObject* type, PyTypeObject* base) {
  if (type == base) return true;
  const Ref answer =
      checked(PyObject_CallMethod(classes(), "inherits_comparison", "OO", type, base));
  return answer.get() == Py_True;
}

#else

Ref own_value(PyTypeObject* type, PyObject* name) {
#if PY_VERSION_HEX >= 0x030C0000
  const Ref dict(PyType_GetDict(type));
  PyObject* value = PyDict_GetItemWithError(dict.get(), name);
#else
  PyObject* value = PyDict_GetItemWithError(type->tp_dict, name);
#endif
  if (value == nullptr && PyErr_Occurred()) throw PythonError{};
  return Ref::borrow(value);
}

Ref lookup(PyTypeObject* type, PyObject* name) { return Ref::borrow(_PyType_Lookup(type, name)); }

bool inherits_comparison(PyTypeObject* type, PyTypeObject* base) {
  return type->tp_richcompare == base->tp_richcompare && type->tp_hash == base->tp_hash;
}

#endif

}  // namespace nvm::bindings
