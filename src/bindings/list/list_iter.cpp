// Iterators over a PersistentList. As with the built-in's, each step gives what the list holds at
// that moment: a list that grows under them is followed to its end, and one that has ended stays
// ended. Small items are decoded ahead.
#include <algorithm>
#include <span>

#include "list/list.h"
#include "values/ahead.h"

namespace nvm::bindings {

namespace {

struct Item {
  PyObject* value;
  void drop() noexcept { Py_DECREF(value); }
};

struct ListIterator {
  PyObject_HEAD PyObject* list;  // null: at the end
  Py_ssize_t index;              // of the next item
  bool reversed;
  Ahead<Item> ahead;  // from `index` on
};

PyTypeObject* iterator_type = nullptr;

ListIterator* as_iterator(PyObject* self) { return reinterpret_cast<ListIterator*>(self); }

PyObject* make_iterator(PyObject* list, bool reversed) {
  return guarded([&] {
    const auto size = static_cast<Py_ssize_t>(list_size(as_proxy(list)));
    Ref made = checked(iterator_type->tp_alloc(iterator_type, 0));
    ListIterator* iterator = as_iterator(made.get());
    Py_INCREF(list);
    iterator->list = list;
    iterator->index = reversed ? size - 1 : 0;
    iterator->reversed = reversed;
    return made.release();
  });
}

int step_of(const ListIterator* iterator) { return iterator->reversed ? -1 : 1; }

// REQUIRES: nothing is ahead.
void decode_ahead(ListIterator* iterator, heap::Pool& pool, std::span<const uint64_t> cells,
                  uint64_t index) {
  const auto step = static_cast<uint64_t>(step_of(iterator));
  iterator->ahead.fill(pool, [&](Item& item) {
    index += step;
    if (index >= cells.size()) return false;
    const Cell cell(cells[index]);
    if (!fits_ahead(pool, cell)) return false;
    item.value = Decoded::fetch(pool, cell).build(nullptr).release();
    return true;
  });
}

// The item at `index`, or null (no exception) at and beyond the end. Decodes what follows it,
// unless the item may run code of anyone's when it is built: that may fail, and then it comes
// again.
Ref look(ListIterator* iterator, Proxy* list, Py_ssize_t index) try {
  Decoded item = reading(list, [&](heap::Pool& pool, Offset offset) {
    iterator->ahead.drop();
    const std::span<const uint64_t> cells = object::list::cells(pool, offset);
    const auto place = static_cast<uint64_t>(index);
    if (place >= cells.size()) return Decoded();
    const Cell cell(cells[place]);
    Decoded found = Decoded::fetch(pool, cell);
    if (cell.kind() != Cell::Kind::object) decode_ahead(iterator, pool, cells, place);
    return found;
  });
  return item.empty() ? Ref() : item.build(list->pool);
} catch (...) {
  iterator->ahead.drop();
  throw;
}

PyObject* next_item(PyObject* self) {
  ListIterator* iterator = as_iterator(self);
  if (iterator->list == nullptr) return nullptr;
  if (iterator->ahead.stands(pool_of(as_proxy(iterator->list)))) {
    iterator->index += step_of(iterator);
    return iterator->ahead.take().value;
  }
  return guarded([&] {
    const Ref list = Ref::borrow(iterator->list);
    const Py_ssize_t index = iterator->index;
    Ref item = look(iterator, as_proxy(list.get()), index);
    if (item) {
      // Else it was stepped meanwhile, by code that the item ran or in another thread.
      if (iterator->index == index) iterator->index = index + step_of(iterator);
    } else {
      Py_CLEAR(iterator->list);
    }
    return item.release();
  });
}

Py_ssize_t remaining(ListIterator* iterator) {
  if (iterator->list == nullptr) return 0;
  const auto size = static_cast<Py_ssize_t>(list_size(as_proxy(iterator->list)));
  if (iterator->reversed) return iterator->index >= size ? 0 : iterator->index + 1;
  return iterator->index >= size ? 0 : size - iterator->index;
}

PyObject* length_hint(PyObject* self, PyObject*) {
  return guarded([&] { return PyLong_FromSsize_t(remaining(as_iterator(self))); });
}

// (iter, (list,), index), as the built-in's.
PyObject* reduce(PyObject* self, PyObject*) {
  return guarded([&]() -> PyObject* {
    const ListIterator* iterator = as_iterator(self);
    const Ref builtins = checked(PyImport_ImportModule("builtins"));
    const bool reversed = iterator->reversed && iterator->list != nullptr;
    const Ref function =
        checked(PyObject_GetAttrString(builtins.get(), reversed ? "reversed" : "iter"));
    if (iterator->list == nullptr) return Py_BuildValue("O([])", function.get());
    return Py_BuildValue("O(O)n", function.get(), iterator->list, iterator->index);
  });
}

PyObject* set_state(PyObject* self, PyObject* state) {
  return guarded([&] {
    ListIterator* iterator = as_iterator(self);
    Py_ssize_t index = PyLong_AsSsize_t(state);
    if (index == -1 && PyErr_Occurred()) throw PythonError{};
    if (iterator->list != nullptr) {
      const auto size = static_cast<Py_ssize_t>(list_size(as_proxy(iterator->list)));
      const Py_ssize_t least = iterator->reversed ? -1 : 0;
      const Py_ssize_t most = iterator->reversed ? size - 1 : size;
      iterator->ahead.drop();
      iterator->index = std::max(least, std::min(index, most));
    }
    return none();
  });
}

void dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  as_iterator(self)->ahead.drop();
  Py_CLEAR(as_iterator(self)->list);
  type->tp_free(self);
  Py_DECREF(type);
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(as_iterator(self)->list);
  return 0;
}

PyMethodDef methods[] = {
    {"__length_hint__", length_hint, METH_NOARGS,
     PyDoc_STR("Private method returning an estimate of len(list(it)).")},
    {"__reduce__", reduce, METH_NOARGS, PyDoc_STR("Return state information for pickling.")},
    {"__setstate__", set_state, METH_O, PyDoc_STR("Set state information for unpickling.")},
    {nullptr, nullptr, 0, nullptr}};

PyType_Slot slots[] = {{Py_tp_new, as_slot(refuse_new)},
                       {Py_tp_dealloc, as_slot(dealloc)},
                       {Py_tp_traverse, as_slot(traverse)},
                       {Py_tp_iter, as_slot(PyObject_SelfIter)},
                       {Py_tp_iternext, as_slot(next_item)},
                       {Py_tp_methods, methods},
                       {0, nullptr}};

PyType_Spec spec = {"nvm._core.PersistentListIterator", sizeof(ListIterator), 0, kContainerFlags,
                    slots};

}  // namespace

PyObject* list_iter(PyObject* self) { return make_iterator(self, false); }

PyObject* list_reversed(PyObject* self, PyObject*) { return make_iterator(self, true); }

void register_list_iterator(PyObject* module) { iterator_type = add_type(module, spec); }

}  // namespace nvm::bindings
