// A pool as a mapping: every operation is that of the pool's own dict.
#include "container.h"
#include "heap/access.h"
#include "pool/pool.h"

namespace nvm::bindings {

namespace {

// The PersistentDict itself.
Ref root_dict(PyObject* self) {
  auto* object = reinterpret_cast<PoolObject*>(self);
  heap::Pool& pool = usable(object);
  heap::Handle* pinned = heap::read(pool, [&] {
    if (object->root_dict == nullptr) {
      const Cell dict(pool.root().root_dict);
      if (dict.kind() != Cell::Kind::object) throw_corrupt("damaged: the pool has no dict");
      object->root_dict = pool.handles().pin(dict.offset());
    }
    // Throws if it is something else.
    pool.object<heap::Counted>(object->root_dict->offset(), heap::Type::dict);
    pool.handles().pin_again(object->root_dict);
    return object->root_dict;
  });
  return proxy_for(object, pinned);
}

PyObject* call(PyObject* self, const char* method, PyObject* args, PyObject* kw) {
  return guarded([&] {
    const Ref dict = root_dict(self);
    const Ref bound = checked(PyObject_GetAttrString(dict.get(), method));
    const Ref none_given = args == nullptr ? checked(PyTuple_New(0)) : Ref();
    return PyObject_Call(bound.get(), args == nullptr ? none_given.get() : args, kw);
  });
}

PyObject* pool_keys(PyObject* self, PyObject*) { return call(self, "keys", nullptr, nullptr); }
PyObject* pool_values(PyObject* self, PyObject*) { return call(self, "values", nullptr, nullptr); }
PyObject* pool_items(PyObject* self, PyObject*) { return call(self, "items", nullptr, nullptr); }
PyObject* pool_clear(PyObject* self, PyObject*) { return call(self, "clear", nullptr, nullptr); }
PyObject* pool_popitem(PyObject* self, PyObject*) {
  return call(self, "popitem", nullptr, nullptr);
}
PyObject* pool_reversed(PyObject* self, PyObject*) {
  return call(self, "__reversed__", nullptr, nullptr);
}
PyObject* pool_get(PyObject* self, PyObject* args) { return call(self, "get", args, nullptr); }
PyObject* pool_pop(PyObject* self, PyObject* args) { return call(self, "pop", args, nullptr); }
PyObject* pool_setdefault(PyObject* self, PyObject* args) {
  return call(self, "setdefault", args, nullptr);
}
PyObject* pool_update(PyObject* self, PyObject* args, PyObject* kw) {
  return call(self, "update", args, kw);
}

}  // namespace

const std::vector<PyMethodDef> mapping_methods = {
    {"keys", pool_keys, METH_NOARGS,
     "keys($self, /)\n--\n\nA view of the keys of the pool's own dict."},
    {"values", pool_values, METH_NOARGS,
     "values($self, /)\n--\n\nA view of the values of the pool's own dict."},
    {"items", pool_items, METH_NOARGS,
     "items($self, /)\n--\n\nA view of the (key, value) pairs of the pool's own dict."},
    {"get", pool_get, METH_VARARGS,
     "get($self, key, default=None, /)\n--\n\n"
     "The value of key if the pool's own dict has it, else default."},
    {"pop", pool_pop, METH_VARARGS,
     "pop($self, key, default=<unrepresentable>, /)\n--\n\n"
     "Remove key and return its value; KeyError, or the default if one is given, without it."},
    {"popitem", pool_popitem, METH_NOARGS,
     "popitem($self, /)\n--\n\nRemove and return the newest (key, value) pair."},
    {"setdefault", pool_setdefault, METH_VARARGS,
     "setdefault($self, key, default=None, /)\n--\n\n"
     "The value of key, which is first set to default if it is absent."},
    {"update", as_method(pool_update), METH_VARARGS | METH_KEYWORDS,
     "update($self, /, *args, **kwargs)\n--\n\n"
     "Set keys as dict.update does, all of them in one operation."},
    {"clear", pool_clear, METH_NOARGS,
     "clear($self, /)\n--\n\nRemove all keys of the pool's own dict; pool.root stays."},
    {"__reversed__", pool_reversed, METH_NOARGS, nullptr},
};

// A pool is true even if its dict is empty, as other open files and connections are.
int pool_bool(PyObject*) { return 1; }

Py_ssize_t pool_length(PyObject* self) {
  Py_ssize_t length = -1;
  guarded_int([&] {
    length = PyObject_Size(root_dict(self).get());
    return 0;
  });
  return length;
}

PyObject* pool_iter(PyObject* self) {
  return guarded([&] { return PyObject_GetIter(root_dict(self).get()); });
}

PyObject* pool_subscript(PyObject* self, PyObject* key) {
  return guarded([&] { return PyObject_GetItem(root_dict(self).get(), key); });
}

int pool_assign(PyObject* self, PyObject* key, PyObject* value) {
  return guarded_int([&] {
    const Ref dict = root_dict(self);
    return value == nullptr ? PyObject_DelItem(dict.get(), key)
                            : PyObject_SetItem(dict.get(), key, value);
  });
}

int pool_contains(PyObject* self, PyObject* key) {
  return guarded_int([&] { return PySequence_Contains(root_dict(self).get(), key); });
}

}  // namespace nvm::bindings
