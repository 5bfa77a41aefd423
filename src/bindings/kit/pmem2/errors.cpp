// nvm.pmem2: error codes and enumerations, which are Python's (nvm/_pmem2.py).
#include <cerrno>

#include "kit/pmem2/pmem2.h"

namespace nvm::bindings::kit::pmem2 {

Names names;

// As pmem2_err_to_errno, which the library declares but does not export.
int errno_of(int code) noexcept {
  if (code == PMEM2_E_NOSUPP) return ENOTSUP;
  return code <= PMEM2_E_UNKNOWN ? EINVAL : -code;
}

void check_code(int code, PyObject* name) {
  if (code == 0) return;
  const Ref message = checked(PyUnicode_DecodeFSDefault(pmem2_errormsg()));
  const Ref error = checked(PyObject_CallFunction(names.make_error, "iiOO", code, errno_of(code),
                                                  message.get(), name == nullptr ? Py_None : name));
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.get())), error.get());
  throw PythonError{};
}

long member_argument(PyObject* enumeration, PyObject* argument) {
  const Ref member = checked(PyObject_CallFunctionObjArgs(enumeration, argument, nullptr));
  const long value = PyLong_AsLong(member.get());
  if (value == -1 && PyErr_Occurred()) throw PythonError{};
  return value;
}

Ref member_of(PyObject* enumeration, long value) {
  return checked(PyObject_CallFunction(enumeration, "l", value));
}

void register_names(PyObject*) {
  const Ref module = checked(PyImport_ImportModule("nvm._pmem2"));
  const auto take = [&](const char* name) {
    return checked(PyObject_GetAttrString(module.get(), name)).release();
  };
  names = {take("Granularity"), take("Sharing"), take("Protection"), take("BadBlock"),
           take("make_error")};
}

}  // namespace nvm::bindings::kit::pmem2
