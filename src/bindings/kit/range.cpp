// Ranges of memory from Python objects.
#include <cstring>

#include "kit/kit.h"

namespace nvm::bindings::kit {

namespace {

[[noreturn]] void raise_reason(PyObject* object, bool read_only) {
  raise(PyExc_BufferError,
        read_only ? "the memory of this %.200s is read-only"
                  : "the memory of this %.200s is not contiguous: an address range is one piece",
        Py_TYPE(object)->tp_name);
}

// Gets the buffer with all that is told about it, and looks by itself whether it will do: for what
// the short way refuses (it may be contiguous in Fortran's order), and to say why it does not.
void get_checked(PyObject* object, Py_buffer* view, Access access) {
  if (PyObject_GetBuffer(object, view, PyBUF_FULL_RO) != 0) {
    *view = {};
    throw PythonError{};
  }
  const bool contiguous = PyBuffer_IsContiguous(view, 'A') != 0;
  const bool read_only = access == Access::write && view->readonly != 0;
  if (contiguous && !read_only) return;
  PyBuffer_Release(view);
  raise_reason(object, contiguous && read_only);
}

#ifdef PYPY_VERSION
// There is no short way there: memoryviews don't look at the flags.
bool get_shortly(PyObject*, Py_buffer*, Access) { return false; }
#else
constexpr int kToWrite = PyBUF_ND | PyBUF_FORMAT | PyBUF_WRITABLE;

bool get_shortly(PyObject* object, Py_buffer* view, Access access) {
  const int flags = access == Access::write ? kToWrite : PyBUF_SIMPLE;
  if (PyObject_GetBuffer(object, view, flags) == 0) return true;
  if (PyObject_CheckBuffer(object) == 0) throw PythonError{};
  PyErr_Clear();
  return false;
}
#endif

}  // namespace

Range::Range(PyObject* object, Access access) {
  if (!get_shortly(object, &view_, access)) get_checked(object, &view_, access);
  // Bytes stored over references would crash the interpreter.
  if (access == Access::write && view_.format != nullptr &&
      std::strchr(view_.format, 'O') != nullptr) {
    PyBuffer_Release(&view_);
    raise(PyExc_BufferError, "the memory of this %.200s holds Python objects, not bytes",
          Py_TYPE(object)->tp_name);
  }
}

}  // namespace nvm::bindings::kit
