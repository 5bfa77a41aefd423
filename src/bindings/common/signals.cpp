// Signals, and threads that the interpreter's exit finds running.
#include <unistd.h>

#include "common/python.h"

namespace nvm::bindings {

#ifdef PYPY_VERSION
// There the handlers run between the instructions of Python code, and PyErr_CheckSignals does
// nothing.
void check_signals() {
  static PyObject* const nothing = [] {
    const Ref globals = checked(PyDict_New());
    return checked(PyRun_String("lambda: None", Py_eval_input, globals.get(), globals.get()))
        .release();
  }();
  checked(PyObject_CallObject(nothing, nullptr));
}
#else
void check_signals() { check(PyErr_CheckSignals()); }
#endif

void stop_thread() noexcept {
  for (;;) pause();
}

}  // namespace nvm::bindings
