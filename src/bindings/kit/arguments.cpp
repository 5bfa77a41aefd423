// Arguments, errors and functions of the kit.
#include <cerrno>
#include <cstring>
#include <limits>

#include "kit/kit.h"

namespace nvm::bindings::kit {

std::string file_name(PyObject* argument) {
  const Ref path = checked(PyOS_FSPath(argument));  // PyPy's converter does not do this
  PyObject* bytes = nullptr;
  if (PyUnicode_FSConverter(path.get(), &bytes) == 0) throw PythonError{};
  const Ref name(bytes);
  return {PyBytes_AS_STRING(bytes), static_cast<size_t>(PyBytes_GET_SIZE(bytes))};
}

size_t size_argument(PyObject* argument, const char* name) {
  const Ref number = checked(PyNumber_Index(argument));
  const Py_ssize_t value = PyLong_AsSsize_t(number.get());
  if (value == -1 && PyErr_Occurred()) {
    if (PyErr_ExceptionMatches(PyExc_OverflowError) == 0) throw PythonError{};
    PyErr_Clear();
    raise(PyExc_OverflowError, "%s is out of range: %R", name, number.get());
  }
  if (value < 0) raise(PyExc_ValueError, "%s must not be negative, not %zd", name, value);
  return static_cast<size_t>(value);
}

std::string bytes_argument(PyObject* argument) {
  if (PyUnicode_Check(argument)) {
    Py_ssize_t size = 0;
    const char* text = PyUnicode_AsUTF8AndSize(argument, &size);
    if (text == nullptr) throw PythonError{};
    return {text, static_cast<size_t>(size)};
  }
  const Range range(argument);
  return {range.data(), range.size()};
}

namespace {

size_t index_of(const ArgumentNames& expected, PyObject* keyword) {
  for (size_t i = 0; i < expected.count; ++i)
    if (PyUnicode_CompareWithASCIIString(keyword, expected.names[i]) == 0) return i;
  raise(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", expected.function,
        keyword);
}

}  // namespace

void take_arguments(const ArgumentNames& expected, PyObject* const* given, Py_ssize_t positional,
                    PyObject* keywords, PyObject** values) {
  check_count(expected.function, positional, 0, static_cast<Py_ssize_t>(expected.count));
  for (Py_ssize_t i = 0; i < positional; ++i) values[i] = given[i];
  const Py_ssize_t named = keywords == nullptr ? 0 : PyTuple_GET_SIZE(keywords);
  for (Py_ssize_t i = 0; i < named; ++i) {
    const size_t at = index_of(expected, PyTuple_GET_ITEM(keywords, i));
    if (values[at] != nullptr)
      raise(PyExc_TypeError, "%s() got multiple values for argument '%s'", expected.function,
            expected.names[at]);
    values[at] = given[positional + i];
  }
  for (size_t i = 0; i < expected.needed; ++i)
    if (values[i] == nullptr)
      raise(PyExc_TypeError, "%s() missing required argument '%s'", expected.function,
            expected.names[i]);
}

void throw_library_error(int number, const char* message, const std::string& file) {
  const bool told = message != nullptr && *message != '\0';
  throw Error(ErrorKind::os, told ? message : std::strerror(number), number, file);
}

void throw_library_error(const char* message, const std::string& file) {
  const int number = errno;
  throw_library_error(number != 0 ? number : EIO, message, file);
}

void add_functions(PyObject* module, const char* library, PyMethodDef* functions) {
  const Ref public_module = checked(PyUnicode_FromFormat("nvm.%s", library));
  for (PyMethodDef* method = functions; method->ml_name != nullptr; ++method) {
    const Ref function = checked(PyCFunction_NewEx(method, nullptr, public_module.get()));
    const std::string name = std::string(library) + "_" + method->ml_name;
    check(PyObject_SetAttrString(module, name.c_str(), function.get()));
  }
}

PyTypeObject* add_named_type(PyObject* module, const char* name, PyType_Spec& spec) {
  Ref type = checked(PyType_FromSpec(&spec));
  check(PyObject_SetAttrString(module, name, type.get()));
  return reinterpret_cast<PyTypeObject*>(type.release());
}

}  // namespace nvm::bindings::kit
