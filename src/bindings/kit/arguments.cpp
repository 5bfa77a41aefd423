// Arguments, errors and functions of the kit.
#include <cerrno>
#include <cstring>
#include <limits>

#include "kit/kit.h"

namespace nvm::bindings::kit {

std::string file_name(PyObject* argument) {
  PyObject* bytes = nullptr;
  if (PyUnicode_FSConverter(argument, &bytes) == 0) throw PythonError{};
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

}  // namespace nvm::bindings::kit
