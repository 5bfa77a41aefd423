// What a wait for another thread does: lets the interpreter's lock go, and looks for signals.
#include "binding.h"
#include "heap/locks.h"

namespace nvm::bindings {

namespace {

void* before_slice() {
  // Not held where the pool is being closed.
  return PyGILState_Check() != 0 ? PyEval_SaveThread() : nullptr;
}

// During the interpreter's exit no other thread goes on, so that waiting for one is over.
void stop_if_finalizing() {
  if (!finalizing()) return;
  if (!is_main_thread()) stop_thread();
  throw Error(ErrorKind::transaction, "the interpreter exits while another thread uses the pool");
}

void after_slice(void* state) noexcept {
  if (finalizing() && !is_main_thread()) stop_thread();
  if (state != nullptr) take_lock(static_cast<PyThreadState*>(state));
}

void look_around() {
  stop_if_finalizing();
  const Locked locked;
  check_signals();
}

}  // namespace

void register_waiting(PyObject*) { heap::set_wait_hook({before_slice, after_slice, look_around}); }

}  // namespace nvm::bindings
