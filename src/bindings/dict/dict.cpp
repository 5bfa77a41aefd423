// PersistentDict: the type, its items, and the methods that look up, add and take single ones.
#include "dict/dict.h"

#include <structmember.h>

#include "object/dict/dict_walk.h"
#include "pmem/error.h"
#include "values/taken.h"

namespace nvm::bindings {

namespace dict = object::dict;
using Purpose = Encoded::Purpose;

bool is_dict(PyObject* object) noexcept { return Py_TYPE(object) == types.dict; }

uint64_t dict_size(Proxy* self) {
  return reading(self, [](heap::Pool& pool, Offset offset) { return dict::size(pool, offset); });
}

namespace {

// The value of a key; empty if it is absent.
Decoded fetch_value(heap::Pool& pool, Offset offset, const DictKey& key) {
  if (!key.comparable()) return {};
  const Cell cell = dict::get(pool, offset, *key);
  return cell.blank() ? Decoded() : Decoded::fetch(pool, cell);
}

Ref value_of(Proxy* self, const DictKey& key) {
  Decoded value = reading(
      self, [&](heap::Pool& pool, Offset offset) { return fetch_value(pool, offset, key); });
  return value.empty() ? Ref() : value.build(self->pool);
}

}  // namespace

Ref dict_lookup(Proxy* self, PyObject* key) {
  return value_of(self, DictKey(self, key, Purpose::look_up));
}

Ref dict_snapshot(Proxy* self) {
  std::vector<Decoded> keys;
  std::vector<Decoded> values;
  reading(self, [&](heap::Pool& pool, Offset offset) {
    const dict::Walk walk(pool, offset);
    keys.reserve(walk.size());
    values.reserve(walk.size());
    uint64_t position = 0;
    dict::Item item;
    while (walk.next(position, item)) {
      keys.push_back(fetch_key(pool, walk.key_at(item.number)));
      values.push_back(Decoded::fetch(pool, item.value));
    }
  });
  Ref copy = checked(PyDict_New());
  for (size_t i = 0; i < keys.size(); ++i) {
    const Ref key = keys[i].build(self->pool);
    const Ref value = values[i].build(self->pool);
    check(PyDict_SetItem(copy.get(), key.get(), value.get()));
  }
  return copy;
}

namespace {

void set_item(Proxy* self, PyObject* key, PyObject* value) {
  DictKey wanted(self, key, Purpose::store);
  Encoded encoded(self->pool, value);
  changing(self, [&](Operation& op, Offset offset) {
    wanted.begin();
    encoded.begin();
    dict::set(op, offset, *wanted, encoded.value());
  });
}

bool delete_item(Proxy* self, PyObject* key) {
  DictKey wanted(self, key, Purpose::look_up);
  return changing(self, [&](Operation& op, Offset offset) {
    return wanted.comparable() && dict::erase(op, offset, *wanted);
  });
}

// ---- Slots

Py_ssize_t length(PyObject* self) {
  return guarded([&] { return static_cast<Py_ssize_t>(dict_size(as_proxy(self))); }, -1);
}

PyObject* subscript(PyObject* self, PyObject* key) {
  return guarded([&] {
    Ref value = dict_lookup(as_proxy(self), key);
    return value ? value.release() : set_key_error(key);
  });
}

int assign_subscript(PyObject* self, PyObject* key, PyObject* value) {
  return guarded_int([&] {
    if (value != nullptr) {
      set_item(as_proxy(self), key, value);
    } else if (!delete_item(as_proxy(self), key)) {
      set_key_error(key);
      return -1;
    }
    return 0;
  });
}

int contains(PyObject* self, PyObject* key) {
  return guarded_int([&] {
    const DictKey wanted(as_proxy(self), key, Purpose::look_up);
    return reading(as_proxy(self), [&](heap::Pool& pool, Offset offset) {
      return wanted.comparable() && !dict::get(pool, offset, *wanted).blank() ? 1 : 0;
    });
  });
}

PyObject* iter(PyObject* self) {
  return guarded([&] { return dict_iterator(self, DictPart::keys, false).release(); });
}

PyObject* repr(PyObject* self) {
  const int entered = Py_ReprEnter(self);
  if (entered != 0) return entered < 0 ? nullptr : PyUnicode_FromString("PersistentDict({...})");
  PyObject* text = guarded([&] {
    const Ref entries = dict_snapshot(as_proxy(self));
    return PyUnicode_FromFormat("PersistentDict(%R)", entries.get());
  });
  Py_ReprLeave(self);
  return text;
}

// Empty: __init__ fills it.
PyObject* make(PyTypeObject*, PyObject*, PyObject*) {
  return guarded([&] {
    const Ref nothing = checked(PyTuple_New(0));
    return new_dict(pool_for_call("PersistentDict"), nothing.get(), nullptr).release();
  });
}

int init(PyObject* self, PyObject* arguments, PyObject* keywords) {
  return Ref(dict_update(self, arguments, keywords)) ? 0 : -1;
}

// ---- Methods

PyObject* get(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  return guarded([&] {
    check_count("get", count, 1, 2);
    Ref value = dict_lookup(as_proxy(self), arguments[0]);
    if (value) return value.release();
    return Ref::borrow(count > 1 ? arguments[1] : Py_None).release();
  });
}

PyObject* setdefault(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  return guarded([&] {
    check_count("setdefault", count, 1, 2);
    PoolObject* pool = as_proxy(self)->pool;
    if (Ref present = dict_lookup(as_proxy(self), arguments[0])) return present.release();
    DictKey key(as_proxy(self), arguments[0], Purpose::store);
    Encoded encoded(pool, count > 1 ? arguments[1] : Py_None);
    Decoded value;
    changing(as_proxy(self), [&](Operation& op, Offset offset) {
      key.begin();
      encoded.begin();
      value = fetch_value(op.pool(), offset, key);  // another thread may have been first
      if (value.empty()) dict::set(op, offset, *key, encoded.value());
    });
    if (!value.empty()) return value.build(pool).release();
    // As it is stored: a list that was given has become a PersistentList.
    Ref stored = value_of(as_proxy(self), key);
    return stored ? stored.release() : set_key_error(arguments[0]);
  });
}

PyObject* pop(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  return guarded([&] {
    check_count("pop", count, 1, 2);
    DictKey key(as_proxy(self), arguments[0], Purpose::look_up);
    Taken value(as_proxy(self)->pool);
    const auto take = [&](Operation& op, Offset offset) {
      const Cell present = key.comparable() ? dict::get(op.pool(), offset, *key) : Cell();
      if (!present.blank() && value.fetch(op.pool(), present)) dict::erase(op, offset, *key);
    };
    taking(as_proxy(self), take, value);
    if (!value.empty()) return value.release().release();
    if (count > 1) return Ref::borrow(arguments[1]).release();
    return set_key_error(arguments[0]);
  });
}

PyObject* popitem(PyObject* self, PyObject*) {
  return guarded([&]() -> PyObject* {
    Taken last_key(as_proxy(self)->pool);
    Taken last_value(as_proxy(self)->pool);
    const auto take = [&](Operation& op, Offset offset) {
      heap::Pool& pool = op.pool();
      uint64_t position = dict::used(pool, offset);
      dict::Item item;
      if (!dict::previous(pool, offset, position, item)) return;
      const bool has_key = last_key.fetch(pool, dict::key_at(pool, offset, item.number));
      const bool has_value = last_value.fetch(pool, item.value);
      if (has_key && has_value) dict::erase_entry(op, offset, item.number);
    };
    taking(as_proxy(self), take, last_key, last_value);
    if (last_key.empty()) raise(PyExc_KeyError, "popitem(): dictionary is empty");
    const Ref key = last_key.release();
    const Ref value = last_value.release();
    return PyTuple_Pack(2, key.get(), value.get());
  });
}

PyObject* clear(PyObject* self, PyObject*) {
  return guarded([&] {
    changing(as_proxy(self), [](Operation& op, Offset offset) { dict::clear(op, offset); });
    return none();
  });
}

PyObject* copy(PyObject* self, PyObject*) {
  return guarded([&] { return dict_snapshot(as_proxy(self)).release(); });
}

PyObject* deep(PyObject* self, PyObject*) {
  return guarded([&] { return to_python(self).release(); });
}

PyObject* fromkeys(PyObject*, PyObject* arguments) {
  return guarded([&] {
    const Ref function =
        checked(PyObject_GetAttrString(reinterpret_cast<PyObject*>(&PyDict_Type), "fromkeys"));
    return PyObject_Call(function.get(), arguments, nullptr);
  });
}

PyObject* reversed(PyObject* self, PyObject*) {
  return guarded([&] { return dict_iterator(self, DictPart::keys, true).release(); });
}

// For copy and pickle: an ordinary dict with the same entries.
PyObject* reduce(PyObject* self, PyObject*) {
  return guarded([&] {
    const Ref entries = dict_snapshot(as_proxy(self));
    const Ref items = checked(PyDict_Items(entries.get()));
    const Ref iterator = checked(PyObject_GetIter(items.get()));
    return Py_BuildValue("O()OOO", &PyDict_Type, Py_None, Py_None, iterator.get());
  });
}

PyMethodDef methods[] = {
    {"get", as_method(get), METH_FASTCALL,
     PyDoc_STR("get($self, key, default=None, /)\n--\n\n"
               "Return the value for key if key is in the dict, else default.")},
    {"setdefault", as_method(setdefault), METH_FASTCALL,
     PyDoc_STR("setdefault($self, key, default=None, /)\n--\n\n"
               "Insert key with the value default if it is not in the dict; return its value.\n\n"
               "Atomic, also among threads.")},
    {"pop", as_method(pop), METH_FASTCALL,
     PyDoc_STR("pop($self, key, default=<unrepresentable>, /)\n--\n\n"
               "Remove key and return its value.\n\n"
               "If it is not found, return default if given, else raise KeyError.")},
    {"popitem", popitem, METH_NOARGS,
     PyDoc_STR("popitem($self, /)\n--\n\n"
               "Remove and return the (key, value) pair that was inserted last.\n\n"
               "Raises KeyError if the dict is empty.")},
    {"update", as_method(dict_update), METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR("D.update([E, ]**F) -> None.  Update D from the mapping or iterable of pairs E and "
               "from F,\nwhich are read first, in one operation.")},
    {"clear", clear, METH_NOARGS, PyDoc_STR("clear($self, /)\n--\n\nRemove all entries.")},
    {"keys", dict_keys, METH_NOARGS,
     PyDoc_STR("keys($self, /)\n--\n\nReturn a set-like live view of the keys.")},
    {"values", dict_values, METH_NOARGS,
     PyDoc_STR("values($self, /)\n--\n\nReturn a live view of the values.")},
    {"items", dict_items, METH_NOARGS,
     PyDoc_STR("items($self, /)\n--\n\nReturn a set-like live view of the (key, value) pairs.")},
    {"copy", copy, METH_NOARGS,
     PyDoc_STR("copy($self, /)\n--\n\nReturn the entries in an ordinary dict.")},
    {"to_python", deep, METH_NOARGS,
     PyDoc_STR("to_python($self, /)\n--\n\n"
               "Return a deep copy made of ordinary built-ins.\n\n"
               "Shared and cyclic parts stay so; instances of PersistentObject are not copied.")},
    {"fromkeys", fromkeys, METH_VARARGS | METH_CLASS,
     PyDoc_STR("fromkeys($type, iterable, value=None, /)\n--\n\n"
               "Return an ordinary dict with keys from iterable and values set to value.")},
    {"__reversed__", reversed, METH_NOARGS,
     PyDoc_STR("__reversed__($self, /)\n--\n\nReturn a reverse iterator over the keys.")},
    {"__copy__", copy, METH_NOARGS, nullptr},
    {"__reduce__", reduce, METH_NOARGS, nullptr},
    {"__reduce_ex__", reduce, METH_O, nullptr},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, PyDoc_STR("See PEP 585")},
    {nullptr, nullptr, 0, nullptr}};

PyMemberDef members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Proxy, weakrefs), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};

// NOLINTNEXTLINE(cppcoreguidelines-interfaces-global-init): of proxy_attributes the address counts
PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>(
                    "A dict that lives in a pool.\n\n"
                    "It behaves as the built-in dict does, in order of insertion; each change is "
                    "atomic, and\ndurable when it returns (or with the transaction that it is "
                    "part of). Made by storing a\ndict in the pool, or by "
                    "pool.new(PersistentDict, ...).")},
    {Py_tp_new, as_slot(make)},
    {Py_tp_init, as_slot(init)},
    {Py_tp_dealloc, as_slot(proxy_dealloc)},
    {Py_tp_traverse, as_slot(proxy_traverse)},
    {Py_tp_hash, as_slot(PyObject_HashNotImplemented)},
    {Py_tp_repr, as_slot(repr)},
    {Py_tp_richcompare, as_slot(dict_compare)},
    {Py_tp_iter, as_slot(iter)},
    {Py_tp_methods, methods},
    {Py_tp_getset, proxy_attributes},
    {Py_tp_members, members},
    {Py_nb_or, as_slot(dict_or)},
    {Py_nb_inplace_or, as_slot(dict_inplace_or)},
    {Py_sq_contains, as_slot(contains)},
    {Py_mp_length, as_slot(length)},
    {Py_mp_subscript, as_slot(subscript)},
    {Py_mp_ass_subscript, as_slot(assign_subscript)},
    {0, nullptr}};

PyType_Spec spec = {"nvm.pmemobj.PersistentDict", sizeof(Proxy), 0, kContainerFlags | kMapping,
                    slots};

}  // namespace

Ref new_dict(PoolObject* pool, PyObject* arguments, PyObject* keywords) {
  const Ref entries =
      checked(PyObject_Call(reinterpret_cast<PyObject*>(&PyDict_Type), arguments, keywords));
  return new_container(pool, entries.get(), heap::Type::dict);
}

void register_dict(PyObject* module) {
  register_dict_iterator(module);
  register_dict_views(module);
  types.dict = add_type(module, spec);
  register_abc("MutableMapping", types.dict);
}

}  // namespace nvm::bindings
