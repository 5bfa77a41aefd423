// Keys as they are given: hash() first, as Python does, then what the pool makes of them.
#include "dict/dict.h"
#include "memory/memory.h"
#include "pmem/error.h"
#include "set/set.h"
#include "tuple/tuple.h"
#include "values/encode.h"

namespace nvm::bindings {

namespace {

// Their hashes never fail, so that they need not be asked for.
bool surely_hashable(PyObject* key) {
  const PyTypeObject* type = Py_TYPE(key);
  return type == &PyUnicode_Type || type == &PyLong_Type || type == &PyBytes_Type ||
         type == &PyFloat_Type || type == &PyBool_Type || key == Py_None;
}

PyObject* hashed(PyObject* key) {
  if (!surely_hashable(key) && PyObject_Hash(key) == -1) throw PythonError{};
  return key;
}

bool has_parts(PyObject* key) {
  return PyTuple_Check(key) || PyFrozenSet_Check(key) || is_tuple(key) || is_frozenset(key);
}

// Persistent objects compare by identity, unless their class says otherwise.
bool compares_by_own_code(PyObject* part) {
  PyTypeObject* type = Py_TYPE(part);
  if (is_proxy(part)) return !inherits_comparison(type, types.object);
  return is_custom_type(type) && !inherits_comparison(type, &PyBaseObject_Type);
}

// Whether its parts have been looked at since the pool was opened: they stay the same.
bool is_known(PyObject* part) { return is_frozenset(part) && known_fit(part); }

// The first object in a key that does not compare by identity, or null. Does not recurse.
Ref unfit_part(PyObject* key) {
  struct Open {
    Ref container;
    Ref parts;  // those that are left
  };
  std::vector<Open> open;
  Ref part = Ref::borrow(key);
  for (;;) {
    if (part && has_parts(part.get())) {
      if (!is_known(part.get()))
        open.push_back({Ref::borrow(part.get()), checked(PyObject_GetIter(part.get()))});
    } else if (part && compares_by_own_code(part.get())) {
      return part;
    }
    if (open.empty()) return {};
    part = Ref(PyIter_Next(open.back().parts.get()));
    if (part) continue;
    if (PyErr_Occurred()) throw PythonError{};
    if (is_frozenset(open.back().container.get())) learn_fit(open.back().container.get());
    open.pop_back();
  }
}

// What is hashed may lie in the pool.
object::Key key_of(heap::Pool& pool, const object::Value& value) {
  using Kind = object::Value::Kind;
  if (value.kind != Kind::object && value.kind != Kind::node) return {pool, value};
  return heap::read(pool, [&] { return object::Key(pool, value); });
}

}  // namespace

bool compares_as_stored(PyObject* key) { return !unfit_part(key); }

void check_key(PyObject* key) {
  if (surely_hashable(key)) return;
  if (const Ref unfit = unfit_part(key))
    raise(PyExc_TypeError,
          "'%.200s' objects cannot be keys of a persistent dict or elements of a persistent set: "
          "their class has its own __eq__ or __hash__, which the pool cannot call",
          Py_TYPE(unfit.get())->tp_name);
}

DictKey::DictKey(Proxy* dict, PyObject* key, Encoded::Purpose purpose)
    : encoded_(dict->pool, hashed(key), purpose) {
  if (purpose == Encoded::Purpose::store) {
    check_key(key);
  } else if (!encoded_.comparable() || (!surely_hashable(key) && unfit_part(key))) {
    return;
  }
  key_.emplace(key_of(checked_pool(dict), encoded_.value()));
}

PyObject* set_key_error(PyObject* key) noexcept {
  // A tuple would be taken for the exception's arguments.
  const Ref arguments(PyTuple_Pack(1, key));
  if (arguments) PyErr_SetObject(PyExc_KeyError, arguments.get());
  return nullptr;
}

}  // namespace nvm::bindings
