// Transaction: what pool.transaction() gives; a context manager, a decorator, begin and commit.
#include "pool/transaction.h"

#include <cerrno>

#include "container.h"

namespace nvm::bindings {

namespace {

struct TransactionObject {
  PyObject_HEAD PoolObject* pool;
  double timeout;
  std::optional<backend::Promise> promise;  // trivially copied and destroyed
};

TransactionObject* as_transaction(PyObject* self) {
  return reinterpret_cast<TransactionObject*>(self);
}

PoolObject* pool_of(PyObject* self) { return as_transaction(self)->pool; }

// Runs a step that gives None.
template <class F>
PyObject* none_after(F&& step) noexcept {
  return guarded([&] {
    step();
    return none();
  });
}

void transaction_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  Py_CLEAR(as_transaction(self)->pool);
  type->tp_free(self);
  Py_DECREF(type);
}

int transaction_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(pool_of(self));
  return 0;
}

void begin(PyObject* self, Level::Kind kind) {
  const TransactionObject* transaction = as_transaction(self);
  begin_level(transaction->pool, kind, transaction->timeout, transaction->promise);
}

PyObject* transaction_begin(PyObject* self, PyObject*) {
  return none_after([&] { begin(self, Level::Kind::begin); });
}

PyObject* transaction_commit(PyObject* self, PyObject*) {
  return none_after([&] { commit_level(pool_of(self)); });
}

void raise_os_error(int number) {
  const Ref arguments = checked(Py_BuildValue("is", number, std::strerror(number)));
  const Ref error = checked(PyObject_CallObject(PyExc_OSError, arguments.get()));
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.get())), error.get());
  throw PythonError{};
}

PyObject* transaction_abort(PyObject* self, PyObject* args, PyObject* kw) {
  static const char* names[] = {"errno", nullptr};
  int number = ECANCELED;
  if (!PyArg_ParseTupleAndKeywords(args, kw, "|i:abort", const_cast<char**>(names), &number))
    return nullptr;
  return none_after([&] {
    abort_levels(pool_of(self));
    raise_os_error(number);
  });
}

PyObject* transaction_enter(PyObject* self, PyObject*) {
  return guarded([&] {
    begin(self, Level::Kind::block);
    return Ref::borrow(self).release();
  });
}

// An exception that leaves the block stays what it is, whatever becomes of the roll-back.
PyObject* transaction_exit(PyObject* self, PyObject* args) {
  const bool failed = PyTuple_GET_SIZE(args) > 0 && PyTuple_GET_ITEM(args, 0) != Py_None;
  PyObject* result = none_after([&] { leave_block(pool_of(self), failed); });
  if (result != nullptr || !failed) return result;
  PyErr_Clear();
  Py_RETURN_NONE;
}

PyObject* transaction_call(PyObject* self, PyObject* args, PyObject* kw) {
  PyObject* function = nullptr;
  static const char* names[] = {"function", nullptr};
  if (!PyArg_ParseTupleAndKeywords(args, kw, "O:transaction", const_cast<char**>(names), &function))
    return nullptr;
  const Ref module(PyImport_ImportModule("nvm._decorator"));
  if (!module) return nullptr;
  return PyObject_CallMethod(module.get(), "in_transaction", "OO", self, function);
}

using Registration = void (*)(PoolObject*, PyObject*);

PyObject* register_function(PyObject* self, PyObject* function, Registration store) {
  if (PyCallable_Check(function) == 0)
    return PyErr_Format(PyExc_TypeError, "a function is needed, not '%.200s'",
                        Py_TYPE(function)->tp_name);
  return guarded([&] {
    store(pool_of(self), function);
    return Ref::borrow(function).release();
  });
}

PyObject* transaction_on_commit(PyObject* self, PyObject* function) {
  return register_function(self, function, call_after_commit);
}

PyObject* transaction_on_abort(PyObject* self, PyObject* function) {
  return register_function(self, function, call_after_abort);
}

PyObject* transaction_pool_attribute(PyObject* self, void*) {
  return Ref::borrow(reinterpret_cast<PyObject*>(pool_of(self))).release();
}

PyMethodDef transaction_methods[] = {
    {"begin", transaction_begin, METH_NOARGS,
     "begin($self, /)\n--\n\n"
     "Begin the transaction, or a further level of this thread's open one.\n\n"
     "For use without ``with``: end it by commit() or abort(). Waits for other threads as long as\n"
     "the timeout given to ``pool.transaction()`` allows (TransactionTimeoutError)."},
    {"commit", transaction_commit, METH_NOARGS,
     "commit($self, /)\n--\n\n"
     "End what begin() began; the outermost commit makes all changes durable before it returns.\n\n"
     "Outside of a transaction it is a TransactionError. Inside a ``with`` block, too: then\n"
     "everything is undone."},
    {"abort", as_method(transaction_abort), METH_VARARGS | METH_KEYWORDS,
     "abort($self, /, errno=errno.ECANCELED)\n--\n\n"
     "Undo everything back to the outermost begin, and raise OSError with this errno.\n\n"
     "In nested blocks the OSError leaves them all, unless it is caught; then the blocks still\n"
     "open commit nothing. Outside of a transaction it is a TransactionError that undoes nothing."},
    {"on_commit", transaction_on_commit, METH_O,
     "on_commit($self, function, /)\n--\n\n"
     "Call function() once the outermost level has been committed and is durable.\n\n"
     "Returns the function. All are called, in the order given; the first exception among theirs\n"
     "is then raised (the transaction stays committed), others are reported as unraisable."},
    {"on_abort", transaction_on_abort, METH_O,
     "on_abort($self, function, /)\n--\n\n"
     "Call function() once the transaction has been undone and its outermost level has ended.\n\n"
     "Returns the function. Exceptions in it are reported as unraisable."},
    {"__enter__", transaction_enter, METH_NOARGS, nullptr},
    {"__exit__", transaction_exit, METH_VARARGS, nullptr},
    {}};

PyGetSetDef transaction_attributes[] = {{"pool", transaction_pool_attribute, nullptr,
                                         "The pool that this is a transaction of.", nullptr},
                                        {}};

const char kTransactionDoc[] =
    "A transaction of a pool, made by pool.transaction().\n\n"
    "As a context manager it commits when the block ends and undoes everything when an exception\n"
    "leaves it; as a decorator it runs each call of the function in a transaction. Changes are\n"
    "durable, all at once, when the outermost level has ended. Other threads wait meanwhile and\n"
    "never see a part of it. It can be used more than once, and nested: inner transactions join\n"
    "the outer one, and what undoes one undoes all.";

PyType_Slot transaction_slots[] = {{Py_tp_doc, const_cast<char*>(kTransactionDoc)},
                                   {Py_tp_new, as_slot(refuse_new)},
                                   {Py_tp_dealloc, as_slot(transaction_dealloc)},
                                   {Py_tp_traverse, as_slot(transaction_traverse)},
                                   {Py_tp_call, as_slot(transaction_call)},
                                   {Py_tp_methods, transaction_methods},
                                   {Py_tp_getset, transaction_attributes},
                                   {}};

PyType_Spec transaction_spec = {"nvm.pmemobj.Transaction", sizeof(TransactionObject), 0,
                                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, transaction_slots};

}  // namespace

Ref make_transaction(PoolObject* pool, double timeout, std::optional<backend::Promise> promise) {
  Ref made = checked(types.transaction->tp_alloc(types.transaction, 0));
  Py_INCREF(pool);
  as_transaction(made.get())->pool = pool;
  as_transaction(made.get())->timeout = timeout;
  as_transaction(made.get())->promise = promise;
  return made;
}

void register_transaction(PyObject* module) {
  types.transaction = add_type(module, transaction_spec);
}

}  // namespace nvm::bindings
