// PersistentList.sort: an ordinary list is sorted while no latch is held, and the order that comes
// out is written in one operation.
#include <algorithm>

#include "list/list.h"

namespace nvm::bindings {

namespace list = object::list;

namespace {

// The list at one instant.
struct Snapshot {
  std::vector<uint64_t> cells;  // to see whether it has changed
  Ref items;
};

Snapshot take_snapshot(Proxy* self) {
  Snapshot snapshot;
  std::vector<Decoded> items;
  reading(self, [&](heap::Pool& pool, Offset offset) {
    const std::span<const uint64_t> cells = list::cells(pool, offset);
    snapshot.cells.assign(cells.begin(), cells.end());
    items.reserve(cells.size());
    for (const uint64_t cell : cells) items.push_back(Decoded::fetch(pool, Cell(cell)));
  });
  snapshot.items = build_list(self->pool, items);
  return snapshot;
}

struct Arguments {
  PyObject* key = Py_None;
  PyObject* reverse = Py_False;

  // The built-in checks them, and explains what is wrong: an empty list is sorted by them.
  Arguments(PyObject* positional, PyObject* keywords) {
    const Ref empty = checked(PyList_New(0));
    const Ref sort = checked(PyObject_GetAttrString(empty.get(), "sort"));
    checked(PyObject_Call(sort.get(), positional, keywords));
    // PyPy's takes them by position too.
    const Py_ssize_t count = PyTuple_GET_SIZE(positional);
    if (count > 0) key = PyTuple_GET_ITEM(positional, 0);
    if (count > 1) reverse = PyTuple_GET_ITEM(positional, 1);
    if (keywords == nullptr) return;
    take(keywords, "key", key);
    take(keywords, "reverse", reverse);
  }

 private:
  static void take(PyObject* keywords, const char* name, PyObject*& argument) {
    const Ref text = checked(PyUnicode_FromString(name));
    PyObject* given = PyDict_GetItemWithError(keywords, text.get());
    if (given != nullptr) argument = given;
    if (given == nullptr && PyErr_Occurred() != nullptr) throw PythonError{};
  }
};

Ref keys_of(PyObject* items, PyObject* function) {
  if (function == Py_None) return Ref::borrow(items);
  Ref keys = checked(PyList_New(0));
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items); ++i) {
    const Ref item = Ref::borrow(PyList_GET_ITEM(items, i));
    const Ref key = checked(PyObject_CallFunctionObjArgs(function, item.get(), nullptr));
    check(PyList_Append(keys.get(), key.get()));
  }
  return keys;
}

// The numbers 0, 1, ... in the order of the keys: a list of them is sorted with keys[i] as i's key.
Ref sorted_numbers(PyObject* keys, PyObject* reverse) {
  const Ref range = checked(PyObject_CallFunction(reinterpret_cast<PyObject*>(&PyRange_Type), "n",
                                                  PyList_GET_SIZE(keys)));
  Ref numbers = checked(PySequence_List(range.get()));
  const Ref key_of = checked(PyObject_GetAttrString(keys, "__getitem__"));
  const Ref sort = checked(PyObject_GetAttrString(numbers.get(), "sort"));
  const Ref arguments = checked(PyTuple_New(0));
  const Ref keywords = checked(Py_BuildValue("{sOsO}", "key", key_of.get(), "reverse", reverse));
  checked(PyObject_Call(sort.get(), arguments.get(), keywords.get()));
  return numbers;
}

std::vector<uint64_t> order_of(PyObject* numbers) {
  std::vector<uint64_t> order;
  order.reserve(static_cast<size_t>(PyList_GET_SIZE(numbers)));
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(numbers); ++i)
    order.push_back(PyLong_AsUnsignedLongLong(PyList_GET_ITEM(numbers, i)));
  return order;
}

}  // namespace

PyObject* list_sort(PyObject* self, PyObject* positional, PyObject* keywords) {
  return guarded([&] {
    const Arguments arguments(positional, keywords);
    const Snapshot before = take_snapshot(as_proxy(self));
    const Ref keys = keys_of(before.items.get(), arguments.key);
    const std::vector<uint64_t> order =
        order_of(sorted_numbers(keys.get(), arguments.reverse).get());
    changing(as_proxy(self), [&](Operation& op, Offset offset) {
      if (!std::ranges::equal(list::cells(op.pool(), offset), before.cells))
        throw Error(ErrorKind::value, "list modified during sort");
      if (!std::ranges::is_sorted(order)) list::permute(op, offset, order);
    });
    return none();
  });
}

}  // namespace nvm::bindings
