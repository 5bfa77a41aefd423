// Iterators over a PersistentList. As the built-in's, they look at the list anew at each step: a
// list that grows under them is followed to its end, and one that has ended stays ended.
#include "list/list.h"

namespace nvm::bindings {

namespace {

struct ListIterator {
  PyObject_HEAD PyObject* list;  // null: at the end
  Py_ssize_t index;              // of the next item
  bool reversed;
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

PyObject* next_item(PyObject* self) {
  ListIterator* iterator = as_iterator(self);
  if (iterator->list == nullptr) return nullptr;
  return guarded([&] {
    const Ref list = Ref::borrow(iterator->list);
    const Py_ssize_t index = iterator->index;
    Ref item = index < 0 ? Ref() : list_item(as_proxy(list.get()), static_cast<uint64_t>(index));
    if (item) {
      iterator->index = index + (iterator->reversed ? -1 : 1);
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
      iterator->index = std::max(least, std::min(index, most));
    }
    return none();
  });
}

void dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
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
