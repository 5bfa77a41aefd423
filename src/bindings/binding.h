// What the files of this folder share. Nothing outside it includes Python.h.
//
// Rules
//   - Python objects are encoded (and hashed) before a latch is taken: encode.h.
//   - Under a latch only objects that the collector does not track are made (str, int, bytes,
//     float, complex); what a cell refers to is pinned there and turned into a proxy after it:
//     decode.h.
//   - A function that returns PyObject* returns a new reference, or nullptr with an exception set.
//     C++ exceptions stop at the slot or method: guarded() translates them.
#pragma once

#include <Python.h>

#include <memory>

#include "heap/access.h"
#include "heap/pool.h"
#include "object/cell.h"
#include "object/value.h"

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

// The pool as Python sees it (pool.cpp).
struct PoolObject {
  PyObject_HEAD
  std::shared_ptr<heap::Pool> pool;
  PyObject* filename;   // as it was given, decoded
  PyObject* classes;    // dict: class id -> type; filled as classes are met
  PyObject* class_ids;  // dict: type -> class id
  PyObject* weakrefs;
};

// A persistent object as Python sees it: what PersistentList, PersistentDict and PersistentObject
// instances begin with. It keeps its object pinned and its pool alive. One a persistent object:
// `a is b` holds.
struct Proxy {
  PyObject_HEAD
  heap::Handle* handle;  // pinned; null only while it is being made
  PoolObject* pool;
  PyObject* weakrefs;
};

// The types, made by the files named; filled before any object exists.
struct Types {
  PyTypeObject* pool = nullptr;         // pool.cpp
  PyTypeObject* transaction = nullptr;  // transaction.cpp
  PyTypeObject* list = nullptr;         // list.cpp
  PyTypeObject* dict = nullptr;         // dict.cpp
  PyTypeObject* object = nullptr;       // object.cpp: PersistentObject
};
extern Types types;

bool is_proxy(PyObject* object) noexcept;  // of any of the persistent types (proxy.cpp)
inline Proxy* as_proxy(PyObject* object) noexcept { return reinterpret_cast<Proxy*>(object); }

// The object's offset; throws Error(closed / forked / stale). Every method begins with it.
heap::Offset offset_of(Proxy* proxy);
inline heap::Pool& pool_of(Proxy* proxy) noexcept { return *proxy->pool->pool; }

// The proxy of a pinned object; takes the pin over. Runs Python code (class look-up, _v__init__):
// never under a latch. New reference; throws PythonError or Error.
Ref proxy_for(PoolObject* pool, heap::Handle* pinned);
// tp_dealloc, tp_traverse and tp_clear of proxies of built-in kinds (proxy.cpp).
void proxy_dealloc(PyObject* self);
int proxy_traverse(PyObject* self, visitproc visit, void* arg);

// A Python object on its way into a pool (encode.cpp). Keeps alive what the value points to.
class Encoded {
 public:
  // Throws Error(type) / PythonError; messages name the path to the part that cannot be stored.
  Encoded(PoolObject* pool, PyObject* object);
  ~Encoded();
  Encoded(const Encoded&) = delete;
  Encoded& operator=(const Encoded&) = delete;
  // Forgets what an earlier run of the operation stored: call first thing inside mutate().
  void begin();
  const object::Value& value() const noexcept { return root_; }

 private:
  friend class Encoder;
  object::Value root_;
  std::unique_ptr<object::Graph> graph_;  // null for a plain value
  PyObject* keep_ = nullptr;              // one object, or a list of them
};

// A value on its way out (decode.cpp): fetch() under the latch, build() after it.
class Decoded {
 public:
  Decoded() = default;
  ~Decoded();  // lets pins go that build() has not taken
  Decoded(Decoded&& other) noexcept;
  Decoded& operator=(Decoded&& other) noexcept;
  // Makes the Python object if it is untracked, else pins. Throws Error(corrupt), PythonError.
  static Decoded fetch(heap::Pool& pool, object::Cell cell);
  Ref build(PoolObject* pool);  // once

 private:
  struct Tree;  // tuples and frozensets with what they hold
  PyObject* leaf_ = nullptr;
  heap::Handle* pinned_ = nullptr;
  std::unique_ptr<Tree> tree_;
};

// pool["users"][3] and the like, for messages; best effort.
// Registers the functions and types of each file with the module; called from module.cpp.
void register_errors(PyObject* module);
void register_pool(PyObject* module);
void register_transaction(PyObject* module);
void register_list(PyObject* module);
void register_dict(PyObject* module);
void register_object(PyObject* module);

}  // namespace nvm::bindings
