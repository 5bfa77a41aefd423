// Ranges of memory from Python objects.
#include "kit/kit.h"

namespace nvm::bindings::kit {

namespace {

// Why an object's buffer cannot be had as bytes in one piece. Its own error is set.
[[noreturn]] void raise_reason(PyObject* object, Access access) {
  if (!PyObject_CheckBuffer(object)) throw PythonError{};
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  Py_buffer view;
  if (PyObject_GetBuffer(object, &view, PyBUF_FULL_RO) != 0) {
    PyErr_Clear();
    PyErr_Restore(type, value, traceback);
    throw PythonError{};
  }
  const bool read_only = access == Access::write && view.readonly != 0;
  PyBuffer_Release(&view);
  Py_XDECREF(type);
  Py_XDECREF(value);
  Py_XDECREF(traceback);
  raise(PyExc_BufferError,
        read_only ? "the memory of this %.200s is read-only"
                  : "the memory of this %.200s is not contiguous: an address range is one piece",
        Py_TYPE(object)->tp_name);
}

// A view of a contiguous object whose order of items does not matter (as in a Fortran array).
bool get_any_order(PyObject* object, Py_buffer* view, int flags) {
  PyErr_Clear();
  return PyObject_GetBuffer(object, view, PyBUF_ANY_CONTIGUOUS | flags) == 0;
}

}  // namespace

Range::Range(PyObject* object, Access access) {
  const int flags = access == Access::write ? PyBUF_WRITABLE : 0;
  if (PyObject_GetBuffer(object, &view_, PyBUF_SIMPLE | flags) == 0) return;
  if (PyObject_CheckBuffer(object) && get_any_order(object, &view_, flags)) return;
  view_ = {};
  raise_reason(object, access);
}

}  // namespace nvm::bindings::kit
