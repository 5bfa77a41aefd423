// PersistentList: the type, its items, and the methods that add and take single ones.
#include "list/list.h"

#include <structmember.h>

#include <algorithm>

#include "pmem/error.h"
#include "values/taken.h"

namespace nvm::bindings {

namespace list = object::list;

bool is_list(PyObject* object) noexcept { return Py_TYPE(object) == types.list; }

uint64_t list_size(Proxy* self) {
  return reading(self, [](heap::Pool& pool, Offset offset) { return list::size(pool, offset); });
}

Ref list_item(Proxy* self, uint64_t index) {
  Decoded item = reading(self, [&](heap::Pool& pool, Offset offset) {
    const std::span<const uint64_t> cells = list::cells(pool, offset);
    if (index >= cells.size()) return Decoded();
    return Decoded::fetch(pool, Cell(cells[index]));
  });
  return item.empty() ? Ref() : item.build(self->pool);
}

Ref list_snapshot(Proxy* self) {
  std::vector<Decoded> items;
  reading(self, [&](heap::Pool& pool, Offset offset) {
    const std::span<const uint64_t> cells = list::cells(pool, offset);
    items.reserve(cells.size());
    for (const uint64_t cell : cells) items.push_back(Decoded::fetch(pool, Cell(cell)));
  });
  return build_list(self->pool, items);
}

uint64_t checked_index(Py_ssize_t index, uint64_t size, const char* message) {
  const int64_t place = index < 0 ? index + static_cast<int64_t>(size) : index;
  if (place < 0 || static_cast<uint64_t>(place) >= size) throw Error(ErrorKind::index, message);
  return static_cast<uint64_t>(place);
}

namespace {

constexpr const char* kOutOfRange = "list index out of range";
constexpr const char* kAssignmentOutOfRange = "list assignment index out of range";

Py_ssize_t index_of(PyObject* object) {
  const Py_ssize_t index = PyNumber_AsSsize_t(object, PyExc_IndexError);
  if (index == -1 && PyErr_Occurred()) throw PythonError{};
  return index;
}

PyObject* out_of_range() {
  PyErr_SetString(PyExc_IndexError, kOutOfRange);
  return nullptr;
}

PyObject* item_from_end(Proxy* self, Py_ssize_t index) {
  Decoded item = reading(self, [&](heap::Pool& pool, Offset offset) {
    const std::span<const uint64_t> cells = list::cells(pool, offset);
    const uint64_t back = 0 - static_cast<uint64_t>(index);
    if (back > cells.size()) return Decoded();
    return Decoded::fetch(pool, Cell(cells[cells.size() - back]));
  });
  return item.empty() ? out_of_range() : item.build(self->pool).release();
}

PyObject* get_item(PyObject* self, Py_ssize_t index) {
  if (index < 0) return item_from_end(as_proxy(self), index);
  Ref item = list_item(as_proxy(self), static_cast<uint64_t>(index));
  return item ? item.release() : out_of_range();
}

void set_item(Proxy* self, Py_ssize_t index, PyObject* value) {
  Encoded encoded(self->pool, value);
  changing(self, [&](Operation& op, Offset offset) {
    encoded.begin();
    const uint64_t size = list::size(op.pool(), offset);
    list::set(op, offset, checked_index(index, size, kAssignmentOutOfRange), encoded.value());
  });
}

void delete_item(Proxy* self, Py_ssize_t index) {
  changing(self, [&](Operation& op, Offset offset) {
    const uint64_t size = list::size(op.pool(), offset);
    const uint64_t place = checked_index(index, size, kAssignmentOutOfRange);
    list::splice(op, offset, place, place + 1, {});
  });
}

// ---- Slots

Py_ssize_t length(PyObject* self) {
  return guarded([&] { return static_cast<Py_ssize_t>(list_size(as_proxy(self))); }, -1);
}

// Called by PySequence_GetItem, which has added the size to a negative index already.
PyObject* sequence_item(PyObject* self, Py_ssize_t index) {
  return guarded([&] { return index < 0 ? out_of_range() : get_item(self, index); });
}

PyObject* subscript(PyObject* self, PyObject* key) {
  return guarded([&]() -> PyObject* {
    if (PyIndex_Check(key)) return get_item(self, index_of(key));
    if (PySlice_Check(key)) return list_get_slice(self, key);
    raise(PyExc_TypeError, "list indices must be integers or slices, not %.200s",
          Py_TYPE(key)->tp_name);
  });
}

int assign_subscript(PyObject* self, PyObject* key, PyObject* value) {
  return guarded_int([&] {
    if (PySlice_Check(key)) return list_set_slice(self, key, value);
    if (!PyIndex_Check(key))
      raise(PyExc_TypeError, "list indices must be integers or slices, not %.200s",
            Py_TYPE(key)->tp_name);
    const Py_ssize_t index = index_of(key);
    if (value == nullptr) {
      delete_item(as_proxy(self), index);
    } else {
      set_item(as_proxy(self), index, value);
    }
    return 0;
  });
}

// Called by PySequence_SetItem and PySequence_DelItem, as sequence_item.
int sequence_assign(PyObject* self, Py_ssize_t index, PyObject* value) {
  return guarded_int([&] {
    if (index < 0) throw Error(ErrorKind::index, kAssignmentOutOfRange);
    if (value == nullptr) {
      delete_item(as_proxy(self), index);
    } else {
      set_item(as_proxy(self), index, value);
    }
    return 0;
  });
}

PyObject* repr(PyObject* self) {
  const int entered = Py_ReprEnter(self);
  if (entered != 0) return entered < 0 ? nullptr : PyUnicode_FromString("PersistentList([...])");
  PyObject* text = guarded([&] {
    const Ref items = list_snapshot(as_proxy(self));
    return PyUnicode_FromFormat("PersistentList(%R)", items.get());
  });
  Py_ReprLeave(self);
  return text;
}

// What list() is given, in an ordinary list.
Ref content_of(PyObject* arguments, PyObject* keywords) {
  check_no_keywords("list", keywords);
  const Py_ssize_t count = PyTuple_GET_SIZE(arguments);
  check_count("list", count, 0, 1);
  return checked(count == 0 ? PyList_New(0) : PySequence_List(PyTuple_GET_ITEM(arguments, 0)));
}

// Empty: __init__ fills it.
PyObject* make(PyTypeObject*, PyObject*, PyObject*) {
  return guarded([&] {
    const Ref nothing = checked(PyList_New(0));
    return new_container(pool_for_call("PersistentList"), nothing.get(), heap::Type::list)
        .release();
  });
}

int init(PyObject* self, PyObject* arguments, PyObject* keywords) {
  return guarded_int([&] {
    const Ref content = content_of(arguments, keywords);
    const Ref all = checked(PySlice_New(nullptr, nullptr, nullptr));
    return list_set_slice(self, all.get(), content.get());
  });
}

// ---- Methods

PyObject* append(PyObject* self, PyObject* value) {
  return guarded([&] {
    Encoded encoded(as_proxy(self)->pool, value);
    changing(as_proxy(self), [&](Operation& op, Offset offset) {
      encoded.begin();
      list::append(op, offset, encoded.value());
    });
    return none();
  });
}

PyObject* extend(PyObject* self, PyObject* iterable) {
  return guarded([&] {
    list_extend(as_proxy(self), iterable);
    return none();
  });
}

PyObject* insert(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  return guarded([&] {
    check_count("insert", count, 2, 2);
    const Py_ssize_t index = integer_argument(arguments[0]);
    Encoded encoded(as_proxy(self)->pool, arguments[1]);
    changing(as_proxy(self), [&](Operation& op, Offset offset) {
      encoded.begin();
      const auto size = static_cast<int64_t>(list::size(op.pool(), offset));
      const int64_t place = index < 0 ? std::max<int64_t>(index + size, 0) : index;
      list::insert(op, offset, static_cast<uint64_t>(std::min(place, size)), encoded.value());
    });
    return none();
  });
}

PyObject* pop(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  return guarded([&] {
    check_count("pop", count, 0, 1);
    const Py_ssize_t index = count == 0 ? -1 : integer_argument(arguments[0]);
    Taken item(as_proxy(self)->pool);
    const auto take = [&](Operation& op, Offset offset) {
      const uint64_t size = list::size(op.pool(), offset);
      if (size == 0) throw Error(ErrorKind::index, "pop from empty list");
      const uint64_t place = checked_index(index, size, "pop index out of range");
      if (!item.fetch(op.pool(), list::get(op.pool(), offset, place))) return;
      if (place + 1 == size) {
        list::pop(op, offset);
      } else {
        list::splice(op, offset, place, place + 1, {});
      }
    };
    taking(as_proxy(self), take, item);
    return item.release().release();
  });
}

PyObject* clear(PyObject* self, PyObject*) {
  return guarded([&] {
    changing(as_proxy(self), [](Operation& op, Offset offset) { list::clear(op, offset); });
    return none();
  });
}

PyObject* reverse(PyObject* self, PyObject*) {
  return guarded([&] {
    changing(as_proxy(self), [](Operation& op, Offset offset) { list::reverse(op, offset); });
    return none();
  });
}

PyObject* copy(PyObject* self, PyObject*) {
  return guarded([&] { return list_snapshot(as_proxy(self)).release(); });
}

PyObject* deep(PyObject* self, PyObject*) {
  return guarded([&] { return to_python(self).release(); });
}

// For copy and pickle: an ordinary list with the same items.
PyObject* reduce(PyObject* self, PyObject*) {
  return guarded([&] {
    const Ref items = list_snapshot(as_proxy(self));
    const Ref iterator = checked(PyObject_GetIter(items.get()));
    return Py_BuildValue("O()OO", &PyList_Type, Py_None, iterator.get());
  });
}

PyMethodDef methods[] = {
    {"append", append, METH_O,
     PyDoc_STR("append($self, object, /)\n--\n\n"
               "Append object to the end of the list. Durable when it returns, or with the "
               "transaction.")},
    {"extend", extend, METH_O,
     PyDoc_STR("extend($self, iterable, /)\n--\n\n"
               "Append all items of the iterable, which is read first, in one operation.")},
    {"insert", as_method(insert), METH_FASTCALL,
     PyDoc_STR("insert($self, index, object, /)\n--\n\nInsert object before index.")},
    {"pop", as_method(pop), METH_FASTCALL,
     PyDoc_STR("pop($self, index=-1, /)\n--\n\n"
               "Remove and return the item at index (default last).\n\n"
               "Raises IndexError if the list is empty or index is out of range.")},
    {"remove", list_remove, METH_O,
     PyDoc_STR("remove($self, value, /)\n--\n\n"
               "Remove the first item that equals value.\n\n"
               "Raises ValueError if there is none.")},
    {"clear", clear, METH_NOARGS, PyDoc_STR("clear($self, /)\n--\n\nRemove all items.")},
    {"reverse", reverse, METH_NOARGS,
     PyDoc_STR("reverse($self, /)\n--\n\nReverse the list *IN PLACE*.")},
    {"sort", as_method(list_sort), METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR("sort($self, /, *, key=None, reverse=False)\n--\n\n"
               "Sort the list in ascending order, in one operation; the sort is stable.\n\n"
               "Raises ValueError, and changes nothing, if the list is changed meanwhile.")},
    {"index", as_method(list_index), METH_FASTCALL,
     PyDoc_STR("index($self, value, start=0, stop=sys.maxsize, /)\n--\n\n"
               "Return the first index of value.\n\n"
               "Raises ValueError if the value is not present.")},
    {"count", list_count, METH_O,
     PyDoc_STR("count($self, value, /)\n--\n\nReturn the number of items that equal value.")},
    {"copy", copy, METH_NOARGS,
     PyDoc_STR("copy($self, /)\n--\n\nReturn the items in an ordinary list.")},
    {"to_python", deep, METH_NOARGS,
     PyDoc_STR("to_python($self, /)\n--\n\n"
               "Return a deep copy made of ordinary built-ins.\n\n"
               "Shared and cyclic parts stay so; instances of PersistentObject are not copied.")},
    {"__reversed__", list_reversed, METH_NOARGS,
     PyDoc_STR("__reversed__($self, /)\n--\n\nReturn a reverse iterator over the list.")},
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
    {Py_tp_doc,
     const_cast<char*>("A list that lives in a pool.\n\n"
                       "It behaves as the built-in list does; each change is atomic, and durable "
                       "when it returns\n(or with the transaction that it is part of). Made by "
                       "storing a list in the pool, or by\npool.new(PersistentList, iterable).")},
    {Py_tp_new, as_slot(make)},
    {Py_tp_init, as_slot(init)},
    {Py_tp_dealloc, as_slot(proxy_dealloc)},
    {Py_tp_traverse, as_slot(proxy_traverse)},
    {Py_tp_hash, as_slot(PyObject_HashNotImplemented)},
    {Py_tp_repr, as_slot(repr)},
    {Py_tp_richcompare, as_slot(list_compare)},
    {Py_tp_iter, as_slot(list_iter)},
    {Py_tp_methods, methods},
    {Py_tp_getset, proxy_attributes},
    {Py_tp_members, members},
    {Py_sq_length, as_slot(length)},
    {Py_sq_item, as_slot(sequence_item)},
    {Py_sq_ass_item, as_slot(sequence_assign)},
    {Py_sq_contains, as_slot(list_contains)},
    {Py_sq_concat, as_slot(list_concat)},
    {Py_sq_repeat, as_slot(list_repeat)},
    {Py_sq_inplace_concat, as_slot(list_inplace_concat)},
    {Py_sq_inplace_repeat, as_slot(list_inplace_repeat)},
    {Py_mp_length, as_slot(length)},
    {Py_mp_subscript, as_slot(subscript)},
    {Py_mp_ass_subscript, as_slot(assign_subscript)},
    {0, nullptr}};

PyType_Spec spec = {"nvm.pmemobj.PersistentList", sizeof(Proxy), 0, kContainerFlags | kSequence,
                    slots};

}  // namespace

Ref new_list(PoolObject* pool, PyObject* arguments, PyObject* keywords) {
  const Ref content = content_of(arguments, keywords);
  return new_container(pool, content.get(), heap::Type::list);
}

void register_list(PyObject* module) {
  register_list_iterator(module);
  types.list = add_type(module, spec);
  register_abc("MutableSequence", types.list);
}

}  // namespace nvm::bindings
