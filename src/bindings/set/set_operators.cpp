// PersistentSet and PersistentFrozenSet: operators and methods that make ordinary sets, and
// comparisons.
//
// New sets are made by the built-in, from a copy of the elements. Comparisons count which elements
// of the other set are in this one: those are looked up in the core, without making objects of what
// lies there.
#include <algorithm>

#include "set/set.h"

namespace nvm::bindings {

namespace {

// An operand that the built-in set takes.
Ref plain_operand(PyObject* operand) {
  if (is_set(operand) || is_frozenset(operand)) return set_snapshot(as_proxy(operand));
  return Ref::borrow(operand);
}

PyObject* combine(PyObject* left, PyObject* right, binaryfunc operation) {
  if (!is_set_operand(left) || !is_set_operand(right)) Py_RETURN_NOTIMPLEMENTED;
  return guarded([&] {
    const Ref one = plain_operand(left);
    const Ref other = plain_operand(right);
    return operation(one.get(), other.get());
  });
}

// A copy of the elements, changed by a method of set; frozen as the original is.
PyObject* changed_copy(PyObject* self, const char* method, PyObject* arguments) {
  return guarded([&] {
    Ref copy = checked(PySet_New(set_elements(as_proxy(self)).get()));
    const Ref change = checked(PyObject_GetAttrString(copy.get(), method));
    checked(PyObject_Call(change.get(), arguments, nullptr));
    return is_frozenset(self) ? PyFrozenSet_New(copy.get()) : copy.release();
  });
}

// Looks elements of another set up in a persistent one.
class Lookup {
 public:
  explicit Lookup(Proxy* set) : set_(set) {}

  bool holds(PyObject* element) {
    const DictKey key(set_, element, Encoded::Purpose::look_up);
    if (key.comparable()) return set_holds(set_, key);
    // Its class may have an equality of its own, which has to be asked.
    if (!plain_) plain_ = set_snapshot(set_);
    const int found = PySequence_Contains(plain_.get(), element);
    check(found);
    return found != 0;
  }

  // Of the elements of `other`; at most `limit` are counted.
  uint64_t count(PyObject* other, uint64_t limit) {
    uint64_t held = 0;
    const Ref iterator = checked(PyObject_GetIter(other));
    while (held < limit) {
      const Ref element(PyIter_Next(iterator.get()));
      if (!element) break;
      held += holds(element.get()) ? 1 : 0;
    }
    if (PyErr_Occurred()) throw PythonError{};
    return held;
  }

  bool holds_all(PyObject* other) {
    const Ref iterator = checked(PyObject_GetIter(other));
    bool all = true;
    while (all) {
      const Ref element(PyIter_Next(iterator.get()));
      if (!element) break;
      all = holds(element.get());
    }
    if (PyErr_Occurred()) throw PythonError{};
    return all;
  }

 private:
  Proxy* set_;
  Ref plain_;
};

bool is_subset(Proxy* self, PyObject* other) {
  const uint64_t size = set_size(self);
  return size <= length_of(other) && Lookup(self).count(other, size) == size;
}

bool is_superset(Proxy* self, PyObject* other) {
  return set_size(self) >= length_of(other) && Lookup(self).holds_all(other);
}

bool compare_sets(Proxy* self, PyObject* other, int op) {
  const uint64_t size = set_size(self);
  const uint64_t other_size = length_of(other);
  switch (op) {
    case Py_EQ:
    case Py_NE:
      return (size == other_size && is_superset(self, other)) == (op == Py_EQ);
    case Py_LT:
      return size < other_size && is_subset(self, other);
    case Py_LE:
      return is_subset(self, other);
    case Py_GT:
      return size > other_size && is_superset(self, other);
    default:
      return is_superset(self, other);
  }
}

}  // namespace

bool is_set_operand(PyObject* object) noexcept {
  return PyAnySet_Check(object) || is_set(object) || is_frozenset(object) ||
         is_dict_set_view(object);
}

PyObject* set_or(PyObject* left, PyObject* right) { return combine(left, right, PyNumber_Or); }
PyObject* set_and(PyObject* left, PyObject* right) { return combine(left, right, PyNumber_And); }
PyObject* set_subtract(PyObject* left, PyObject* right) {
  return combine(left, right, PyNumber_Subtract);
}
PyObject* set_xor(PyObject* left, PyObject* right) { return combine(left, right, PyNumber_Xor); }

PyObject* set_union(PyObject* self, PyObject* others) {
  return changed_copy(self, "update", others);
}
PyObject* set_intersection(PyObject* self, PyObject* others) {
  return changed_copy(self, "intersection_update", others);
}
PyObject* set_difference(PyObject* self, PyObject* others) {
  return changed_copy(self, "difference_update", others);
}
PyObject* set_symmetric_difference(PyObject* self, PyObject* other) {
  const Ref arguments(PyTuple_Pack(1, other));
  if (!arguments) return nullptr;
  return changed_copy(self, "symmetric_difference_update", arguments.get());
}

PyObject* set_isdisjoint(PyObject* self, PyObject* other) {
  return guarded([&] {
    if (self == other) return boolean(set_size(as_proxy(self)) == 0);
    return boolean(Lookup(as_proxy(self)).count(other, 1) == 0);
  });
}

PyObject* set_issubset(PyObject* self, PyObject* other) {
  return guarded([&] {
    const Ref elements = is_set_operand(other) ? Ref::borrow(other) : checked(PySet_New(other));
    return boolean(is_subset(as_proxy(self), elements.get()));
  });
}

PyObject* set_issuperset(PyObject* self, PyObject* other) {
  return guarded([&] { return boolean(Lookup(as_proxy(self)).holds_all(other)); });
}

PyObject* set_compare(PyObject* self, PyObject* other, int op) {
  if (!is_set_operand(other)) Py_RETURN_NOTIMPLEMENTED;
  return guarded([&] { return boolean(compare_sets(as_proxy(self), other, op)); });
}

}  // namespace nvm::bindings
