// Signals, and threads that the interpreter's exit finds running.
#include <unistd.h>

#include "common/python.h"

namespace nvm::bindings {

#ifdef PYPY_VERSION
// There the handlers run between the instructions of Python code, and PyErr_CheckSignals does
// nothing. Code that the JIT has compiled looks for signals only where a loop jumps back.
void check_signals() {
  static PyObject* const loop = [] {
    const Ref globals = checked(PyDict_New());
    const char* const source = "def loop():\n  for _ in (1, 2): pass";
    checked(PyRun_String(source, Py_file_input, globals.get(), globals.get()));
    PyObject* const made = PyDict_GetItemString(globals.get(), "loop");
    Py_INCREF(made);
    return made;
  }();
  checked(PyObject_CallObject(loop, nullptr));
}
#else
void check_signals() { check(PyErr_CheckSignals()); }
#endif

void stop_thread() noexcept {
  for (;;) pause();
}

}  // namespace nvm::bindings
