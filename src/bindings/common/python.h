// What the bindings of the pools (nvm._core) and of the other libraries (nvm._kit) share:
// references, errors, the interpreter's lock, and what types and methods are made with.
#pragma once

#include <Python.h>

#include <utility>

namespace nvm::bindings {

// Owns one reference.
class Ref {
 public:
  Ref() = default;
  explicit Ref(PyObject* owned) : object_(owned) {}
  Ref(Ref&& other) noexcept : object_(other.release()) {}
  Ref& operator=(Ref&& other) noexcept {
    PyObject* old = object_;
    object_ = other.release();
    Py_XDECREF(old);
    return *this;
  }
  ~Ref() { Py_XDECREF(object_); }
  static Ref borrow(PyObject* object) {
    Py_XINCREF(object);
    return Ref(object);
  }
  PyObject* get() const noexcept { return object_; }
  PyObject* release() noexcept {
    PyObject* object = object_;
    object_ = nullptr;
    return object;
  }
  explicit operator bool() const noexcept { return object_ != nullptr; }

 private:
  PyObject* object_ = nullptr;
};

// A Python exception is set; thrown through C++ code that must be unwound.
struct PythonError {};

// Sets the Python exception for the C++ exception in flight (errors.cpp). Call inside catch.
void set_python_error() noexcept;

// Lets the interpreter's lock go for its lifetime.
class Unlocked {
 public:
  Unlocked() : state_(PyEval_SaveThread()) {}
  ~Unlocked() { PyEval_RestoreThread(state_); }
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;

 private:
  PyThreadState* state_;
};

// Holds the interpreter's lock for its lifetime, held already or not.
class Locked {
 public:
  Locked() : state_(PyGILState_Ensure()) {}
  ~Locked() { PyGILState_Release(state_); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

 private:
  PyGILState_STATE state_;
};

// Runs the handlers of signals that have come; throws PythonError if one raises (signals.cpp).
void check_signals();

// A thread that asks for the interpreter's lock during its exit is ended by it (pthread_exit),
// which would unwind through code that must not be. Such a thread stops here instead, as all do
// from Python 3.14 on (signals.cpp).
[[noreturn]] void stop_thread() noexcept;
bool finalizing() noexcept;
bool is_main_thread() noexcept;
// PyEval_RestoreThread(), for such threads too.
void take_lock(PyThreadState* state) noexcept;

// From begin_exit() on, when the interpreter's exit closes the pools, other threads are daemons
// that it is about to stop. What they raise meanwhile would be printed while it is taken down, and
// CPython ends by a fatal error if several threads print then. So who finds a pool closed waits for
// that, a second at most: an exit handler may be waiting for the thread.
void begin_exit() noexcept;
void wait_for_exit() noexcept;

// Runs f, which returns PyObject* (or int for slots); any exception becomes a Python one.
template <class F>
auto guarded(F&& f, decltype(f()) failure = {}) noexcept -> decltype(f()) {
  try {
    return f();
  } catch (...) {
    set_python_error();
    return failure;
  }
}
template <class F>
int guarded_int(F&& f) noexcept {
  try {
    return f();
  } catch (...) {
    set_python_error();
    return -1;
  }
}
// Throws PythonError if the reference is null.
inline Ref checked(PyObject* object) {
  if (object == nullptr) throw PythonError{};
  return Ref(object);
}
inline void check(int result) {
  if (result < 0) throw PythonError{};
}
inline uint64_t length_of(PyObject* object) {
  const Py_ssize_t size = PyObject_Size(object);
  if (size < 0) throw PythonError{};
  return static_cast<uint64_t>(size);
}

inline PyObject* none() noexcept {
  Py_INCREF(Py_None);
  return Py_None;
}
inline PyObject* boolean(bool value) noexcept {
  PyObject* object = value ? Py_True : Py_False;
  Py_INCREF(object);
  return object;
}
inline PyObject* object_of(PyTypeObject* type) noexcept {
  return reinterpret_cast<PyObject*>(type);
}

// A Python error with a formatted message, thrown.
[[noreturn]] void raise(PyObject* type, const char* format, ...);

// An argument that is an integer, as the methods of the built-ins take it.
Py_ssize_t integer_argument(PyObject* argument);

// Throws Python's own TypeError unless least <= count <= most.
void check_count(const char* name, Py_ssize_t count, Py_ssize_t least, Py_ssize_t most);
void check_no_keywords(const char* name, PyObject* keywords);

// tp_new of types whose objects only methods make.
PyObject* refuse_new(PyTypeObject* type, PyObject* args, PyObject* kw);
// A part that every object of a type has, of one that may be empty: PyPy's object.__new__ makes
// such whatever tp_new says. Throws a TypeError then.
PyObject* part_of_made(PyObject* self, PyObject* part);
// The setter of attributes that are read-only: PyPy wants one. The closure is the name.
int refuse_set(PyObject* self, PyObject* value, void* name);
inline void* as_closure(const char* name) noexcept { return const_cast<char*>(name); }

// Makes a heap type and adds it to the module under the last part of its name.
PyTypeObject* add_type(PyObject* module, PyType_Spec& spec);

// Flags of types that, like the built-ins', cannot be changed.
#ifdef Py_TPFLAGS_SEQUENCE
inline constexpr unsigned kSequence = Py_TPFLAGS_SEQUENCE;
inline constexpr unsigned kMapping = Py_TPFLAGS_MAPPING;
inline constexpr unsigned kPlainFlags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE;
#else
inline constexpr unsigned kSequence = 0;
inline constexpr unsigned kMapping = 0;
inline constexpr unsigned kPlainFlags = Py_TPFLAGS_DEFAULT;
#endif
inline constexpr unsigned kContainerFlags = kPlainFlags | Py_TPFLAGS_HAVE_GC;

// Function pointers of the kinds that PyMethodDef and PyType_Slot hold.
template <class F>
PyCFunction as_method(F* function) noexcept {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}
template <class F>
void* as_slot(F* function) noexcept {
  return reinterpret_cast<void*>(function);
}

// Throws an ImportError in all but the main interpreter: what the modules hold is the process's.
void refuse_subinterpreter();

// The classes that errors become; before any other function of the module (errors.cpp).
void register_errors(PyObject* module);

}  // namespace nvm::bindings
