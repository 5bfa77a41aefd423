// PersistentSet: the type, its elements, and the methods that add and take single ones.
#include "set/set.h"

#include <structmember.h>

#include "pmem/error.h"
#include "values/taken.h"

namespace nvm::bindings {

namespace set = object::set;
using Purpose = Encoded::Purpose;

bool is_set(PyObject* object) noexcept { return Py_TYPE(object) == types.set; }

namespace {

bool discard_element(Proxy* self, PyObject* given) {
  const Ref element = element_sought(given);
  const DictKey key(self, element.get(), Purpose::look_up);
  return changing(self, [&](Operation& op, Offset offset) {
    return key.comparable() && set::discard(op, offset, *key);
  });
}

// ---- Slots

PyObject* iter(PyObject* self) {
  return guarded([&] { return set_iterator(self).release(); });
}

// What set() is given, in an ordinary set.
Ref content_of(PyObject* arguments, PyObject* keywords) {
  return checked(PyObject_Call(object_of(&PySet_Type), arguments, keywords));
}

// Empty: __init__ fills it.
PyObject* make(PyTypeObject*, PyObject*, PyObject*) {
  return guarded([&] {
    const Ref nothing = checked(PySet_New(nullptr));
    return new_container(pool_for_call("PersistentSet"), nothing.get(), heap::Type::set).release();
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
    Taken element(as_proxy(self)->pool);
    const auto take = [&](Operation& op, Offset offset) {
      object::StoredKey stored;
      if (!set::last(op.pool(), offset, stored))
        throw Error(ErrorKind::key, "pop from an empty set");
      if (element.fetch(op.pool(), stored)) set::pop(op, offset);
    };
    taking(as_proxy(self), take, element);
    return element.release().release();
  });
}

PyObject* clear(PyObject* self, PyObject*) {
  return guarded([&] {
    changing(as_proxy(self), [](Operation& op, Offset offset) { set::clear(op, offset); });
    return none();
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
    {"copy", set_copy, METH_NOARGS,
     PyDoc_STR("copy($self, /)\n--\n\nReturn the elements in an ordinary set.")},
    {"to_python", set_to_python, METH_NOARGS,
     PyDoc_STR("to_python($self, /)\n--\n\n"
               "Return an ordinary set of the elements.\n\n"
               "Instances of PersistentObject are not copied.")},
    {"__copy__", set_copy, METH_NOARGS, nullptr},
    {"__reduce__", set_reduce, METH_NOARGS, nullptr},
    {"__reduce_ex__", set_reduce, METH_O, nullptr},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, PyDoc_STR("See PEP 585")},
    {nullptr, nullptr, 0, nullptr}};

PyMemberDef members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Proxy, weakrefs), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};

// NOLINTNEXTLINE(cppcoreguidelines-interfaces-global-init): of proxy_attributes the address counts
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
    {Py_tp_repr, as_slot(set_repr)},
    {Py_tp_richcompare, as_slot(set_compare)},
    {Py_tp_iter, as_slot(iter)},
    {Py_tp_methods, methods},
    {Py_tp_getset, proxy_attributes},
    {Py_tp_members, members},
    {Py_nb_or, as_slot(set_or)},
    {Py_nb_and, as_slot(set_and)},
    {Py_nb_subtract, as_slot(set_subtract)},
    {Py_nb_xor, as_slot(set_xor)},
    {Py_nb_inplace_or, as_slot(set_inplace_or)},
    {Py_nb_inplace_and, as_slot(set_inplace_and)},
    {Py_nb_inplace_subtract, as_slot(set_inplace_subtract)},
    {Py_nb_inplace_xor, as_slot(set_inplace_xor)},
    {Py_sq_length, as_slot(set_length)},
    {Py_sq_contains, as_slot(set_contains)},
    {0, nullptr}};

PyType_Spec spec = {"nvm.pmemobj.PersistentSet", sizeof(Proxy), 0, kContainerFlags, slots};

}  // namespace

Ref new_set(PoolObject* pool, PyObject* arguments, PyObject* keywords) {
  const Ref content = content_of(arguments, keywords);
  return new_container(pool, content.get(), heap::Type::set);
}

void register_set(PyObject* module) {
  types.set = add_type(module, spec);
  register_abc("MutableSet", types.set);
  register_frozenset(module);
}

}  // namespace nvm::bindings
