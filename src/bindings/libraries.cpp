// nvm.libraries().
#include "binding.h"
#include "container.h"
#include "heap/file/library_version.h"

namespace nvm::bindings {

namespace {

Ref text_of(const std::string& text) {
  return checked(
      PyUnicode_DecodeFSDefaultAndSize(text.data(), static_cast<Py_ssize_t>(text.size())));
}

Ref described(const heap::Library& library) {
  const Ref version = text_of(library.version);
  const Ref path = text_of(library.path);
  return checked(Py_BuildValue("{sOsO}", "version", version.get(), "path", path.get()));
}

PyObject* nvm_libraries(PyObject*, PyObject*) {
  return guarded([] {
    Ref all = checked(PyDict_New());
    for (const heap::Library& library : heap::libraries())
      check(PyDict_SetItemString(all.get(), library.name.c_str(), described(library).get()));
    return all.release();
  });
}

PyMethodDef functions[] = {
    {"libraries", nvm_libraries, METH_NOARGS,
     "libraries($module, /)\n--\n\n"
     "The libraries of PMDK in use: for each name the version of its interface (\"version\") and\n"
     "the file it was loaded from (\"path\")."},
    {}};

}  // namespace

void register_libraries(PyObject* module) {
  heap::library_version();  // refuses an older library than the one compiled for
  check(PyModule_AddFunctions(module, functions));
}

}  // namespace nvm::bindings
