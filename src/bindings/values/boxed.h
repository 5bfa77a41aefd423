// Values of the classes that nvm/_immutable.py knows how to take apart and make again: the standard
// library's, enums, dataclasses, named tuples, registered and pickled ones.
//
// All of this runs Python code: before a latch is taken (encode.cpp) or after it (decode.cpp).
#pragma once

#include <Python.h>

#include <string>

#include "binding.h"
#include "object/boxed/boxed.h"

namespace nvm::bindings {

// How values of a class are taken apart; empty if they are not.
class Converter {
 public:
  Converter() = default;
  static Converter for_storing(PoolObject* pool, PyTypeObject* type);
  static Converter for_look_up(PyTypeObject* type);
  explicit operator bool() const noexcept { return static_cast<bool>(converter_); }

  // A tuple with a class; it has no state and no key of its own.
  bool is_named_tuple() const { return form() == 0; }
  uint16_t form() const;  // object::boxed::Form
  // The class's name in this pool, UTF-8.
  std::string name(PoolObject* pool, PyTypeObject* type) const;
  Ref state(PyObject* value) const;
  // What the value is equal by: a tuple, or the value that it is equal to; None: it is no key.
  Ref key(PyObject* value, const std::string& name) const;

 private:
  explicit Converter(Ref converter) : converter_(std::move(converter)) {}
  Ref converter_;  // a nvm._converter.Converter
};

// Whether an object is of a type of the standard library's that is stored as boxed values, and one
// that can be a key: its equality is that of what is its key.
bool is_standard_key(PyObject* object);

// What is stored of a boxed value becomes the value again. Throws PythonError: a ClassNotFoundError
// if this program does not have its class, an UnreadableValueError if nothing comes of it.
Ref restore(PoolObject* pool, object::boxed::Form form, const std::string& name, Ref state);
Ref restore_named_tuple(const std::string& name, Ref tuple);

// tuple.__new__(type, parts), without any code of the type's.
Ref tuple_of_type(PyTypeObject* type, PyObject* parts);

}  // namespace nvm::bindings
