#include "pool/progress.h"

#include "container.h"

namespace nvm::bindings {

Ref progress_function(PyObject* progress) {
  if (progress == nullptr || progress == Py_None || progress == Py_False) return Ref();
  if (progress != Py_True && PyCallable_Check(progress) != 0) return Ref::borrow(progress);
  if (progress != Py_True) raise(PyExc_TypeError, "progress must be a function or True");
  const Ref module = checked(PyImport_ImportModule("nvm._progress"));
  return checked(PyObject_CallMethod(module.get(), "Bar", nullptr));
}

collect::Progress report_to(const heap::Pool& pool, PyObject* function) {
  return [&pool, function](uint64_t done, uint64_t total) {
    const Locked locked;
    check_signals();
    if (function != nullptr)
      checked(PyObject_CallFunction(function, "KK", static_cast<unsigned long long>(done),
                                    static_cast<unsigned long long>(total)));
    pool.check_open();  // either may have forked, and this be the child
  };
}

void set_number(const Ref& dict, const char* name, uint64_t number) {
  check(PyDict_SetItemString(dict.get(), name, checked(PyLong_FromUnsignedLongLong(number)).get()));
}

}  // namespace nvm::bindings
