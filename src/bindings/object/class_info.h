// What is known of each class whose instances may lie in a pool. Classes are not kept alive by it.
#pragma once

#include <string>
#include <unordered_set>

#include "object/object.h"

namespace nvm::bindings {

// A class, or any object, that is not kept alive.
class Weak {
 public:
  explicit Weak(PyTypeObject* type)
      : reference_(checked(PyWeakref_NewRef(object_of(type), nullptr))) {}
  Ref get() const {
#if PY_VERSION_HEX >= 0x030D0000
    PyObject* object = nullptr;
    PyWeakref_GetRef(reference_.get(), &object);
    return Ref(object);
#else
    PyObject* object = PyWeakref_GetObject(reference_.get());
    return object == Py_None ? Ref() : Ref::borrow(object);
#endif
  }

 private:
  Ref reference_;
};

// What is known of a class.
struct ClassInfo {
  Weak type;
  std::string name;
  bool prepared = false;
  // The shapes whose names have their descriptors: of one pool, as long as nothing is undone in it.
  uint64_t undo_epoch = 0;
  std::unordered_set<Offset> shapes;
};

// Of a class that is met for the first time, too: it can be found by its name from then on.
ClassInfo& info_of(PyTypeObject* type);
// The class that was met last under this name, null if it is gone.
Ref find_living(const std::string& name);

}  // namespace nvm::bindings
