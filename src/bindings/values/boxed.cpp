#include "values/boxed.h"

#include "container.h"
#include "object/object.h"
#include "values/encode.h"

namespace nvm::bindings {

using object::boxed::Form;

namespace {

// Of a Converter, which is a named tuple.
enum Field : Py_ssize_t { kForm, kToState, kKey, kFromState, kName };

Ref attribute(const char* name) {
  const Ref module = checked(PyImport_ImportModule("nvm._immutable"));
  return checked(PyObject_GetAttrString(module.get(), name));
}

Ref call(const char* function, PyObject* a, PyObject* b = nullptr, PyObject* c = nullptr,
         PyObject* d = nullptr) {
  return checked(PyObject_CallFunctionObjArgs(attribute(function).get(), a, b, c, d, nullptr));
}

bool is_nominated(PoolObject* pool, PyObject* type) {
  if (PySet_Size(pool->pickled) == 0) return false;
  const int found = PySet_Contains(pool->pickled, type);
  check(found);
  return found != 0;
}

// The standard library's classes are nvm._immutable' to find: it imports them.
Ref class_for(Form form, const std::string& name) {
  return form == Form::standard ? Ref::borrow(Py_None) : find_any_class(name);
}

}  // namespace

Converter Converter::for_storing(PoolObject* pool, PyTypeObject* type) {
  Ref found = call("find", object_of(type));
  if (found.get() != Py_None) return Converter(std::move(found));
  return is_nominated(pool, object_of(type)) ? Converter(attribute("pickled")) : Converter();
}

Converter Converter::for_look_up(PyTypeObject* type) {
  Ref found = call("find_for_look_up", object_of(type));
  return found.get() == Py_None ? Converter() : Converter(std::move(found));
}

uint16_t Converter::form() const {
  return static_cast<uint16_t>(PyLong_AsLong(PyTuple_GET_ITEM(converter_.get(), kForm)));
}

std::string Converter::name(PoolObject* pool, PyTypeObject* type) const {
  PyObject* fixed = PyTuple_GET_ITEM(converter_.get(), kName);
  if (PyUnicode_GetLength(fixed) != 0) return utf8_of(fixed);
  return name_in(pool, type);
}

Ref Converter::state(PyObject* value) const {
  PyObject* to_state = PyTuple_GET_ITEM(converter_.get(), kToState);
  return checked(PyObject_CallFunctionObjArgs(to_state, value, nullptr));
}

Ref Converter::key(PyObject* value, const std::string& name) const {
  PyObject* key = PyTuple_GET_ITEM(converter_.get(), kKey);
  return checked(PyObject_CallFunctionObjArgs(key, value, text_of(name).get(), nullptr));
}

namespace {

// What a copy holds of further registered values is restored for it, one inside the other.
Ref plain_state(PyObject* state) {
  if (Py_EnterRecursiveCall(" while a registered value was made again") != 0) throw PythonError{};
  try {
    Ref copy = plain_copy(state);
    Py_LeaveRecursiveCall();
    return copy;
  } catch (...) {
    Py_LeaveRecursiveCall();
    throw;
  }
}

}  // namespace

bool is_standard_key(PyObject* object) {
  PyTypeObject* type = Py_TYPE(object);
  if (is_proxy(object) || is_plain_container(type)) return false;
  const Converter converter = Converter::for_look_up(type);
  if (!converter || converter.form() != static_cast<uint16_t>(Form::standard)) return false;
  if (PyObject_Hash(object) != -1) return true;
  if (PyErr_ExceptionMatches(PyExc_TypeError) == 0) throw PythonError{};
  PyErr_Clear();
  return false;
}

Ref restore(PoolObject* pool, Form form, const std::string& name, Ref state) {
  const Ref type = class_for(form, name);
  const Ref text = text_of(name);
  if (form == Form::pickled && !is_nominated(pool, type.get()))
    call("raise_not_nominated", text.get());
  // A user's function gets what it gave: no part of the pool that it could change.
  if (form == Form::registered) state = plain_state(state.get());
  const Ref number = checked(PyLong_FromLong(static_cast<long>(form)));
  return call("restore", number.get(), text.get(), type.get(), state.get());
}

Ref restore_named_tuple(const std::string& name, Ref tuple) {
  const Ref type = find_any_class(name);
  const Ref length = checked(PyLong_FromSsize_t(PyTuple_GET_SIZE(tuple.get())));
  call("check_named_tuple", text_of(name).get(), type.get(), length.get());
  return tuple_of_type(reinterpret_cast<PyTypeObject*>(type.get()), tuple.get());
}

Ref tuple_of_type(PyTypeObject* type, PyObject* parts) {
  return checked(
      PyObject_CallMethod(object_of(&PyTuple_Type), "__new__", "OO", object_of(type), parts));
}

}  // namespace nvm::bindings
