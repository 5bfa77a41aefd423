// PersistentObjectPool: its life, and the type.
#include "pool/pool.h"

#include <structmember.h>

#include <new>

#include "container.h"
#include "heap/access.h"
#include "memory/memory.h"
#include "object/object.h"
#include "object/store.h"
#include "pmem/error.h"
#include "pool/open.h"
#include "pool/transaction.h"

namespace nvm::bindings {

namespace {

PoolObject* as_pool(PyObject* self) { return reinterpret_cast<PoolObject*>(self); }

// ---- Life

PyObject* pool_new(PyTypeObject* type, PyObject*, PyObject*) {
  PyObject* self = type->tp_alloc(type, 0);
  if (self == nullptr) return nullptr;
  PoolObject* pool = as_pool(self);
  new (&pool->pool) std::shared_ptr<heap::Pool>();
  new (&pool->levels) std::vector<Level>();
  new (&pool->on_commit) std::vector<PyObject*>();
  new (&pool->on_abort) std::vector<PyObject*>();
  new (&pool->young) std::deque<Ref>();
  pool->flag = 'w';
  pool->classes = PyDict_New();
  pool->pickled = PySet_New(nullptr);
  if (pool->classes != nullptr && pool->pickled != nullptr) return self;
  Py_DECREF(self);
  return nullptr;
}

int pool_init(PyObject* self, PyObject* args, PyObject* kw) {
  static const char* names[] = {"filename", "flag", "pool_size", "mode", "debug", nullptr};
  PyObject* path = nullptr;
  const char* flag = "w";
  PyObject* size = nullptr;
  int mode = 0666;
  int debug = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kw, "O|sOip:PersistentObjectPool",
                                   const_cast<char**>(names), &path, &flag, &size, &mode, &debug))
    return -1;
  return guarded_int([&] {
    if (as_pool(self)->pool) raise(PyExc_RuntimeError, "this pool object has been opened already");
    OpenRequest request;
    set_path(request, path);
    set_flag(request, flag);
    // The least size is a default, not a wish to keep an existing pool from growing.
    const bool creates = flag[0] != 'w' && flag[0] != 'r';
    std::optional<uint64_t> limit = size_of(size);
    if (!limit && creates) limit = heap::kMinPoolSize;
    set_limit(request, limit);
    if (!creates && limit == heap::kMinPoolSize) request.options.limit.reset();
    request.options.mode = static_cast<mode_t>(mode);
    request.debug = debug != 0;
    open_pool(as_pool(self), std::move(request), 0);
    return 0;
  });
}

int pool_traverse(PyObject* self, visitproc visit, void* arg) {
  PoolObject* pool = as_pool(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(pool->classes);
  Py_VISIT(pool->pickled);
  Py_VISIT(pool->manager);
  for (PyObject* function : pool->on_commit) Py_VISIT(function);
  for (PyObject* function : pool->on_abort) Py_VISIT(function);
  for (const Ref& object : pool->young) Py_VISIT(object.get());
  return 0;
}

int pool_clear(PyObject* self) {
  PoolObject* pool = as_pool(self);
  if (pool->classes != nullptr) PyDict_Clear(pool->classes);
  if (pool->pickled != nullptr) PySet_Clear(pool->pickled);
  Py_CLEAR(pool->manager);
  for (PyObject* function : std::exchange(pool->on_commit, {})) Py_DECREF(function);
  for (PyObject* function : std::exchange(pool->on_abort, {})) Py_DECREF(function);
  drop_young(pool, 0);
  return 0;
}

// Closing can fail, and runs code that may look at the exception in flight.
void close_dropped(PoolObject* pool) {
  PyObject *type = nullptr, *value = nullptr, *traceback = nullptr;
  PyErr_Fetch(&type, &value, &traceback);
  if (guarded_int([&] { return close_pool(pool), 0; }) < 0) PyErr_WriteUnraisable(nullptr);
  PyErr_Restore(type, value, traceback);
}

void pool_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PoolObject* pool = as_pool(self);
  PyObject_GC_UnTrack(self);
  if (pool->weakrefs != nullptr) PyObject_ClearWeakRefs(self);
  remove_open_pool(pool);  // first: nobody may find it any more
  close_dropped(pool);
  pool_clear(self);
  Py_CLEAR(pool->filename);
  Py_CLEAR(pool->classes);
  Py_CLEAR(pool->pickled);
  std::destroy_at(&pool->young);
  std::destroy_at(&pool->on_abort);
  std::destroy_at(&pool->on_commit);
  std::destroy_at(&pool->levels);
  std::destroy_at(&pool->pool);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* pool_close(PyObject* self, PyObject*) {
  return guarded([&] {
    close_pool(as_pool(self));
    return none();
  });
}

PyObject* pool_enter(PyObject* self, PyObject*) {
  return guarded([&] {
    usable(as_pool(self));
    return Ref::borrow(self).release();
  });
}

// What leaves the block goes on, whatever becomes of the close.
PyObject* pool_exit(PyObject* self, PyObject* args) {
  const bool failed = PyTuple_GET_SIZE(args) > 0 && PyTuple_GET_ITEM(args, 0) != Py_None;
  if (failed) {
    close_dropped(as_pool(self));
    Py_RETURN_NONE;
  }
  return pool_close(self, nullptr);
}

const char* state_of(const PoolObject* pool) {
  if (!pool->pool) return "not opened";
  if (of_parent_process(*pool->pool)) return "of the parent process";
  return pool->pool->closed() ? "closed" : "open";
}

PyObject* pool_repr(PyObject* self) {
  PoolObject* pool = as_pool(self);
  PyObject* name = pool->filename != nullptr ? pool->filename : Py_None;
  return PyUnicode_FromFormat("<PersistentObjectPool %R (%s)>", name, state_of(pool));
}

// ---- Methods

PyObject* pool_sync(PyObject* self, PyObject*) {
  return guarded([&] {
    heap::Pool& pool = usable(as_pool(self));
    pool.sync();
    if (pool.writable()) free_custom_objects(as_pool(self));
    return none();
  });
}

PyObject* pool_reduce(PyObject* self, PyObject*) {
  return PyErr_Format(PyExc_TypeError, "cannot pickle or copy a '%.200s'", Py_TYPE(self)->tp_name);
}

const std::vector<PyMethodDef> kOwnMethods = {
    {"sync", pool_sync, METH_NOARGS,
     "sync($self, /)\n--\n\n"
     "Return when everything done so far is as durable as the backend makes it: with the\n"
     "journal, what was done relaxed included."},
    {"close", pool_close, METH_NOARGS,
     "close($self, /)\n--\n\n"
     "Close the pool; twice is fine.\n\n"
     "This thread's open transaction is undone. Everything of the pool then raises\n"
     "PoolClosedError. If another thread is inside a transaction, it is a TransactionError."},
    {"__enter__", pool_enter, METH_NOARGS, nullptr},
    {"__exit__", pool_exit, METH_VARARGS, nullptr},
    {"__reduce__", pool_reduce, METH_NOARGS, nullptr},
};

PyMemberDef pool_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(PoolObject, weakrefs), READONLY, nullptr}, {}};

const char kPoolDoc[] =
    "PersistentObjectPool(filename, flag='w', pool_size=MIN_POOL_SIZE, mode=0o666, debug=False)\n"
    "--\n\n"
    "A file of persistent objects. nvm.open() is the usual way to one.\n\n"
    "A pool is a context manager that closes itself, has a root object of any kind, and is a\n"
    "mapping over a dict of its own: pool[\"users\"] = {}. Whatever is assigned is copied into "
    "the\n"
    "pool and durable when the assignment returns.\n\n"
    "Args:\n"
    "    filename: The file: str, bytes or os.PathLike.\n"
    "    flag: \"w\" an existing pool, \"c\" create it if it is missing, \"x\" create it, \"r\" "
    "for\n"
    "        reading, \"n\" always a new one.\n"
    "    pool_size: The limit that a new pool may grow to, in bytes; raises an existing one's.\n"
    "    mode: The permissions of a new file, less the umask.\n"
    "    debug: What gc() takes for its own debug by default.";

// The type keeps a pointer to them.
PyMethodDef* all_methods() {
  static std::vector<PyMethodDef> methods = kOwnMethods;
  methods.insert(methods.end(), making_methods.begin(), making_methods.end());
  methods.insert(methods.end(), report_methods.begin(), report_methods.end());
  methods.insert(methods.end(), collection_methods.begin(), collection_methods.end());
  methods.insert(methods.end(), mapping_methods.begin(), mapping_methods.end());
  methods.emplace_back();
  return methods.data();
}

// NOLINTNEXTLINE(cppcoreguidelines-interfaces-global-init): of pool_attributes the address counts
PyType_Slot pool_slots[] = {{Py_tp_doc, const_cast<char*>(kPoolDoc)},
                            {Py_tp_new, as_slot(pool_new)},
                            {Py_tp_init, as_slot(pool_init)},
                            {Py_tp_dealloc, as_slot(pool_dealloc)},
                            {Py_tp_traverse, as_slot(pool_traverse)},
                            {Py_tp_clear, as_slot(pool_clear)},
                            {Py_tp_repr, as_slot(pool_repr)},
                            {Py_tp_getset, pool_attributes},
                            {Py_tp_members, pool_members},
                            {Py_nb_bool, as_slot(pool_bool)},
                            {Py_tp_iter, as_slot(pool_iter)},
                            {Py_mp_length, as_slot(pool_length)},
                            {Py_mp_subscript, as_slot(pool_subscript)},
                            {Py_mp_ass_subscript, as_slot(pool_assign)},
                            {Py_sq_contains, as_slot(pool_contains)},
                            {Py_tp_methods, nullptr},  // all_methods()
                            {}};

PyType_Spec pool_spec = {"nvm.pmemobj.PersistentObjectPool", sizeof(PoolObject), 0,
                         Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE, pool_slots};

}  // namespace

heap::Pool& usable(PoolObject* pool) {
  if (pool == nullptr || !pool->pool)
    throw Error(ErrorKind::closed, "the pool has not been opened");
  pool->pool->check_open();
  return *pool->pool;
}

void close_pool(PoolObject* object) {
  if (!object->pool) return;
  heap::Pool& pool = *object->pool;
  if (pool.closed()) return;
  if (object->manager != nullptr && pool.writable() && !pool.in_transaction() && !pool.broken())
    free_custom_objects(object);
  heap::Handle* root_dict = std::exchange(object->root_dict, nullptr);
  if (root_dict != nullptr) unpin(pool, root_dict);
  {
    const Unlocked unlocked;
    pool.close();
  }
  remove_open_pool(object);
  if (object->classes != nullptr) PyDict_Clear(object->classes);  // not kept alive any more
  forget_levels(object);
}

void register_pool(PyObject* module) {
  for (PyType_Slot& slot : pool_slots)
    if (slot.slot == Py_tp_methods) slot.pfunc = all_methods();
  types.pool = add_type(module, pool_spec);
  register_abc("MutableMapping", types.pool);
}

}  // namespace nvm::bindings
