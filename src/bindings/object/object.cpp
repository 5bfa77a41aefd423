// PersistentObject: the base of the user's persistent classes.
#include "object/object.h"

#include <structmember.h>

#include <cstring>

#include "object/record/class_table.h"
#include "pmem/error.h"
#include "pool/transaction.h"

namespace nvm::bindings {

bool is_object(PyObject* object) noexcept {
  return PyType_IsSubtype(Py_TYPE(object), types.object) != 0;
}

namespace {

PyObject* cached_property = nullptr;
PyTypeObject* base_type = nullptr;  // ours, whatever front stands before it (front.cpp)
PyObject* begin_name = nullptr;     // "_v__init__"
PyObject* init_name = nullptr;      // "__init__"

bool begins_with(PyObject* text, const char* prefix) {
  const auto length = static_cast<Py_ssize_t>(std::strlen(prefix));
  if (PyUnicode_GET_LENGTH(text) < length) return false;
  for (Py_ssize_t i = 0; i < length; ++i)
    if (PyUnicode_READ_CHAR(text, i) != static_cast<Py_UCS4>(prefix[i])) return false;
  return true;
}

bool equals(PyObject* text, const char* other) {
  return PyUnicode_CompareWithASCIIString(text, other) == 0;
}

void attach(PyObject* self, PoolObject* pool, heap::Handle* pinned) {
  Proxy* proxy = as_proxy(self);
  Py_INCREF(pool);
  proxy->pool = pool;
  proxy->handle = pinned;
  pinned->proxy = proxy;
}

}  // namespace

bool is_volatile(PyObject* name) noexcept { return begins_with(name, "_v_"); }

bool is_cached_property(PyObject* class_attribute) noexcept {
  return class_attribute != nullptr && object_of(Py_TYPE(class_attribute)) == cached_property;
}

Ref volatile_dict(PyObject* self) {
#ifdef PYPY_VERSION
  return checked(PyObject_GenericGetDict(self, nullptr));
#else
  return Ref::borrow(as_object(self)->dict);
#endif
}

void begin_volatile(PyObject* self) {
  if (inherits(Py_TYPE(self), begin_name)) return;
  try {
    checked(PyObject_CallMethodObjArgs(self, begin_name, nullptr));
  } catch (const PythonError&) {
    heap::Handle* const handle = as_proxy(self)->handle;
    if (handle != nullptr && handle->proxy == self) handle->proxy = nullptr;
    throw;
  }
}

namespace {

#ifdef PYPY_VERSION
// PyPy takes the layout of instances from the first base, which may be a mix-in: too small a block
// would be allocated, and dealloc() never called. The base that derives from ours counts instead.
void fit_layout(PyTypeObject* type) {
  if (PyType_IsSubtype(type->tp_base, types.object) != 0 || type == types.object) return;
  const Ref bases = checked(PyObject_GetAttrString(object_of(type), "__bases__"));
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(bases.get()); ++i) {
    auto* base = reinterpret_cast<PyTypeObject*>(PyTuple_GET_ITEM(bases.get(), i));
    if (PyType_IsSubtype(base, types.object) == 0) continue;
    fit_layout(base);
    Py_INCREF(base);  // the old one keeps its reference: the type lives for ever there anyway
    type->tp_base = base;
    type->tp_basicsize = base->tp_basicsize;
    type->tp_new = base->tp_new;
    return;
  }
}
#else
void fit_layout(PyTypeObject*) {}
#endif

}  // namespace

Ref allocate(PyTypeObject* type) {
  fit_layout(type);
  return checked(type->tp_alloc(type, 0));
}

void adopt_new(PyObject* self, PoolObject* pool, uint64_t class_id, heap::Handle* pinned) {
  attach(self, pool, pinned);
  remember_class(pool, class_id, Py_TYPE(self));
  begin_volatile(self);
}

Ref make_object_proxy(PoolObject* pool, heap::Handle* pinned) {
  const auto let_go = [](heap::Handle* handle) { unpin(handle->pool(), handle); };
  std::unique_ptr<heap::Handle, decltype(let_go)> pin(pinned, let_go);
  const Ref found = class_of(pool, pinned);
  auto* type = reinterpret_cast<PyTypeObject*>(found.get());
  prepare_record(type, pool, pinned);
  Ref made = allocate(type);
  // Other code has run: another proxy may be there by now.
  if (PyObject* live = live_proxy(pinned)) return Ref::borrow(live);
  attach(made.get(), pool, pin.release());
  begin_volatile(made.get());
  return made;
}

namespace {

// ---- Creation

// object.__new__ would accept any arguments of a class with a __new__ of its own.
void check_arguments(PyTypeObject* type, PyObject* arguments, PyObject* keywords) {
  const bool given =
      PyTuple_GET_SIZE(arguments) != 0 || (keywords != nullptr && PyDict_Size(keywords) != 0);
  if (given && inherits(type, init_name))
    raise(PyExc_TypeError, "%.200s() takes no arguments", type->tp_name);
}

// Refuses abstract classes.
Ref allocate_concrete(PyTypeObject* type) {
  fit_layout(type);
  const Ref no_arguments = checked(PyTuple_New(0));
  return checked(PyBaseObject_Type.tp_new(type, no_arguments.get(), nullptr));
}

PyObject* make(PyTypeObject* type, PyObject* arguments, PyObject* keywords) {
  return guarded([&] {
    PoolObject* pool = pool_for_call(type->tp_name);
    const Ref held = Ref::borrow(reinterpret_cast<PyObject*>(pool));
    check_arguments(type, arguments, keywords);
    prepare_class(type);
    Ref made = allocate_concrete(type);
    create_record(made.get(), pool, [](Operation&, Offset) {});
    add_young(pool, made.get());
    return made.release();
  });
}

// Undoes what a failed creation has done; its exception stays.
void leave_failed(PoolObject* pool) {
  PyObject *type = nullptr, *value = nullptr, *traceback = nullptr;
  PyErr_Fetch(&type, &value, &traceback);
  try {
    leave_block(pool, true);
  } catch (...) {
    set_python_error();  // the pool has been closed, for one
    PyErr_Clear();
  }
  PyErr_Restore(type, value, traceback);
}

}  // namespace

Ref new_object(PoolObject* pool, PyTypeObject* type, PyObject* arguments, PyObject* keywords) {
  begin_level(pool, Level::Kind::block, kForEver);
  Ref made;
  try {
    made = checked(PyObject_Call(object_of(type), arguments, keywords));
  } catch (...) {
    set_python_error();
    leave_failed(pool);
    throw PythonError{};
  }
  leave_block(pool, false);
  return made;
}

namespace {

// ---- Writing attributes

[[noreturn]] void refuse_name(PyObject* name) {
  raise(PyExc_AttributeError, "'%U': names that begin with _p_ are reserved", name);
}

void set_by_name(PyObject* self, PyObject* name, PyObject* value) {
  if (!PyUnicode_Check(name))
    raise(PyExc_TypeError, "attribute name must be string, not '%.200s'", Py_TYPE(name)->tp_name);
  const Ref present = lookup(Py_TYPE(self), name);
  if (is_attribute(present.get())) return set_attribute(self, present.get(), value);
  const bool data = is_data_descriptor(present.get());
  if (data && equals(name, "__class__"))
    raise(PyExc_TypeError, "__class__ of a persistent object cannot be assigned");
  if (data || value == nullptr || is_volatile(name) || is_cached_property(present.get()))
    return check(PyObject_GenericSetAttr(self, name, value));
  if (begins_with(name, "_p_")) refuse_name(name);
  // What typing sets on an instance of a generic alias, if it can.
  if (equals(name, "__orig_class__")) raise_no_attribute(Py_TYPE(self), name);
  set_attribute(self, attribute_of(Py_TYPE(self), name).get(), value);
}

#ifdef PYPY_VERSION
int set_attribute_slot(PyObject* self, PyObject* name, PyObject* value) {
  return guarded_int([&] {
    set_by_name(self, name, value);
    return 0;
  });
}
#else
PyObject* set_attribute_method(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  return guarded([&] {
    check_count("__setattr__", count, 2, 2);
    set_by_name(self, arguments[0], arguments[1]);
    return none();
  });
}

PyObject* delete_attribute_method(PyObject* self, PyObject* name) {
  return guarded([&] {
    set_by_name(self, name, nullptr);
    return none();
  });
}

PyMethodDef writing_methods[] = {
    {"__setattr__", as_method(set_attribute_method), METH_FASTCALL,
     PyDoc_STR("__setattr__($self, name, value, /)\n--\n\nImplement setattr(self, name, value).")},
    {"__delattr__", delete_attribute_method, METH_O,
     PyDoc_STR("__delattr__($self, name, /)\n--\n\nImplement delattr(self, name).")},
};

// As methods, which is how a class of Python's has them, and not as the slot: object.__setattr__
// refuses instances of types that fill the slot, and frozen dataclasses call it.
void add_writing_methods() {
  for (PyMethodDef& method : writing_methods) {
    const Ref descriptor = checked(PyDescr_NewMethod(types.object, &method));
    check(PyObject_SetAttrString(object_of(types.object), method.ml_name, descriptor.get()));
  }
}
#endif

// ---- Other slots and methods

PyObject* state_of(Proxy* self) {
  if (self->handle == nullptr) return PyUnicode_FromString(", not made yet");
  if (self->handle->offset() == 0)
    return PyUnicode_FromString(", born in a transaction that has been undone");
  return PyUnicode_FromFormat(" at offset %zu of '%U'", static_cast<size_t>(self->handle->offset()),
                              self->pool->filename);
}

PyObject* repr(PyObject* self) {
  return guarded([&] {
    const Ref state = checked(state_of(as_proxy(self)));
    const Ref module = checked(PyObject_GetAttrString(object_of(Py_TYPE(self)), "__module__"));
    const Ref name = checked(PyObject_GetAttrString(object_of(Py_TYPE(self)), "__qualname__"));
    return PyUnicode_FromFormat("<%S.%S persistent object%U>", module.get(), name.get(),
                                state.get());
  });
}

PyObject* init_subclass(PyObject* type, PyObject* arguments, PyObject* keywords) {
  return guarded([&] {
    const Ref builtins = checked(PyImport_ImportModule("builtins"));
    const Ref next = checked(PyObject_CallMethod(builtins.get(), "super", "OO", base_type, type));
    const Ref method = checked(PyObject_GetAttrString(next.get(), "__init_subclass__"));
    checked(PyObject_Call(method.get(), arguments, keywords));
    name_of(reinterpret_cast<PyTypeObject*>(type));  // so that it is found by its name
    return none();
  });
}

PyObject* begin_nothing(PyObject*, PyObject*) { return none(); }

void dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  if (as_proxy(self)->weakrefs != nullptr) PyObject_ClearWeakRefs(self);
  Py_CLEAR(as_object(self)->dict);
  proxy_dealloc(self);
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(as_object(self)->dict);
  return proxy_traverse(self, visit, arg);
}

int clear(PyObject* self) {
  Py_CLEAR(as_object(self)->dict);
  return 0;
}

PyMethodDef methods[] = {
    {"_v__init__", begin_nothing, METH_NOARGS,
     PyDoc_STR("_v__init__($self, /)\n--\n\n"
               "Called when the object is made (before __init__) and each time it comes back from "
               "the\npool: the place to set volatile attributes (_v_...).")},
    {"__init_subclass__", as_method(init_subclass), METH_VARARGS | METH_KEYWORDS | METH_CLASS,
     nullptr},
    {"__dir__", object_dir, METH_NOARGS, nullptr},
    {"__copy__", object_copy, METH_NOARGS,
     PyDoc_STR("__copy__($self, /)\n--\n\n"
               "A new object in the same pool with the same values of all attributes.")},
    {"__deepcopy__", object_deepcopy, METH_O,
     PyDoc_STR("__deepcopy__($self, memo, /)\n--\n\n"
               "A new object in the same pool with deep copies of all attributes.")},
    {"__reduce_ex__", object_reduce, METH_O, nullptr},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef attributes[] = {
    {"__dict__", object_vars, refuse_set,
     PyDoc_STR("A live, read-only view of the persistent attributes."), as_closure("__dict__")},
    {"_p_oid", get_oid, refuse_set, PyDoc_STR("The object's oid: (pool id, offset)."),
     as_closure("_p_oid")},
    {"_p_pool", get_pool, refuse_set, PyDoc_STR("The pool that the object lives in."),
     as_closure("_p_pool")},
    {"_p_mm", get_manager, refuse_set, PyDoc_STR("The pool's MemoryManager."), as_closure("_p_mm")},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyMemberDef members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Proxy, weakrefs), READONLY, nullptr},
    {"__dictoffset__", T_PYSSIZET, offsetof(ObjectProxy, dict), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};

PyType_Slot slots[] = {
    {Py_tp_doc,
     const_cast<char*>(
         "Base of classes whose instances live in a pool.\n\n"
         "Attributes are persistent: each assignment is atomic, and durable when it returns (or "
         "with\nthe transaction that it is part of). Those that begin with _v_ are volatile; _p_ "
         "is\nreserved. Instances are made by pool.new(Class, ...), or by calling the class in a\n"
         "transaction of the pool; __init__ runs then, and never again.")},
    {Py_tp_new, as_slot(make)},
    {Py_tp_dealloc, as_slot(dealloc)},
    {Py_tp_traverse, as_slot(traverse)},
    {Py_tp_clear, as_slot(clear)},
    {Py_tp_repr, as_slot(repr)},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_members, members},
#ifdef PYPY_VERSION
    {Py_tp_setattro, as_slot(set_attribute_slot)},
#endif
    {0, nullptr}};

PyType_Spec spec = {"nvm.pmemobj.PersistentObject", sizeof(ObjectProxy), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots};

}  // namespace

void register_object(PyObject* module) {
  register_attribute(module);
  register_attributes_view(module);
  register_class_lookup();
  register_class_preparation();
  register_strays(module);
  begin_name = checked(PyUnicode_InternFromString("_v__init__")).release();
  init_name = checked(PyUnicode_InternFromString("__init__")).release();
  const Ref functools = checked(PyImport_ImportModule("functools"));
  cached_property = checked(PyObject_GetAttrString(functools.get(), "cached_property")).release();
  types.object = base_type = add_type(module, spec);
#ifndef PYPY_VERSION
  add_writing_methods();
#endif
  name_of(types.object);
}

}  // namespace nvm::bindings
