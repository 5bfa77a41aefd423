// What the methods that look at a whole pool share: progress=, and reports as dicts.
#pragma once

#include "binding.h"
#include "collect/progress.h"

namespace nvm::bindings {

// What `progress=` gave: a function of (done, total), or null. Throws PythonError.
Ref progress_function(PyObject* progress);
// Runs without the interpreter's lock; takes it to look for signals and to call the function, if
// there is one; then the pool must still be this process's.
collect::Progress report_to(const heap::Pool& pool, PyObject* function);

void set_number(const Ref& dict, const char* name, uint64_t number);

}  // namespace nvm::bindings
