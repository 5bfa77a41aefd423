// The extension module nvm._core.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "heap/library_version.h"

NB_MODULE(_core, m) {
  nanobind::set_leak_warnings(false);
  m.def("library_version", &nvm::heap::library_version);
}
