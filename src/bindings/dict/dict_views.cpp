// The views of a PersistentDict: keys(), values(), items(). Live, and sets where the built-in's
// are.
#include "dict/dict.h"

namespace nvm::bindings {

namespace {

struct DictView {
  PyObject_HEAD PyObject* dict;
};

PyTypeObject* builtin_keys_type = nullptr;
PyTypeObject* builtin_items_type = nullptr;

DictView* as_view(PyObject* object) { return reinterpret_cast<DictView*>(object); }

PyObject* dict_of(PyObject* view) { return part_of_made(view, as_view(view)->dict); }

DictPart part_of(PyObject* view) {
  if (Py_TYPE(view) == types.dict_keys) return DictPart::keys;
  return Py_TYPE(view) == types.dict_values ? DictPart::values : DictPart::items;
}

bool is_set_view(PyObject* object) noexcept {
  return Py_TYPE(object) == types.dict_keys || Py_TYPE(object) == types.dict_items;
}

// The views of built-in dicts; PyPy has no checks for them.
bool is_builtin_set_view(PyObject* object) noexcept {
  return Py_TYPE(object) == builtin_keys_type || Py_TYPE(object) == builtin_items_type;
}

PyTypeObject* builtin_view_type(const char* method) {
  const Ref dict = checked(PyDict_New());
  const Ref view = checked(PyObject_CallMethod(dict.get(), method, nullptr));
  PyTypeObject* type = Py_TYPE(view.get());
  Py_INCREF(type);
  return type;
}

PyObject* make_view(PyTypeObject* type, PyObject* dict) {
  return guarded([&] {
    offset_of(as_proxy(dict));
    Ref made = checked(type->tp_alloc(type, 0));
    Py_INCREF(dict);
    as_view(made.get())->dict = dict;
    return made.release();
  });
}

Py_ssize_t length(PyObject* self) {
  return guarded([&] { return static_cast<Py_ssize_t>(dict_size(as_proxy(dict_of(self)))); }, -1);
}

PyObject* iter(PyObject* self) {
  return guarded([&] { return dict_iterator(dict_of(self), part_of(self), false).release(); });
}

PyObject* reversed(PyObject* self, PyObject*) {
  return guarded([&] { return dict_iterator(dict_of(self), part_of(self), true).release(); });
}

PyObject* repr(PyObject* self) {
  const char* const names[] = {"PersistentDictKeys", "PersistentDictValues", "PersistentDictItems"};
  const char* name = names[static_cast<size_t>(part_of(self))];
  const int entered = Py_ReprEnter(self);
  if (entered != 0) return entered < 0 ? nullptr : PyUnicode_FromString("...");
  PyObject* text = guarded([&] {
    const Ref parts = checked(PySequence_List(self));
    return PyUnicode_FromFormat("%s(%R)", name, parts.get());
  });
  Py_ReprLeave(self);
  return text;
}

bool holds_item(PyObject* self, PyObject* pair) {
  offset_of(as_proxy(dict_of(self)));
  if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) return false;
  const Ref value = dict_lookup(as_proxy(dict_of(self)), PyTuple_GET_ITEM(pair, 0));
  return value && same_item(value.get(), PyTuple_GET_ITEM(pair, 1));
}

int contains_key(PyObject* self, PyObject* key) {
  return guarded_int([&] { return PySequence_Contains(dict_of(self), key); });
}

int contains_item(PyObject* self, PyObject* pair) {
  return guarded_int([&] { return holds_item(self, pair) ? 1 : 0; });
}

// ---- Set operations: an ordinary set of the left operand's elements, changed by a method of set

PyObject* combine(PyObject* left, PyObject* right, const char* method) {
  return guarded([&] {
    Ref result = checked(PySet_New(left));
    checked(PyObject_CallMethod(result.get(), method, "O", right));
    return result.release();
  });
}

PyObject* subtract(PyObject* left, PyObject* right) {
  return combine(left, right, "difference_update");
}
PyObject* exclude(PyObject* left, PyObject* right) {
  return combine(left, right, "symmetric_difference_update");
}
PyObject* unite(PyObject* left, PyObject* right) { return combine(left, right, "update"); }

// What of the other operand is in the view: nothing is hashed but that.
PyObject* intersect(PyObject* left, PyObject* right) {
  PyObject* view = is_set_view(left) ? left : right;
  PyObject* other = view == left ? right : left;
  return guarded([&] {
    Ref result = checked(PySet_New(nullptr));
    const Ref iterator = checked(PyObject_GetIter(other));
    while (Ref element{PyIter_Next(iterator.get())}) {
      const int found = PySequence_Contains(view, element.get());
      check(found);
      if (found != 0) check(PySet_Add(result.get(), element.get()));
    }
    if (PyErr_Occurred()) throw PythonError{};
    return result.release();
  });
}

// Whether all elements of `part` are in `whole`.
bool all_in(PyObject* part, PyObject* whole) {
  const Ref iterator = checked(PyObject_GetIter(part));
  while (Ref element{PyIter_Next(iterator.get())}) {
    const int found = PySequence_Contains(whole, element.get());
    check(found);
    if (found == 0) return false;
  }
  if (PyErr_Occurred()) throw PythonError{};
  return true;
}

bool compare_sets(PyObject* self, PyObject* other, int op) {
  const uint64_t size = length_of(self);
  const uint64_t other_size = length_of(other);
  switch (op) {
    case Py_EQ:
    case Py_NE:
      return (size == other_size && all_in(self, other)) == (op == Py_EQ);
    case Py_LT:
      return size < other_size && all_in(self, other);
    case Py_LE:
      return size <= other_size && all_in(self, other);
    case Py_GT:
      return size > other_size && all_in(other, self);
    default:
      return size >= other_size && all_in(other, self);
  }
}

PyObject* compare(PyObject* self, PyObject* other, int op) {
  if (!PyAnySet_Check(other) && !is_dict_set_view(other)) Py_RETURN_NOTIMPLEMENTED;
  return guarded([&] { return boolean(compare_sets(self, other, op)); });
}

PyObject* isdisjoint(PyObject* self, PyObject* other) {
  return guarded([&] {
    if (self == other) return boolean(length_of(self) == 0);
    const Ref iterator = checked(PyObject_GetIter(other));
    while (Ref element{PyIter_Next(iterator.get())}) {
      const int found = PySequence_Contains(self, element.get());
      check(found);
      if (found != 0) return boolean(false);
    }
    if (PyErr_Occurred()) throw PythonError{};
    return boolean(true);
  });
}

PyObject* get_mapping(PyObject* self, void*) {
  return guarded([&] { return PyDictProxy_New(dict_of(self)); });
}

void dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  Py_CLEAR(as_view(self)->dict);
  type->tp_free(self);
  Py_DECREF(type);
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(as_view(self)->dict);
  return 0;
}

PyMethodDef value_methods[] = {
    {"__reversed__", reversed, METH_NOARGS,
     PyDoc_STR("__reversed__($self, /)\n--\n\nReturn a reverse iterator over the view.")},
    {nullptr, nullptr, 0, nullptr}};

PyMethodDef set_methods[] = {
    {"__reversed__", reversed, METH_NOARGS,
     PyDoc_STR("__reversed__($self, /)\n--\n\nReturn a reverse iterator over the view.")},
    {"isdisjoint", isdisjoint, METH_O,
     PyDoc_STR("isdisjoint($self, iterable, /)\n--\n\n"
               "Return True if the view and the iterable have no element in common.")},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef attributes[] = {{"mapping", get_mapping, refuse_set,
                             PyDoc_STR("A read-only view of the dict."), as_closure("mapping")},
                            {nullptr, nullptr, nullptr, nullptr, nullptr}};

using Slots = std::vector<PyType_Slot>;

PyTypeObject* add_view(PyObject* module, const char* name, const Slots& own) {
  Slots slots = {{Py_tp_new, as_slot(refuse_new)},    {Py_tp_dealloc, as_slot(dealloc)},
                 {Py_tp_traverse, as_slot(traverse)}, {Py_tp_iter, as_slot(iter)},
                 {Py_tp_repr, as_slot(repr)},         {Py_tp_getset, attributes},
                 {Py_sq_length, as_slot(length)}};
  slots.insert(slots.end(), own.begin(), own.end());
  slots.push_back({0, nullptr});
  PyType_Spec spec = {name, sizeof(DictView), 0, kContainerFlags, slots.data()};
  return add_type(module, spec);
}

const Slots& set_slots() {
  static const Slots slots = {
      {Py_tp_methods, set_methods},        {Py_tp_richcompare, as_slot(compare)},
      {Py_nb_subtract, as_slot(subtract)}, {Py_nb_and, as_slot(intersect)},
      {Py_nb_xor, as_slot(exclude)},       {Py_nb_or, as_slot(unite)}};
  return slots;
}

Slots with_contains(Slots slots, int (*contains)(PyObject*, PyObject*)) {
  slots.push_back({Py_sq_contains, as_slot(contains)});
  return slots;
}

}  // namespace

bool is_dict_set_view(PyObject* object) noexcept {
  return is_set_view(object) || is_builtin_set_view(object);
}

PyObject* dict_keys(PyObject* self, PyObject*) { return make_view(types.dict_keys, self); }
PyObject* dict_values(PyObject* self, PyObject*) { return make_view(types.dict_values, self); }
PyObject* dict_items(PyObject* self, PyObject*) { return make_view(types.dict_items, self); }

void register_dict_views(PyObject* module) {
  builtin_keys_type = builtin_view_type("keys");
  builtin_items_type = builtin_view_type("items");
  types.dict_keys =
      add_view(module, "nvm._core.PersistentDictKeys", with_contains(set_slots(), contains_key));
  types.dict_values =
      add_view(module, "nvm._core.PersistentDictValues", {{Py_tp_methods, value_methods}});
  types.dict_items =
      add_view(module, "nvm._core.PersistentDictItems", with_contains(set_slots(), contains_item));
  register_abc("KeysView", types.dict_keys);
  register_abc("ValuesView", types.dict_values);
  register_abc("ItemsView", types.dict_items);
}

}  // namespace nvm::bindings
