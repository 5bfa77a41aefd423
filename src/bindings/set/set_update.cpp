// PersistentSet: what changes it by whole others. They are read, and what they hold is hashed and
// encoded, before anything changes; then the core does it in one operation.
#include "set/set.h"

namespace nvm::bindings {

namespace set = object::set;

namespace {

// Elements that are to be in the set: those of an ordinary set, so that the built-in has hashed
// them and says what is wrong.
class Added {
 public:
  Added(Proxy* self, PyObject* elements) : encoded_(self->pool, elements) {
    heap::Pool& pool = checked_pool(self);
    keys_.reserve(encoded_.items().size());
    heap::read(pool, [&] {  // what is hashed may lie there
      for (const object::Value& item : encoded_.items()) keys_.emplace_back(pool, item);
    });
  }
  set::Keys begin() {
    encoded_.begin();
    return keys_;
  }

 private:
  Encoded encoded_;
  std::vector<object::Key> keys_;
};

// Elements that are looked for: what could not be stored is not in the set.
class Sought {
 public:
  explicit Sought(Proxy* self) : self_(self) {}

  void add_all(PyObject* iterable) {
    const Ref iterator = checked(PyObject_GetIter(iterable));
    while (const Ref element{PyIter_Next(iterator.get())}) {
      DictKey key(self_, element.get(), Encoded::Purpose::look_up);
      if (!key.comparable()) continue;
      keys_.push_back(*key);
      kept_.push_back(std::move(key));
    }
    if (PyErr_Occurred()) throw PythonError{};
  }
  set::Keys keys() const { return keys_; }

 private:
  Proxy* self_;
  std::vector<DictKey> kept_;
  std::vector<object::Key> keys_;
};

// An ordinary set of all that is in the others.
Ref united(PyObject* others) {
  Ref all = checked(PySet_New(nullptr));
  const Ref update = checked(PyObject_GetAttrString(all.get(), "update"));
  checked(PyObject_Call(update.get(), others, nullptr));
  return all;
}

// What is in all of the others; there is at least one.
Ref common(PyObject* others) {
  PyObject* first = PyTuple_GET_ITEM(others, 0);
  if (PyTuple_GET_SIZE(others) == 1) return Ref::borrow(first);
  Ref all = checked(PySet_New(first));
  const Ref rest = checked(PyTuple_GetSlice(others, 1, PyTuple_GET_SIZE(others)));
  const Ref intersect = checked(PyObject_GetAttrString(all.get(), "intersection_update"));
  checked(PyObject_Call(intersect.get(), rest.get(), nullptr));
  return all;
}

void add_all(Proxy* self, PyObject* elements) {
  Added added(self, elements);
  changing(self, [&](Operation& op, Offset offset) { set::update(op, offset, added.begin()); });
}

void keep_all(Proxy* self, PyObject* elements) {
  Sought kept(self);
  kept.add_all(elements);
  changing(self, [&](Operation& op, Offset offset) {
    set::intersection_update(op, offset, kept.keys());
  });
}

void discard_all(Proxy* self, PyObject* others) {
  Sought gone(self);
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(others); ++i)
    gone.add_all(PyTuple_GET_ITEM(others, i));
  changing(self,
           [&](Operation& op, Offset offset) { set::difference_update(op, offset, gone.keys()); });
}

void toggle_all(Proxy* self, PyObject* other) {
  const Ref elements = checked(PySet_New(other));
  Added toggled(self, elements.get());
  changing(self, [&](Operation& op, Offset offset) {
    set::symmetric_difference_update(op, offset, toggled.begin());
  });
}

// An operator that changes the set takes sets only.
template <class Change>
PyObject* in_place(PyObject* self, PyObject* other, Change change) {
  if (!is_set_operand(other)) Py_RETURN_NOTIMPLEMENTED;
  return guarded([&] {
    change();
    return Ref::borrow(self).release();
  });
}

}  // namespace

void set_assign(Proxy* self, PyObject* elements) {
  Added added(self, elements);
  changing(self, [&](Operation& op, Offset offset) {
    set::clear(op, offset);
    set::update(op, offset, added.begin());
  });
}

PyObject* set_update(PyObject* self, PyObject* others) {
  return guarded([&] {
    const Ref elements = united(others);
    add_all(as_proxy(self), elements.get());
    return none();
  });
}

PyObject* set_intersection_update(PyObject* self, PyObject* others) {
  return guarded([&] {
    offset_of(as_proxy(self));
    if (PyTuple_GET_SIZE(others) != 0) {
      const Ref elements = common(others);
      keep_all(as_proxy(self), elements.get());
    }
    return none();
  });
}

PyObject* set_difference_update(PyObject* self, PyObject* others) {
  return guarded([&] {
    discard_all(as_proxy(self), others);
    return none();
  });
}

PyObject* set_symmetric_difference_update(PyObject* self, PyObject* other) {
  return guarded([&] {
    toggle_all(as_proxy(self), other);
    return none();
  });
}

PyObject* set_inplace_or(PyObject* self, PyObject* other) {
  return in_place(self, other, [&] {
    const Ref elements = checked(PySet_New(other));
    add_all(as_proxy(self), elements.get());
  });
}

PyObject* set_inplace_and(PyObject* self, PyObject* other) {
  return in_place(self, other, [&] { keep_all(as_proxy(self), other); });
}

PyObject* set_inplace_subtract(PyObject* self, PyObject* other) {
  return in_place(self, other, [&] {
    const Ref others = checked(PyTuple_Pack(1, other));
    discard_all(as_proxy(self), others.get());
  });
}

PyObject* set_inplace_xor(PyObject* self, PyObject* other) {
  return in_place(self, other, [&] { toggle_all(as_proxy(self), other); });
}

}  // namespace nvm::bindings
