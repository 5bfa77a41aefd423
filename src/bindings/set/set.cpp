// PersistentSet: the type, its elements, and the methods that add and take single ones.
#include "set/set.h"

#include <structmember.h>

#include "pmem/error.h"

namespace nvm::bindings {

namespace set = object::set;
using Purpose = Encoded::Purpose;

bool is_set(PyObject* object) noexcept { return Py_TYPE(object) == types.set; }

uint64_t set_size(Proxy* self) {
  return reading(self, [](heap::Pool& pool, Offset offset) { return set::size(pool, offset); });
}

bool set_holds(Proxy* self, const DictKey& element) {
  return reading(self, [&](heap::Pool& pool, Offset offset) {
    return element.comparable() && set::contains(pool, offset, *element);
  });
}

Ref set_elements(Proxy* self) {
  std::vector<Decoded> elements;
  reading(self, [&](heap::Pool& pool, Offset offset) {
    elements.reserve(set::size(pool, offset));
    uint64_t position = 0;
    object::StoredKey element;
    while (set::next(pool, offset, position, element)) elements.push_back(fetch_key(pool, element));
  });
  return build_list(self->pool, elements);
}

Ref set_snapshot(Proxy* self) { return checked(PySet_New(set_elements(self).get())); }

namespace {

// As the built-in: a set that is looked for is looked for as a frozenset. (One that is hashable is
// an element like any other.)
Ref sought(PyObject* element) {
  if (!PySet_Check(element) && !is_set(element)) return Ref::borrow(element);
  if (PyObject_Hash(element) != -1) return Ref::borrow(element);
  if (PyErr_ExceptionMatches(PyExc_TypeError) == 0) throw PythonError{};
  PyErr_Clear();
  return checked(PyFrozenSet_New(element));
}

bool discard_element(Proxy* self, PyObject* given) {
  const Ref element = sought(given);
  const DictKey key(self, element.get(), Purpose::look_up);
  return changing(self, [&](Operation& op, Offset offset) {
    return key.comparable() && set::discard(op, offset, *key);
  });
}

// ---- Slots

Py_ssize_t length(PyObject* self) {
  return guarded([&] { return static_cast<Py_ssize_t>(set_size(as_proxy(self))); }, -1);
}

int contains(PyObject* self, PyObject* given) {
  return guarded_int([&] {
    const Ref element = sought(given);
    const DictKey key(as_proxy(self), element.get(), Purpose::look_up);
    return set_holds(as_proxy(self), key) ? 1 : 0;
  });
}

PyObject* iter(PyObject* self) {
  return guarded([&] { return set_iterator(self).release(); });
}

PyObject* repr(PyObject* self) {
  const int entered = Py_ReprEnter(self);
  if (entered != 0) return entered < 0 ? nullptr : PyUnicode_FromString("PersistentSet(...)");
  PyObject* text = guarded([&] {
    const Ref elements = set_elements(as_proxy(self));
    if (PyList_GET_SIZE(elements.get()) == 0) return PyUnicode_FromString("PersistentSet()");
    const Ref brackets = checked(PyObject_Repr(elements.get()));
    const Ref inner =
        checked(PyUnicode_Substring(brackets.get(), 1, PyUnicode_GET_LENGTH(brackets.get()) - 1));
    return PyUnicode_FromFormat("PersistentSet({%U})", inner.get());
  });
  Py_ReprLeave(self);
  return text;
}

// What set() is given, in an ordinary set.
Ref content_of(PyObject* arguments, PyObject* keywords) {
  return checked(PyObject_Call(object_of(&PySet_Type), arguments, keywords));
}

// Empty: __init__ fills it.
PyObject* make(PyTypeObject*, PyObject*, PyObject*) {
  return guarded([&] {
    const Ref nothing = checked(PySet_New(nullptr));
    return new_container(pool_for_call("PersistentSet"), nothing.get()).release();
  });
}

int init(PyObject* self, PyObject* arguments, PyObject* keywords) {
  return guarded_int([&] {
    const Ref content = content_of(arguments, keywords);
    set_assign(as_proxy(self), content.get());
    return 0;
  });
}

// ---- Methods

PyObject* add(PyObject* self, PyObject* element) {
  return guarded([&] {
    DictKey key(as_proxy(self), element, Purpose::store);
    changing(as_proxy(self), [&](Operation& op, Offset offset) {
      key.begin();
      set::add(op, offset, *key);
    });
    return none();
  });
}

PyObject* discard(PyObject* self, PyObject* element) {
  return guarded([&] {
    discard_element(as_proxy(self), element);
    return none();
  });
}

PyObject* remove(PyObject* self, PyObject* element) {
  return guarded(
      [&] { return discard_element(as_proxy(self), element) ? none() : set_key_error(element); });
}

PyObject* pop(PyObject* self, PyObject*) {
  return guarded([&] {
    Decoded element;
    changing(as_proxy(self), [&](Operation& op, Offset offset) {
      object::StoredKey stored;
      if (!set::last(op.pool(), offset, stored))
        throw Error(ErrorKind::key, "pop from an empty set");
      element = fetch_key(op.pool(), stored);
      set::pop(op, offset);
    });
    return element.build(as_proxy(self)->pool).release();
  });
}

PyObject* clear(PyObject* self, PyObject*) {
  return guarded([&] {
    changing(as_proxy(self), [](Operation& op, Offset offset) { set::clear(op, offset); });
    return none();
  });
}

PyObject* copy(PyObject* self, PyObject*) {
  return guarded([&] { return set_snapshot(as_proxy(self)).release(); });
}

PyObject* deep(PyObject* self, PyObject*) {
  return guarded([&] { return to_python(self).release(); });
}

// For copy and pickle: an ordinary set with the same elements.
PyObject* reduce(PyObject* self, PyObject*) {
  return guarded([&] {
    const Ref elements = set_elements(as_proxy(self));
    return Py_BuildValue("O(O)", &PySet_Type, elements.get());
  });
}

PyMethodDef methods[] = {
    {"add", add, METH_O,
     PyDoc_STR("add($self, object, /)\n--\n\n"
               "Add an element; nothing happens if it is there already. Durable when it returns, "
               "or with the\ntransaction.")},
    {"discard", discard, METH_O,
     PyDoc_STR("discard($self, object, /)\n--\n\nRemove an element if it is there.")},
    {"remove", remove, METH_O,
     PyDoc_STR("remove($self, object, /)\n--\n\n"
               "Remove an element.\n\nRaises KeyError if it is not there.")},
    {"pop", pop, METH_NOARGS,
     PyDoc_STR("pop($self, /)\n--\n\n"
               "Remove and return an element.\n\nRaises KeyError if the set is empty.")},
    {"clear", clear, METH_NOARGS, PyDoc_STR("clear($self, /)\n--\n\nRemove all elements.")},
    {"update", set_update, METH_VARARGS,
     PyDoc_STR("update($self, /, *others)\n--\n\n"
               "Add the elements of all others, which are read first, in one operation.")},
    {"intersection_update", set_intersection_update, METH_VARARGS,
     PyDoc_STR("intersection_update($self, /, *others)\n--\n\n"
               "Keep only the elements that are in all others too, in one operation.")},
    {"difference_update", set_difference_update, METH_VARARGS,
     PyDoc_STR("difference_update($self, /, *others)\n--\n\n"
               "Remove the elements of all others, in one operation.")},
    {"symmetric_difference_update", set_symmetric_difference_update, METH_O,
     PyDoc_STR("symmetric_difference_update($self, other, /)\n--\n\n"
               "Keep what is in just one of the two, in one operation.")},
    {"union", set_union, METH_VARARGS,
     PyDoc_STR("union($self, /, *others)\n--\n\n"
               "Return an ordinary set of the elements of this and all others.")},
    {"intersection", set_intersection, METH_VARARGS,
     PyDoc_STR("intersection($self, /, *others)\n--\n\n"
               "Return an ordinary set of what is in this and all others.")},
    {"difference", set_difference, METH_VARARGS,
     PyDoc_STR("difference($self, /, *others)\n--\n\n"
               "Return an ordinary set of what is in this and none of the others.")},
    {"symmetric_difference", set_symmetric_difference, METH_O,
     PyDoc_STR("symmetric_difference($self, other, /)\n--\n\n"
               "Return an ordinary set of what is in just one of the two.")},
    {"isdisjoint", set_isdisjoint, METH_O,
     PyDoc_STR("isdisjoint($self, other, /)\n--\n\n"
               "Return True if the two have no element in common.")},
    {"issubset", set_issubset, METH_O,
     PyDoc_STR("issubset($self, other, /)\n--\n\nReturn True if all elements are in the other.")},
    {"issuperset", set_issuperset, METH_O,
     PyDoc_STR("issuperset($self, other, /)\n--\n\n"
               "Return True if all elements of the other are in this.")},
    {"copy", copy, METH_NOARGS,
     PyDoc_STR("copy($self, /)\n--\n\nReturn the elements in an ordinary set.")},
    {"to_python", deep, METH_NOARGS,
     PyDoc_STR("to_python($self, /)\n--\n\n"
               "Return an ordinary set of the elements.\n\n"
               "Instances of PersistentObject are not copied.")},
    {"__copy__", copy, METH_NOARGS, nullptr},
    {"__reduce__", reduce, METH_NOARGS, nullptr},
    {"__reduce_ex__", reduce, METH_O, nullptr},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, PyDoc_STR("See PEP 585")},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef attributes[] = {
    {"_p_oid", get_oid, refuse_set, PyDoc_STR("The object's oid: (pool id, offset)."),
     as_closure("_p_oid")},
    {"_p_pool", get_pool, refuse_set, PyDoc_STR("The pool that the object lives in."),
     as_closure("_p_pool")},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyMemberDef members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Proxy, weakrefs), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};

PyType_Slot slots[] = {
    {Py_tp_doc,
     const_cast<char*>("A set that lives in a pool.\n\n"
                       "It behaves as the built-in set does, in order of insertion; each change is "
                       "atomic, and\ndurable when it returns (or with the transaction that it is "
                       "part of). Made by storing a\nset in the pool, or by "
                       "pool.new(PersistentSet, iterable).")},
    {Py_tp_new, as_slot(make)},
    {Py_tp_init, as_slot(init)},
    {Py_tp_dealloc, as_slot(proxy_dealloc)},
    {Py_tp_traverse, as_slot(proxy_traverse)},
    {Py_tp_hash, as_slot(PyObject_HashNotImplemented)},
    {Py_tp_repr, as_slot(repr)},
    {Py_tp_richcompare, as_slot(set_compare)},
    {Py_tp_iter, as_slot(iter)},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_members, members},
    {Py_nb_or, as_slot(set_or)},
    {Py_nb_and, as_slot(set_and)},
    {Py_nb_subtract, as_slot(set_subtract)},
    {Py_nb_xor, as_slot(set_xor)},
    {Py_nb_inplace_or, as_slot(set_inplace_or)},
    {Py_nb_inplace_and, as_slot(set_inplace_and)},
    {Py_nb_inplace_subtract, as_slot(set_inplace_subtract)},
    {Py_nb_inplace_xor, as_slot(set_inplace_xor)},
    {Py_sq_length, as_slot(length)},
    {Py_sq_contains, as_slot(contains)},
    {0, nullptr}};

PyType_Spec spec = {"nvm.pmemobj.PersistentSet", sizeof(Proxy), 0, kContainerFlags, slots};

}  // namespace

Ref new_set(PoolObject* pool, PyObject* arguments, PyObject* keywords) {
  const Ref content = content_of(arguments, keywords);
  return new_container(pool, content.get());
}

void register_set(PyObject* module) {
  types.set = add_type(module, spec);
  register_abc("MutableSet", types.set);
}

}  // namespace nvm::bindings
