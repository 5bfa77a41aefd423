// nvm.pmem: libpmem.
#include <libpmem.h>

#include "kit/pmem/pmem.h"

namespace nvm::bindings::kit {

namespace {

PyObject* check_version(PyObject*, PyObject* arguments) {
  return guarded([&] {
    unsigned major = 0;
    unsigned minor = 0;
    if (PyArg_ParseTuple(arguments, "II:check_version", &major, &minor) == 0) throw PythonError{};
    const char* complaint = pmem_check_version(major, minor);
    if (complaint != nullptr) raise(PyExc_RuntimeError, "%s", complaint);
    return boolean(true);
  });
}

PyMethodDef functions[] = {
    {"check_version", check_version, METH_VARARGS,
     "check_version($module, major_required, minor_required, /)\n--\n\n"
     "True if the library loaded serves a program written for this version of its interface;\n"
     "RuntimeError with the library's message if not."},
    {}};

}  // namespace

void register_pmem(PyObject* module) {
  add_functions(module, "pmem", functions);
  pmem::register_buffer(module);
  pmem::register_flushing(module);
  pmem::register_copying(module);
}

}  // namespace nvm::bindings::kit
