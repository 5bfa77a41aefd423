// PersistentFrozenSet: the type. What it does is in set_elements.cpp and set_operators.cpp.
#include <Python.h>
#include <structmember.h>

#include "object/caches.h"
#include "set/set.h"

namespace nvm::bindings {

using object::HashCache;

bool is_frozenset(PyObject* object) noexcept { return Py_TYPE(object) == types.frozenset; }

namespace {

HashCache::Known known(PyObject* frozenset) {
  return reading(as_proxy(frozenset), [](heap::Pool& pool, Offset offset) {
    return object::caches(pool).hashes.find(pool, offset);
  });
}

// Over a list: a frozenset would hash them all.
PyObject* iter(PyObject* self) {
  return guarded([&] { return PyObject_GetIter(set_elements(as_proxy(self)).get()); });
}

PyObject* make(PyTypeObject*, PyObject* arguments, PyObject* keywords) {
  return guarded([&] {
    return new_frozenset(pool_for_call("PersistentFrozenSet"), arguments, keywords).release();
  });
}

PyMethodDef methods[] = {
    {"union", set_union, METH_VARARGS,
     PyDoc_STR("union($self, /, *others)\n--\n\n"
               "Return an ordinary frozenset of the elements of this and all others.")},
    {"intersection", set_intersection, METH_VARARGS,
     PyDoc_STR("intersection($self, /, *others)\n--\n\n"
               "Return an ordinary frozenset of what is in this and all others.")},
    {"difference", set_difference, METH_VARARGS,
     PyDoc_STR("difference($self, /, *others)\n--\n\n"
               "Return an ordinary frozenset of what is in this and none of the others.")},
    {"symmetric_difference", set_symmetric_difference, METH_O,
     PyDoc_STR("symmetric_difference($self, other, /)\n--\n\n"
               "Return an ordinary frozenset of what is in just one of the two.")},
    {"isdisjoint", set_isdisjoint, METH_O,
     PyDoc_STR("isdisjoint($self, other, /)\n--\n\n"
               "Return True if the two have no element in common.")},
    {"issubset", set_issubset, METH_O,
     PyDoc_STR("issubset($self, other, /)\n--\n\nReturn True if all elements are in the other.")},
    {"issuperset", set_issuperset, METH_O,
     PyDoc_STR("issuperset($self, other, /)\n--\n\n"
               "Return True if all elements of the other are in this.")},
    {"copy", set_copy, METH_NOARGS,
     PyDoc_STR("copy($self, /)\n--\n\nReturn the elements in an ordinary frozenset.")},
    {"to_python", set_to_python, METH_NOARGS,
     PyDoc_STR("to_python($self, /)\n--\n\n"
               "Return an ordinary frozenset of the elements.\n\n"
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
    {Py_tp_doc, const_cast<char*>("A frozenset that lives in a pool and keeps its identity.\n\n"
                                  "It behaves as the built-in frozenset does. Made by "
                                  "pool.new(PersistentFrozenSet, iterable);\na frozenset that is "
                                  "assigned comes back as an ordinary one.")},
    {Py_tp_new, as_slot(make)},
    {Py_tp_dealloc, as_slot(proxy_dealloc)},
    {Py_tp_traverse, as_slot(proxy_traverse)},
    {Py_tp_hash, as_slot(hash_of_frozen)},
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
    {Py_sq_length, as_slot(set_length)},
    {Py_sq_contains, as_slot(set_contains)},
    {0, nullptr}};

PyType_Spec spec = {"nvm.pmemobj.PersistentFrozenSet", sizeof(Proxy), 0, kContainerFlags, slots};

}  // namespace

Py_hash_t known_hash(PyObject* frozenset) {
  return static_cast<Py_hash_t>(known(frozenset).interpreters);
}

void learn_hash(PyObject* frozenset, PyObject* plain) {
  const Py_hash_t hash = PyObject_Hash(plain);
  if (hash == HashCache::Known::kNone) throw PythonError{};
  reading(as_proxy(frozenset), [&](heap::Pool& pool, Offset offset) {
    object::caches(pool).hashes.learn_interpreters(pool, offset, hash);
  });
}

bool known_fit(PyObject* frozenset) { return known(frozenset).fit; }

void learn_fit(PyObject* frozenset) {
  reading(as_proxy(frozenset), [&](heap::Pool& pool, Offset offset) {
    object::caches(pool).hashes.learn_fit(pool, offset);
  });
}

Ref new_frozenset(PoolObject* pool, PyObject* arguments, PyObject* keywords) {
  const Ref content = checked(PyObject_Call(object_of(&PyFrozenSet_Type), arguments, keywords));
  check_key(content.get());
  Ref made = new_container(pool, content.get(), heap::Type::persistent_frozenset);
  learn_hash(made.get(), content.get());
  learn_fit(made.get());
  return made;
}

void register_frozenset(PyObject* module) {
  types.frozenset = add_type(module, spec);
  register_abc("Set", types.frozenset);
}

}  // namespace nvm::bindings
