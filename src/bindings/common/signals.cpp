// Signals, and threads that the interpreter's exit finds running.
#include <cxxabi.h>
#include <unistd.h>

#include <atomic>

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

// ---- The interpreter's exit

namespace {

std::atomic<bool> exiting{false};
constexpr useconds_t kExitSlice = 20'000;
constexpr int kExitSlices = 50;

}  // namespace

void stop_thread() noexcept {
  for (;;) pause();
}

bool finalizing() noexcept {
#if PY_VERSION_HEX >= 0x030D0000
  return Py_IsFinalizing() != 0;
#else
  return _Py_IsFinalizing() != 0;
#endif
}

bool is_main_thread() noexcept { return gettid() == getpid(); }

void take_lock(PyThreadState* state) noexcept {
  try {
    PyEval_RestoreThread(state);
  } catch (const abi::__forced_unwind&) {
    stop_thread();
  }
}

void begin_exit() noexcept { exiting.store(true); }

void wait_for_exit() noexcept {
  if (!exiting.load() || is_main_thread()) return;
  PyThreadState* const state = PyEval_SaveThread();
  for (int slice = 0; slice < kExitSlices && !finalizing(); ++slice) ::usleep(kExitSlice);
  if (finalizing()) stop_thread();
  take_lock(state);
}

}  // namespace nvm::bindings
