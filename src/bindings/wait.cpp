// What a wait for another thread does: lets the interpreter's lock go, and looks for signals.
#include <cxxabi.h>
#include <unistd.h>

#include "binding.h"
#include "heap/locks.h"

namespace nvm::bindings {

namespace {

bool finalizing() noexcept {
#if PY_VERSION_HEX >= 0x030D0000
  return Py_IsFinalizing() != 0;
#else
  return _Py_IsFinalizing() != 0;
#endif
}

bool is_main_thread() noexcept { return gettid() == getpid(); }

void* before_slice() {
  // Not held where the pool is being closed.
  return PyGILState_Check() != 0 ? PyEval_SaveThread() : nullptr;
}

void take_lock(PyThreadState* state) {
  try {
    PyEval_RestoreThread(state);
  } catch (const abi::__forced_unwind&) {
    stop_thread();
  }
}

// During the interpreter's exit no other thread goes on, so that waiting for one is over.
void stop_if_finalizing() {
  if (!finalizing()) return;
  if (!is_main_thread()) stop_thread();
  throw Error(ErrorKind::transaction, "the interpreter exits while another thread uses the pool");
}

void after_slice(void* state) {
  if (finalizing() && !is_main_thread()) stop_thread();
  if (state != nullptr) {
    take_lock(static_cast<PyThreadState*>(state));
    stop_if_finalizing();
    check_signals();
    return;
  }
  stop_if_finalizing();
  const Locked locked;
  check_signals();
}

}  // namespace

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

void register_waiting(PyObject*) { heap::set_wait_hook({before_slice, after_slice}); }

}  // namespace nvm::bindings
