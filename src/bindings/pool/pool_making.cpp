// What a pool makes: objects, transactions, views; and which classes it pickles.
#include "container.h"
#include "memory/memory.h"
#include "pool/pool.h"
#include "pool/transaction.h"

namespace nvm::bindings {

namespace {

PoolObject* as_pool(PyObject* self) { return reinterpret_cast<PoolObject*>(self); }

// The class that Class[int] stands for; what it is given, if that is no such alias.
Ref origin_of(PyObject* type) {
  if (PyType_Check(type)) return Ref::borrow(type);
  Ref origin(PyObject_GetAttrString(type, "__origin__"));
  if (!origin) PyErr_Clear();
  return origin ? std::move(origin) : Ref::borrow(type);
}

PyObject* make_new(PoolObject* pool, PyObject* type, PyObject* args, PyObject* kw) {
  if (PyType_Check(type)) {
    auto* wanted = reinterpret_cast<PyTypeObject*>(type);
    if (wanted == types.list) return new_list(pool, args, kw).release();
    if (wanted == types.dict) return new_dict(pool, args, kw).release();
    if (wanted == types.set) return new_set(pool, args, kw).release();
    if (wanted == types.bytearray) return new_bytearray(pool, args, kw).release();
    if (wanted == types.tuple) return new_tuple(pool, args, kw).release();
    if (wanted == types.frozenset) return new_frozenset(pool, args, kw).release();
    if (PyType_IsSubtype(wanted, types.object)) return new_object(pool, wanted, args, kw).release();
    if (is_custom_type(wanted)) return new_custom(pool, wanted, args, kw).release();
  }
  raise(PyExc_TypeError,
        "new() makes PersistentList, PersistentDict, PersistentSet, PersistentByteArray, "
        "PersistentTuple, PersistentFrozenSet and subclasses of PersistentObject, not %R",
        type);
}

PyObject* pool_new_object(PyObject* self, PyObject* args, PyObject* kw) {
  return guarded([&] {
    usable(as_pool(self));
    if (PyTuple_GET_SIZE(args) == 0) raise(PyExc_TypeError, "new() needs the type to make");
    const Ref rest = checked(PyTuple_GetSlice(args, 1, PyTuple_GET_SIZE(args)));
    return make_new(as_pool(self), origin_of(PyTuple_GET_ITEM(args, 0)).get(), rest.get(), kw);
  });
}

PyObject* pool_transaction(PyObject* self, PyObject* args, PyObject* kw) {
  static const char* names[] = {"timeout", "sync", nullptr};
  PyObject* timeout = nullptr;
  const char* sync = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kw, "|$Oz:transaction", const_cast<char**>(names),
                                   &timeout, &sync))
    return nullptr;
  return guarded([&] {
    usable(as_pool(self));
    return make_transaction(as_pool(self), seconds_of(timeout), promise_of(sync)).release();
  });
}

PyObject* pool_reading(PyObject* self, PyObject* args, PyObject* kw) {
  static const char* names[] = {"timeout", nullptr};
  PyObject* timeout = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kw, "|$O:reading", const_cast<char**>(names), &timeout))
    return nullptr;
  return guarded([&] {
    usable(as_pool(self));
    return make_reading(as_pool(self), seconds_of(timeout)).release();
  });
}

PyObject* pool_persist_via_pickle(PyObject* self, PyObject* types) {
  return guarded([&] {
    usable(as_pool(self));
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(types); ++i) {
      PyObject* type = PyTuple_GET_ITEM(types, i);
      if (!PyType_Check(type)) raise(PyExc_TypeError, "a class is needed, not %R", type);
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(types); ++i)
      check(PySet_Add(as_pool(self)->pickled, PyTuple_GET_ITEM(types, i)));
    return none();
  });
}

}  // namespace

const std::vector<PyMethodDef> making_methods = {
    {"new", as_method(pool_new_object), METH_VARARGS | METH_KEYWORDS,
     "new($self, type, /, *args, **kwargs)\n--\n\n"
     "Make a persistent object: of one of the persistent types of nvm.pmemobj or a subclass of\n"
     "PersistentObject, with the arguments its constructor takes.\n\n"
     "It is freed again when the last reference to it is gone, unless something in the pool\n"
     "refers to it by then."},
    {"transaction", as_method(pool_transaction), METH_VARARGS | METH_KEYWORDS,
     "transaction($self, /, *, timeout=None, sync=None)\n--\n\n"
     "Return a Transaction: a context manager and decorator whose changes become durable all\n"
     "together or not at all.\n\n"
     "Beginning it waits at most timeout seconds for other threads (None: for ever) and then\n"
     "raises TransactionTimeoutError. sync is as for nvm.open(), for this transaction if it is "
     "the\n"
     "outermost."},
    {"reading", as_method(pool_reading), METH_VARARGS | METH_KEYWORDS,
     "reading($self, /, *, timeout=None)\n--\n\n"
     "Return a context manager for a consistent view over several reads.\n\n"
     "Inside, no thread changes the pool; a change by this one is a TransactionError."},
    {"persist_via_pickle", pool_persist_via_pickle, METH_VARARGS,
     "persist_via_pickle($self, /, *types)\n--\n\n"
     "Let the pool hold instances of these classes, which it could not hold otherwise, as "
     "pickles;\n"
     "and load such pickles from it, which can run any code: for pools that you trust. They "
     "cannot\n"
     "be keys. It holds for this pool object only."},
};

}  // namespace nvm::bindings
