// Reading: what pool.reading() gives, a context manager for a consistent view of several reads.
#include "container.h"
#include "heap/locks.h"
#include "pmem/error.h"
#include "pool/transaction.h"

namespace nvm::bindings {

namespace {

struct ReadingObject {
  PyObject_HEAD PoolObject* pool;
  double timeout;
};

ReadingObject* as_reading(PyObject* self) { return reinterpret_cast<ReadingObject*>(self); }

void reading_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  Py_CLEAR(as_reading(self)->pool);
  type->tp_free(self);
  Py_DECREF(type);
}

int reading_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(as_reading(self)->pool);
  return 0;
}

PyObject* reading_enter(PyObject* self, PyObject*) {
  return guarded([&] {
    usable(as_reading(self)->pool).begin_reading(as_reading(self)->timeout);
    return Ref::borrow(self).release();
  });
}

PyObject* reading_exit(PyObject* self, PyObject*) {
  return guarded([&] {
    heap::Pool& pool = *as_reading(self)->pool->pool;
    // A block that outlives its pool, or ends in another thread, has nothing to give back.
    if (!of_parent_process(pool) && pool.ownership().shared_mine())
      pool.ownership().release_shared();
    return none();
  });
}

PyMethodDef reading_methods[] = {{"__enter__", reading_enter, METH_NOARGS, nullptr},
                                 {"__exit__", reading_exit, METH_VARARGS, nullptr},
                                 {}};

const char kReadingDoc[] =
    "A consistent view of a pool over several reads, made by pool.reading().\n\n"
    "Inside the block no thread changes the pool: others that want to wait for its end, and a\n"
    "change by this thread is a TransactionError. Blocks may be nested, and inside this thread's\n"
    "own transaction one changes nothing.";

PyType_Slot reading_slots[] = {{Py_tp_doc, const_cast<char*>(kReadingDoc)},
                               {Py_tp_new, as_slot(refuse_new)},
                               {Py_tp_dealloc, as_slot(reading_dealloc)},
                               {Py_tp_traverse, as_slot(reading_traverse)},
                               {Py_tp_methods, reading_methods},
                               {}};

PyType_Spec reading_spec = {"nvm.pmemobj.Reading", sizeof(ReadingObject), 0,
                            Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, reading_slots};

}  // namespace

Ref make_reading(PoolObject* pool, double timeout) {
  Ref made = checked(types.reading->tp_alloc(types.reading, 0));
  Py_INCREF(pool);
  as_reading(made.get())->pool = pool;
  as_reading(made.get())->timeout = timeout;
  return made;
}

void register_reading(PyObject* module) { types.reading = add_type(module, reading_spec); }

}  // namespace nvm::bindings
