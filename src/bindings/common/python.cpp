// Arguments, methods and types.
#include "common/python.h"

#include <cstdarg>
#include <cstring>

namespace nvm::bindings {

PyTypeObject* add_type(PyObject* module, PyType_Spec& spec) {
  Ref type = checked(PyType_FromSpec(&spec));
  const char* dot = std::strrchr(spec.name, '.');
  check(PyObject_SetAttrString(module, dot == nullptr ? spec.name : dot + 1, type.get()));
  return reinterpret_cast<PyTypeObject*>(type.release());
}

void raise(PyObject* type, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const Ref message(PyUnicode_FromFormatV(format, arguments));
  va_end(arguments);
  if (message) PyErr_SetObject(type, message.get());
  throw PythonError{};
}

Py_ssize_t integer_argument(PyObject* argument) {
#if PY_VERSION_HEX < 0x030A0000 && !defined(PYPY_VERSION)
  // As its own methods do.
  if (PyFloat_Check(argument)) raise(PyExc_TypeError, "integer argument expected, got float");
#endif
  const Ref number = checked(PyNumber_Index(argument));
  const Py_ssize_t value = PyLong_AsSsize_t(number.get());
  if (value == -1 && PyErr_Occurred()) throw PythonError{};
  return value;
}

void check_count(const char* name, Py_ssize_t count, Py_ssize_t least, Py_ssize_t most) {
  const bool few = count < least;
  if (!few && count <= most) return;
  const Py_ssize_t limit = few ? least : most;
  const char* bound = least == most ? "" : few ? "at least " : "at most ";
  raise(PyExc_TypeError, "%s expected %s%zd argument%s, got %zd", name, bound, limit,
        limit == 1 ? "" : "s", count);
}

void check_no_keywords(const char* name, PyObject* keywords) {
  if (keywords != nullptr && PyDict_Size(keywords) != 0)
    raise(PyExc_TypeError, "%s() takes no keyword arguments", name);
}

PyObject* part_of_made(PyObject* self, PyObject* part) {
  if (part == nullptr)
    raise(PyExc_TypeError, "object.__new__ cannot make '%.200s' objects", Py_TYPE(self)->tp_name);
  return part;
}

PyObject* refuse_new(PyTypeObject* type, PyObject*, PyObject*) {
  PyErr_Format(PyExc_TypeError, "cannot create '%.200s' instances", type->tp_name);
  return nullptr;
}

int refuse_set(PyObject* self, PyObject*, void* name) {
  PyErr_Format(PyExc_AttributeError, "attribute '%s' of '%.100s' objects is not writable",
               static_cast<const char*>(name), Py_TYPE(self)->tp_name);
  return -1;
}

// Types, open pools, mappings and proxies would be shared with a second interpreter.
void refuse_subinterpreter() {
#ifndef PYPY_VERSION
  if (PyInterpreterState_Get() == PyInterpreterState_Main()) return;
  PyErr_SetString(PyExc_ImportError, "nvm cannot be imported into a subinterpreter");
  throw PythonError{};
#endif
}

}  // namespace nvm::bindings
