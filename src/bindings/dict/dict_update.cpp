// PersistentDict: what takes other dicts: update, operators, comparison.
#include "dict/dict.h"
#include "pmem/error.h"

namespace nvm::bindings {

namespace dict = object::dict;

namespace {

bool is_any_dict(PyObject* object) { return PyDict_Check(object) || is_dict(object); }

// An ordinary dict of its own with the entries of any dict.
Ref copy_of(PyObject* any_dict) {
  if (is_dict(any_dict)) return dict_snapshot(as_proxy(any_dict));
  Ref copy = checked(PyDict_New());
  check(PyDict_Update(copy.get(), any_dict));
  return copy;
}

// What update() is given, in an ordinary dict: the built-in's update reads it, and says what is
// wrong with it.
Ref entries_of(PyObject* arguments, PyObject* keywords) {
  Ref entries = checked(PyDict_New());
  const Ref update = checked(PyObject_GetAttrString(entries.get(), "update"));
  if (PyTuple_GET_SIZE(arguments) == 1 && is_dict(PyTuple_GET_ITEM(arguments, 0))) {
    const Ref other = dict_snapshot(as_proxy(PyTuple_GET_ITEM(arguments, 0)));
    const Ref plain = checked(PyTuple_Pack(1, other.get()));
    checked(PyObject_Call(update.get(), plain.get(), keywords));
  } else {
    checked(PyObject_Call(update.get(), arguments, keywords));
  }
  return entries;
}

// One entry of a walk through a dict.
struct Entry {
  Decoded key;
  Decoded value;
};

// A walk through a dict while other code may run. Throws if what it stands on is gone.
class Walk {
 public:
  explicit Walk(Proxy* dict) : dict_(dict) {}

  bool next(Entry& entry) {
    bool changed = false;
    const bool found = reading(dict_, [&](heap::Pool& pool, Offset offset) {
      const uint64_t version = dict::body_version(pool, offset);
      changed = position_ != 0 && version != version_;
      version_ = version;
      dict::Item item;
      if (changed || !dict::next(pool, offset, position_, item)) return false;
      entry.key = fetch_key(pool, dict::key_at(pool, offset, item.number));
      entry.value = Decoded::fetch(pool, item.value);
      return true;
    });
    if (changed) raise(PyExc_RuntimeError, "dictionary changed during comparison");
    return found;
  }

 private:
  Proxy* dict_;
  uint64_t position_ = 0;
  uint64_t version_ = 0;
};

uint64_t size_of(PyObject* any_dict) {
  if (is_dict(any_dict)) return dict_size(as_proxy(any_dict));
  return static_cast<uint64_t>(PyDict_Size(any_dict));
}

// The value, or null (no exception).
Ref value_in(PyObject* any_dict, PyObject* key) {
  if (is_dict(any_dict)) return dict_lookup(as_proxy(any_dict), key);
  PyObject* value = PyDict_GetItemWithError(any_dict, key);
  if (value == nullptr && PyErr_Occurred()) throw PythonError{};
  return Ref::borrow(value);
}

bool equal_dicts(Proxy* self, PyObject* other) {
  if (dict_size(self) != size_of(other)) return false;
  Walk walk(self);
  Entry entry;
  while (walk.next(entry)) {
    const Ref key = entry.key.build(self->pool);
    const Ref value = entry.value.build(self->pool);
    const Ref counterpart = value_in(other, key.get());
    if (!counterpart || !same_item(value.get(), counterpart.get())) return false;
  }
  return true;
}

}  // namespace

void dict_merge(Proxy* self, PyObject* entries) {
  Encoded encoded(self->pool, entries);
  const std::vector<object::Value>& items = encoded.items();
  std::vector<object::Key> keys;
  keys.reserve(items.size() / 2);
  heap::Pool& pool = checked_pool(self);
  heap::read(pool, [&] {
    for (size_t i = 0; i < items.size(); i += 2) keys.emplace_back(pool, items[i]);
  });
  changing(self, [&](Operation& op, Offset offset) {
    encoded.begin();
    dict::in_turn(op, offset, keys,
                  [&](size_t i) { dict::set(op, offset, keys[i], items[2 * i + 1]); });
  });
}

PyObject* dict_update(PyObject* self, PyObject* arguments, PyObject* keywords) {
  return guarded([&] {
    const Ref entries = entries_of(arguments, keywords);
    dict_merge(as_proxy(self), entries.get());
    return none();
  });
}

PyObject* dict_or(PyObject* left, PyObject* right) {
  if (!is_any_dict(left) || !is_any_dict(right)) Py_RETURN_NOTIMPLEMENTED;
  return guarded([&] {
    Ref merged = copy_of(left);
    const Ref more = copy_of(right);
    check(PyDict_Update(merged.get(), more.get()));
    return merged.release();
  });
}

PyObject* dict_inplace_or(PyObject* self, PyObject* other) {
  return guarded([&] {
    const Ref arguments = checked(PyTuple_Pack(1, other));
    const Ref entries = entries_of(arguments.get(), nullptr);
    dict_merge(as_proxy(self), entries.get());
    return Ref::borrow(self).release();
  });
}

PyObject* dict_compare(PyObject* self, PyObject* other, int op) {
  if ((op != Py_EQ && op != Py_NE) || !is_any_dict(other)) Py_RETURN_NOTIMPLEMENTED;
  return guarded([&] {
    const ComparisonLevel level;
    return boolean(equal_dicts(as_proxy(self), other) == (op == Py_EQ));
  });
}

}  // namespace nvm::bindings
