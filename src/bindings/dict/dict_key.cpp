// Keys as they are given: hash() first, as Python does, then what the pool makes of them.
#include "dict/dict.h"
#include "pmem/error.h"
#include "values/encode.h"

namespace nvm::bindings {

namespace {

// Their hashes never fail, so that they need not be asked for.
bool surely_hashable(PyObject* key) {
  const PyTypeObject* type = Py_TYPE(key);
  return type == &PyUnicode_Type || type == &PyLong_Type || type == &PyBytes_Type ||
         type == &PyFloat_Type || type == &PyBool_Type || key == Py_None;
}

PyObject* hashed(PyObject* key) {
  if (!surely_hashable(key) && PyObject_Hash(key) == -1) throw PythonError{};
  return key;
}

// The first object in a key that does not compare by identity, or null. Borrowed.
PyObject* unfit_part(PyObject* key) {
  if (is_proxy(key)) return inherits_comparison(Py_TYPE(key), types.object) ? nullptr : key;
  if (!PyTuple_Check(key) && !PyFrozenSet_Check(key)) return nullptr;
  if (Py_EnterRecursiveCall(" in a key") != 0) throw PythonError{};
  PyObject* unfit = nullptr;
  try {
    if (PyTuple_Check(key)) {
      for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(key) && unfit == nullptr; ++i)
        unfit = unfit_part(PyTuple_GET_ITEM(key, i));
    } else {
      const Ref iterator = checked(PyObject_GetIter(key));
      while (Ref element{unfit == nullptr ? PyIter_Next(iterator.get()) : nullptr})
        unfit = unfit_part(element.get());
      if (PyErr_Occurred()) throw PythonError{};
    }
  } catch (...) {
    Py_LeaveRecursiveCall();
    throw;
  }
  Py_LeaveRecursiveCall();
  return unfit;
}

}  // namespace

bool compares_as_stored(PyObject* key) { return unfit_part(key) == nullptr; }

void check_key(PyObject* key) {
  if (surely_hashable(key)) return;
  if (PyObject* unfit = unfit_part(key))
    raise(PyExc_TypeError,
          "'%.200s' objects cannot be keys of a persistent dict or elements of a persistent set: "
          "their class has its own __eq__ or __hash__, which the pool cannot call",
          Py_TYPE(unfit)->tp_name);
}

DictKey::DictKey(Proxy* dict, PyObject* key, Encoded::Purpose purpose)
    : encoded_(dict->pool, hashed(key), purpose) {
  if (purpose == Encoded::Purpose::store) {
    check_key(key);
  } else if (!encoded_.comparable() || (!surely_hashable(key) && unfit_part(key) != nullptr)) {
    return;
  }
  key_.emplace(checked_pool(dict), encoded_.value());
}

PyObject* set_key_error(PyObject* key) noexcept {
  // A tuple would be taken for the exception's arguments.
  const Ref arguments(PyTuple_Pack(1, key));
  if (arguments) PyErr_SetObject(PyExc_KeyError, arguments.get());
  return nullptr;
}

}  // namespace nvm::bindings
