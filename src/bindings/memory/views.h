// Where the interpreter does not tell that a view has ended (PyPy): the Python side finds it out
// (nvm/_pypy/views.py), and is asked before an operation fails because of a view.
#pragma once

#include <Python.h>

#include "pmem/error.h"

namespace nvm::bindings {

// Ends the exports whose views have ended. False if there were none.
bool end_dead_views();

// Runs f, and again after Error(buffer) if views that stood in its way may only have been dead.
// REQUIRES: no latch.
template <class F>
auto past_dead_views(F&& f) {
  while (true) {
    try {
      return f();
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::buffer || !end_dead_views()) throw;
    }
  }
}

void register_views(PyObject* module);

}  // namespace nvm::bindings
