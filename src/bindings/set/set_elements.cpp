// What PersistentSet and PersistentFrozenSet have in common: looking at their elements.
#include "object/tuple/tuple.h"
#include "set/set.h"

namespace nvm::bindings {

namespace set = object::set;
namespace tuple = object::tuple;

namespace {

bool is_frozen(Proxy* self) { return is_frozenset(reinterpret_cast<PyObject*>(self)); }

const char* name_of(PyObject* self) {
  return is_frozenset(self) ? "PersistentFrozenSet" : "PersistentSet";
}

std::vector<Decoded> fetch_elements(Proxy* self) {
  std::vector<Decoded> elements;
  reading(self, [&](heap::Pool& pool, Offset offset) {
    if (is_frozen(self)) {
      for (const uint64_t cell : tuple::cells(pool, offset))
        elements.push_back(Decoded::fetch(pool, Cell(cell), true));
      return;
    }
    elements.reserve(set::size(pool, offset));
    uint64_t position = 0;
    object::StoredKey element;
    while (set::next(pool, offset, position, element)) elements.push_back(fetch_key(pool, element));
  });
  return elements;
}

}  // namespace

uint64_t set_size(Proxy* self) {
  return reading(self, [&](heap::Pool& pool, Offset offset) {
    return is_frozen(self) ? tuple::cells(pool, offset).size() : set::size(pool, offset);
  });
}

bool set_holds(Proxy* self, const DictKey& element) {
  return reading(self, [&](heap::Pool& pool, Offset offset) {
    if (!element.comparable()) return false;
    if (is_frozen(self)) return tuple::holds(pool, offset, (*element).value());
    return set::contains(pool, offset, *element);
  });
}

Ref set_elements(Proxy* self) {
  std::vector<Decoded> elements = fetch_elements(self);
  return build_list(self->pool, elements);
}

Ref set_snapshot(Proxy* self) {
  const Ref elements = set_elements(self);
  return checked(is_frozen(self) ? PyFrozenSet_New(elements.get()) : PySet_New(elements.get()));
}

// As the built-in. (A set that is hashable is an element like any other.)
Ref element_sought(PyObject* element) {
  if (!PySet_Check(element) && !is_set(element)) return Ref::borrow(element);
  if (PyObject_Hash(element) != -1) return Ref::borrow(element);
  if (PyErr_ExceptionMatches(PyExc_TypeError) == 0) throw PythonError{};
  PyErr_Clear();
  return checked(PyFrozenSet_New(element));
}

Py_ssize_t set_length(PyObject* self) {
  return guarded([&] { return static_cast<Py_ssize_t>(set_size(as_proxy(self))); }, -1);
}

int set_contains(PyObject* self, PyObject* given) {
  return guarded_int([&] {
    const Ref element = element_sought(given);
    const DictKey key(as_proxy(self), element.get(), Encoded::Purpose::look_up);
    return set_holds(as_proxy(self), key) ? 1 : 0;
  });
}

PyObject* set_copy(PyObject* self, PyObject*) {
  return guarded([&] { return set_snapshot(as_proxy(self)).release(); });
}

PyObject* set_to_python(PyObject* self, PyObject*) {
  return guarded([&] { return to_python(self).release(); });
}

// For copy and pickle: an ordinary set or frozenset with the same elements.
PyObject* set_reduce(PyObject* self, PyObject*) {
  return guarded([&] {
    const Ref elements = set_elements(as_proxy(self));
    PyTypeObject* type = is_frozenset(self) ? &PyFrozenSet_Type : &PySet_Type;
    return Py_BuildValue("O(O)", type, elements.get());
  });
}

PyObject* set_repr(PyObject* self) {
  const char* name = name_of(self);
  const int entered = Py_ReprEnter(self);
  if (entered != 0) return entered < 0 ? nullptr : PyUnicode_FromFormat("%s(...)", name);
  PyObject* text = guarded([&] {
    const Ref elements = set_elements(as_proxy(self));
    if (PyList_GET_SIZE(elements.get()) == 0) return PyUnicode_FromFormat("%s()", name);
    const Ref brackets = checked(PyObject_Repr(elements.get()));
    const Ref inner =
        checked(PyUnicode_Substring(brackets.get(), 1, PyUnicode_GET_LENGTH(brackets.get()) - 1));
    return PyUnicode_FromFormat("%s({%U})", name, inner.get());
  });
  Py_ReprLeave(self);
  return text;
}

}  // namespace nvm::bindings
