// The controls of a library (pmem_ctl(5)): ctl_get and ctl_set.
#pragma once

#include <string>

#include "kit/kit.h"

namespace nvm::bindings::kit {

// Those that libpmemlog and libpmemblk have are all of one form: a name, and an int that is a
// boolean. Any other name is a ValueError: the library would take what the pointer leads to for
// something else.
std::string boolean_control(PyObject* name);

template <class Get>
PyObject* get_control(PyObject* name, Get&& get, const char* (*message)()) {
  return guarded([&] {
    const std::string control = boolean_control(name);
    int value = 0;
    if (get(control.c_str(), &value) != 0) throw_library_error(message());
    return boolean(value != 0);
  });
}

template <class Set>
PyObject* set_control(PyObject* const* arguments, Py_ssize_t count, Set&& set,
                      const char* (*message)()) {
  return guarded([&] {
    check_count("ctl_set", count, 2, 2);
    const std::string control = boolean_control(arguments[0]);
    int value = PyObject_IsTrue(arguments[1]);
    check(value);
    if (set(control.c_str(), &value) != 0) throw_library_error(message());
    return none();
  });
}

}  // namespace nvm::bindings::kit
