// The extension module nvm._core: one line for each file that adds to it.
#include <nanobind/nanobind.h>

#include "binding.h"

namespace nvm::bindings {

Types types;

namespace {

void register_all(PyObject* module) {
  refuse_subinterpreter();
  register_errors(module);
  register_waiting(module);
  register_process(module);
  register_pool(module);
  register_open(module);
  register_transaction(module);
  register_reading(module);
  register_list(module);
  register_dict(module);
  register_set(module);
  register_tuple(module);
  register_bytearray(module);
  register_object(module);
  register_front(module);
  register_memory(module);
  register_libraries(module);
}

}  // namespace

}  // namespace nvm::bindings

// NOLINTNEXTLINE(performance-unnecessary-value-param): nanobind's macro writes the signature
NB_MODULE(_core, module) {
  nanobind::set_leak_warnings(false);
  try {
    nvm::bindings::register_all(module.ptr());
  } catch (...) {
    nvm::bindings::set_python_error();
    throw nanobind::python_error();
  }
}
