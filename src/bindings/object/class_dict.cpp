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

// Neither would the slot: classes of Python's that have a __get__ alone fill it.
bool is_data_descriptor(PyObject* class_attribute) {
  if (class_attribute == nullptr) return false;
  const Ref answer =
      checked(PyObject_CallMethod(classes(), "is_data_descriptor", "O", class_attribute));
  return answer.get() == Py_True;
}

void put_on_class(PyTypeObject* type, PyObject* name, PyObject* value) {
  checked(PyObject_CallMethod(classes(), "put_on_class", "OOO", type, name, value));
}

#else

namespace {

Ref dict_of(PyTypeObject* type) {
#if PY_VERSION_HEX >= 0x030C0000
  return Ref(PyType_GetDict(type));
#else
  return Ref::borrow(type->tp_dict);
#endif
}

}  // namespace

Ref own_value(PyTypeObject* type, PyObject* name) {
  PyObject* value = PyDict_GetItemWithError(dict_of(type).get(), name);
  if (value == nullptr && PyErr_Occurred()) throw PythonError{};
  return Ref::borrow(value);
}

Ref lookup(PyTypeObject* type, PyObject* name) { return Ref::borrow(_PyType_Lookup(type, name)); }

bool inherits_comparison(PyTypeObject* type, PyTypeObject* base) {
  return type->tp_richcompare == base->tp_richcompare && type->tp_hash == base->tp_hash;
}

bool is_data_descriptor(PyObject* class_attribute) {
  return class_attribute != nullptr && Py_TYPE(class_attribute)->tp_descr_set != nullptr;
}

void put_on_class(PyTypeObject* type, PyObject* name, PyObject* value) {
  check(PyType_Type.tp_setattro(object_of(type), name, value));
}

void put_in_dict(PyTypeObject* type, PyObject* name, PyObject* value) {
  check(PyDict_SetItem(dict_of(type).get(), name, value));
  PyType_Modified(type);
}

#endif

bool inherits(PyTypeObject* type, PyObject* name) {
  return lookup(type, name).get() == lookup(types.object, name).get();
}

}  // namespace nvm::bindings
