// PersistentTuple: the type. It never changes, so that most of what it does is done by the
// built-in, on a copy of its items.
#include "tuple/tuple.h"

#include <structmember.h>

#include <algorithm>

#include "object/tuple/tuple.h"
#include "pmem/error.h"

namespace nvm::bindings {

namespace tuple = object::tuple;

bool is_tuple(PyObject* object) noexcept { return Py_TYPE(object) == types.tuple; }

Ref tuple_snapshot(Proxy* self) {
  std::vector<Decoded> items;
  reading(self, [&](heap::Pool& pool, Offset offset) {
    const std::span<const uint64_t> cells = tuple::cells(pool, offset);
    items.reserve(cells.size());
    for (const uint64_t cell : cells) items.push_back(Decoded::fetch(pool, Cell(cell)));
  });
  return checked(PyList_AsTuple(build_list(self->pool, items).get()));
}

namespace {

bool is_any_tuple(PyObject* object) { return PyTuple_Check(object) || is_tuple(object); }

Ref plain_operand(PyObject* any_tuple) {
  return is_tuple(any_tuple) ? tuple_snapshot(as_proxy(any_tuple)) : Ref::borrow(any_tuple);
}

uint64_t size_of(Proxy* self) {
  return reading(self, [](heap::Pool& pool, Offset offset) {
    return static_cast<uint64_t>(tuple::cells(pool, offset).size());
  });
}

// The item; negative indexes count from the end.
PyObject* get_item(Proxy* self, Py_ssize_t index) {
  Decoded item = reading(self, [&](heap::Pool& pool, Offset offset) {
    const std::span<const uint64_t> cells = tuple::cells(pool, offset);
    const int64_t place = index < 0 ? index + static_cast<int64_t>(cells.size()) : index;
    if (place < 0 || static_cast<uint64_t>(place) >= cells.size())
      throw Error(ErrorKind::index, "tuple index out of range");
    return Decoded::fetch(pool, Cell(cells[static_cast<size_t>(place)]));
  });
  return item.build(self->pool).release();
}

// ---- Slots

Py_ssize_t length(PyObject* self) {
  return guarded([&] { return static_cast<Py_ssize_t>(size_of(as_proxy(self))); }, -1);
}

// Called by PySequence_GetItem, which has added the size to a negative index already.
PyObject* sequence_item(PyObject* self, Py_ssize_t index) {
  return guarded([&] {
    if (index < 0) throw Error(ErrorKind::index, "tuple index out of range");
    return get_item(as_proxy(self), index);
  });
}

PyObject* subscript(PyObject* self, PyObject* key) {
  return guarded([&]() -> PyObject* {
    if (PySlice_Check(key)) return PyObject_GetItem(tuple_snapshot(as_proxy(self)).get(), key);
    if (!PyIndex_Check(key))
      raise(PyExc_TypeError, "tuple indices must be integers or slices, not %.200s",
            Py_TYPE(key)->tp_name);
    const Py_ssize_t index = PyNumber_AsSsize_t(key, PyExc_IndexError);
    if (index == -1 && PyErr_Occurred()) throw PythonError{};
    return get_item(as_proxy(self), index);
  });
}

PyObject* iter(PyObject* self) {
  return guarded([&] { return PyObject_GetIter(tuple_snapshot(as_proxy(self)).get()); });
}

PyObject* repr(PyObject* self) {
  const int entered = Py_ReprEnter(self);
  if (entered != 0) return entered < 0 ? nullptr : PyUnicode_FromString("PersistentTuple((...))");
  PyObject* text = guarded([&] {
    const Ref items = tuple_snapshot(as_proxy(self));
    return PyUnicode_FromFormat("PersistentTuple(%R)", items.get());
  });
  Py_ReprLeave(self);
  return text;
}

PyObject* compare(PyObject* self, PyObject* other, int op) {
  if (!is_any_tuple(other)) Py_RETURN_NOTIMPLEMENTED;
  return guarded([&] {
    const Ref left = tuple_snapshot(as_proxy(self));
    const Ref right = plain_operand(other);
    const auto item_of = [](PyObject* items, uint64_t index) {
      const auto place = static_cast<Py_ssize_t>(index);
      return place < PyTuple_GET_SIZE(items) ? Ref::borrow(PyTuple_GET_ITEM(items, place)) : Ref();
    };
    const auto size = [](PyObject* items) { return PyTuple_GET_SIZE(items); };
    return compare_sequences(left.get(), right.get(), op, size, item_of);
  });
}

// The number of items in [begin, end) that equal the value, or the index of the first.
struct Found {
  Py_ssize_t count = 0;
  Py_ssize_t first = -1;
};
Found find(Proxy* self, PyObject* value, Py_ssize_t begin, Py_ssize_t end, bool all) {
  Found found;
  const Ref items = tuple_snapshot(self);
  end = std::min(end, PyTuple_GET_SIZE(items.get()));
  for (Py_ssize_t i = begin; i < end && (all || found.count == 0); ++i) {
    if (!same_item(PyTuple_GET_ITEM(items.get(), i), value)) continue;
    if (found.count++ == 0) found.first = i;
  }
  return found;
}

int contains(PyObject* self, PyObject* value) {
  return guarded_int(
      [&] { return find(as_proxy(self), value, 0, PY_SSIZE_T_MAX, false).count == 0 ? 0 : 1; });
}

// As nb_add too, so that an ordinary tuple can stand on the left.
PyObject* add(PyObject* left, PyObject* right) {
  if (!is_any_tuple(left) || !is_any_tuple(right)) Py_RETURN_NOTIMPLEMENTED;
  return guarded([&] {
    const Ref one = plain_operand(left);
    const Ref other = plain_operand(right);
    return PySequence_Concat(one.get(), other.get());
  });
}

PyObject* concat(PyObject* self, PyObject* other) {
  return guarded([&] {
    const Ref items = tuple_snapshot(as_proxy(self));
    return PySequence_Concat(items.get(), other);  // says what is wrong with the other
  });
}

PyObject* repeat(PyObject* self, Py_ssize_t times) {
  return guarded([&] { return PySequence_Repeat(tuple_snapshot(as_proxy(self)).get(), times); });
}

PyObject* make(PyTypeObject*, PyObject* arguments, PyObject* keywords) {
  return guarded(
      [&] { return new_tuple(pool_for_call("PersistentTuple"), arguments, keywords).release(); });
}

// ---- Methods

PyObject* count(PyObject* self, PyObject* value) {
  return guarded([&] {
    return PyLong_FromSsize_t(find(as_proxy(self), value, 0, PY_SSIZE_T_MAX, true).count);
  });
}

PyObject* index(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  return guarded([&] {
    check_count("index", count, 1, 3);
    const auto size = static_cast<Py_ssize_t>(size_of(as_proxy(self)));
    const auto bound = [&](Py_ssize_t number, Py_ssize_t otherwise) {
      if (count <= number) return otherwise;
      const Py_ssize_t given = bound_argument(arguments[number]);
      return given < 0 ? std::max<Py_ssize_t>(given + size, 0) : given;
    };
    const Py_ssize_t begin = bound(1, 0);
    const Found found = find(as_proxy(self), arguments[0], begin, bound(2, size), false);
    if (found.count == 0) raise(PyExc_ValueError, "tuple.index(x): x not in tuple");
    return PyLong_FromSsize_t(found.first);
  });
}

PyObject* copy(PyObject* self, PyObject*) {
  return guarded([&] { return tuple_snapshot(as_proxy(self)).release(); });
}

PyObject* deep(PyObject* self, PyObject*) {
  return guarded([&] { return to_python(self).release(); });
}

// For copy and pickle: an ordinary tuple with the same items.
PyObject* reduce(PyObject* self, PyObject*) {
  return guarded([&] {
    const Ref items = tuple_snapshot(as_proxy(self));
    const Ref list = checked(PySequence_List(items.get()));
    return Py_BuildValue("O(O)", &PyTuple_Type, list.get());
  });
}

PyMethodDef methods[] = {
    {"count", count, METH_O,
     PyDoc_STR("count($self, value, /)\n--\n\nReturn the number of items that equal value.")},
    {"index", as_method(index), METH_FASTCALL,
     PyDoc_STR("index($self, value, start=0, stop=sys.maxsize, /)\n--\n\n"
               "Return the first index of value.\n\n"
               "Raises ValueError if the value is not present.")},
    {"to_python", deep, METH_NOARGS,
     PyDoc_STR("to_python($self, /)\n--\n\n"
               "Return a deep copy made of ordinary built-ins.\n\n"
               "Shared and cyclic parts stay so; instances of PersistentObject are not copied.")},
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
    {Py_tp_doc, const_cast<char*>("A tuple that lives in a pool and keeps its identity.\n\n"
                                  "It behaves as the built-in tuple does. Made by "
                                  "pool.new(PersistentTuple, iterable); a\ntuple that is assigned "
                                  "comes back as an ordinary one.")},
    {Py_tp_new, as_slot(make)},
    {Py_tp_dealloc, as_slot(proxy_dealloc)},
    {Py_tp_traverse, as_slot(proxy_traverse)},
    {Py_tp_hash, as_slot(hash_of_frozen)},
    {Py_tp_repr, as_slot(repr)},
    {Py_tp_richcompare, as_slot(compare)},
    {Py_tp_iter, as_slot(iter)},
    {Py_tp_methods, methods},
    {Py_tp_getset, proxy_attributes},
    {Py_tp_members, members},
    {Py_nb_add, as_slot(add)},
    {Py_sq_length, as_slot(length)},
    {Py_sq_item, as_slot(sequence_item)},
    {Py_sq_contains, as_slot(contains)},
    {Py_sq_concat, as_slot(concat)},
    {Py_sq_repeat, as_slot(repeat)},
    {Py_mp_length, as_slot(length)},
    {Py_mp_subscript, as_slot(subscript)},
    {0, nullptr}};

PyType_Spec spec = {"nvm.pmemobj.PersistentTuple", sizeof(Proxy), 0, kContainerFlags | kSequence,
                    slots};

}  // namespace

Ref new_tuple(PoolObject* pool, PyObject* arguments, PyObject* keywords) {
  const Ref content = checked(PyObject_Call(object_of(&PyTuple_Type), arguments, keywords));
  return new_container(pool, content.get(), heap::Type::persistent_tuple);
}

void register_tuple(PyObject* module) {
  types.tuple = add_type(module, spec);
  register_abc("Sequence", types.tuple);
}

}  // namespace nvm::bindings
