// The extension module nvm._kit: the libraries of PMDK besides libpmemobj, one line for each.
#include "kit/kit.h"

#include <nanobind/nanobind.h>

namespace nvm::bindings::kit {

namespace {

void register_all(PyObject* module) {
  refuse_subinterpreter();
  register_errors(module);
  register_pmem(module);
#if NVM_KIT_PMEM2
  register_pmem2(module);
#endif
#if NVM_KIT_PMEMLOG
  register_pmemlog(module);
#endif
#if NVM_KIT_PMEMBLK
  register_pmemblk(module);
#endif
#if NVM_KIT_PMEMPOOL
  register_pmempool(module);
#endif
#if NVM_KIT_VMEM
  register_vmem(module);
#endif
}

}  // namespace

}  // namespace nvm::bindings::kit

// NOLINTNEXTLINE(performance-unnecessary-value-param): nanobind's macro writes the signature
NB_MODULE(_kit, module) {
  nanobind::set_leak_warnings(false);
  try {
    nvm::bindings::kit::register_all(module.ptr());
  } catch (...) {
    nvm::bindings::set_python_error();
    throw nanobind::python_error();
  }
}
