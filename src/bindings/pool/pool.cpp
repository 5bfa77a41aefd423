// PersistentObjectPool: its life, its attributes, and what makes objects and transactions.
// As a mapping: pool_mapping.cpp.
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

// ---- Attributes

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

PyObject* pool_filename(PyObject* self, void*) {
  PyObject* name = as_pool(self)->filename;
  return Ref::borrow(name != nullptr ? name : Py_None).release();
}

PyObject* pool_closed(PyObject* self, void*) {
  PoolObject* pool = as_pool(self);
  return boolean(!pool->pool || pool->pool->closed());
}

PyObject* pool_flag(PyObject* self, void*) {
  return PyUnicode_FromStringAndSize(&as_pool(self)->flag, 1);
}

PyObject* pool_debug(PyObject* self, void*) { return boolean(as_pool(self)->debug); }

// Something of the pool's file, which is there as long as the pool is open.
template <class F>
auto of_file(PyObject* self, F&& f) {
  heap::Pool& pool = usable(as_pool(self));
  return heap::read(pool, [&] { return f(pool.file()); });
}

PyObject* pool_backend(PyObject* self, void*) {
  return guarded([&] {
    const std::string_view name = of_file(
        self, [](const heap::PoolFile& file) { return backend::name_of(file.backend().kind()); });
    return PyUnicode_FromStringAndSize(name.data(), static_cast<Py_ssize_t>(name.size()));
  });
}

PyObject* pool_size(PyObject* self, void*) {
  return guarded([&] {
    return PyLong_FromUnsignedLongLong(
        of_file(self, [](const heap::PoolFile& file) { return file.size(); }));
  });
}

PyObject* pool_limit(PyObject* self, void*) {
  return guarded([&] {
    return PyLong_FromUnsignedLongLong(
        of_file(self, [](const heap::PoolFile& file) { return file.limit(); }));
  });
}

PyObject* pool_id(PyObject* self, void*) {
  return guarded([&] { return PyLong_FromUnsignedLongLong(usable(as_pool(self)).hash_key()); });
}

PyObject* pool_manager(PyObject* self, void*) {
  return guarded([&] {
    usable(as_pool(self));
    return memory_manager(as_pool(self)).release();
  });
}

PyObject* pool_root(PyObject* self, void*) {
  return guarded([&] {
    heap::Pool& pool = usable(as_pool(self));
    Decoded root =
        heap::read(pool, [&] { return Decoded::fetch(pool, object::Cell(pool.root().root)); });
    return root.build(as_pool(self)).release();
  });
}

int pool_set_root(PyObject* self, PyObject* value, void*) {
  return guarded_int([&] {
    heap::Pool& pool = usable(as_pool(self));
    if (value == nullptr) raise(PyExc_AttributeError, "root cannot be deleted: assign None");
    Encoded encoded(as_pool(self), value);
    heap::mutate(pool, [&](heap::Operation& op) {
      encoded.begin();
      object::replace(op, &op.pool().root().root, encoded.value());
    });
    return 0;
  });
}

// ---- Methods

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

using Maker = Ref (*)(PoolObject*, double);

PyObject* with_timeout(PyObject* self, PyObject* args, PyObject* kw, const char* format,
                       Maker make) {
  static const char* names[] = {"timeout", nullptr};
  PyObject* timeout = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kw, format, const_cast<char**>(names), &timeout))
    return nullptr;
  return guarded([&] {
    usable(as_pool(self));
    return make(as_pool(self), seconds_of(timeout)).release();
  });
}

PyObject* pool_transaction(PyObject* self, PyObject* args, PyObject* kw) {
  return with_timeout(self, args, kw, "|$O:transaction", make_transaction);
}

PyObject* pool_reading(PyObject* self, PyObject* args, PyObject* kw) {
  return with_timeout(self, args, kw, "|$O:reading", make_reading);
}

PyObject* pool_sync(PyObject* self, PyObject*) {
  return guarded([&] {
    heap::Pool& pool = usable(as_pool(self));
    // Every operation is durable when it returns; what was stored through buffers is not yet, and
    // what proxies let go is freed here.
    pool.exports().flush();
    if (pool.writable() && !pool.in_transaction()) {
      const heap::Mutating frees(pool);
    }
    if (pool.writable()) free_custom_objects(as_pool(self));
    return none();
  });
}

PyObject* pool_persist_via_pickle(PyObject* self, PyObject* types) {
  return guarded([&] {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(types); ++i) {
      PyObject* type = PyTuple_GET_ITEM(types, i);
      if (!PyType_Check(type)) raise(PyExc_TypeError, "a class is needed, not %R", type);
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(types); ++i)
      check(PySet_Add(as_pool(self)->pickled, PyTuple_GET_ITEM(types, i)));
    return none();
  });
}

PyObject* pool_reduce(PyObject* self, PyObject*) {
  return PyErr_Format(PyExc_TypeError, "cannot pickle or copy a '%.200s'", Py_TYPE(self)->tp_name);
}

const std::vector<PyMethodDef> kOwnMethods = {
    {"new", as_method(pool_new_object), METH_VARARGS | METH_KEYWORDS,
     "new($self, type, /, *args, **kwargs)\n--\n\n"
     "Make a persistent object: of one of the persistent types of nvm.pmemobj or a subclass of\n"
     "PersistentObject, with the arguments its constructor takes.\n\n"
     "It is freed again when the last reference to it is gone, unless something in the pool\n"
     "refers to it by then."},
    {"transaction", as_method(pool_transaction), METH_VARARGS | METH_KEYWORDS,
     "transaction($self, /, *, timeout=None)\n--\n\n"
     "Return a Transaction: a context manager and decorator whose changes become durable all\n"
     "together or not at all.\n\n"
     "Beginning it waits at most timeout seconds for other threads (None: for ever) and then\n"
     "raises TransactionTimeoutError."},
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
    {"sync", pool_sync, METH_NOARGS,
     "sync($self, /)\n--\n\n"
     "Return when everything done so far is as durable as the backend makes it."},
    {"close", pool_close, METH_NOARGS,
     "close($self, /)\n--\n\n"
     "Close the pool; twice is fine.\n\n"
     "This thread's open transaction is undone. Everything of the pool then raises\n"
     "PoolClosedError. If another thread is inside a transaction, it is a TransactionError."},
    {"__enter__", pool_enter, METH_NOARGS, nullptr},
    {"__exit__", pool_exit, METH_VARARGS, nullptr},
    {"__reduce__", pool_reduce, METH_NOARGS, nullptr},
};

PyGetSetDef pool_attributes[] = {
    {"filename", pool_filename, nullptr, "The file's name, as it was given.", nullptr},
    {"closed", pool_closed, nullptr, "True once the pool cannot be used any more.", nullptr},
    {"flag", pool_flag, nullptr, "The flag it was opened with.", nullptr},
    {"debug", pool_debug, nullptr, "Whether collections log what they meet.", nullptr},
    {"root", pool_root, pool_set_root,
     "The root object: None in a new pool; anything that can be stored may be assigned.", nullptr},
    {"backend", pool_backend, nullptr, "What makes stores durable: \"dax\" or \"memory\".",
     nullptr},
    {"size", pool_size, nullptr, "Bytes that the file has now.", nullptr},
    {"limit", pool_limit, nullptr, "Bytes that the file may grow to.", nullptr},
    {"_p_id", pool_id, nullptr, "What the oids of the pool's objects begin with.", nullptr},
    {"_p_mm", pool_manager, nullptr, "The pool's MemoryManager.", nullptr},
    {}};

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
  methods.insert(methods.end(), report_methods.begin(), report_methods.end());
  methods.insert(methods.end(), collection_methods.begin(), collection_methods.end());
  methods.insert(methods.end(), mapping_methods.begin(), mapping_methods.end());
  methods.emplace_back();
  return methods.data();
}

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
