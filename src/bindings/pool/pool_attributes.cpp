// Attributes of a pool.
#include "container.h"
#include "heap/access.h"
#include "memory/memory.h"
#include "object/store.h"
#include "pool/pool.h"

namespace nvm::bindings {

namespace {

PoolObject* as_pool(PyObject* self) { return reinterpret_cast<PoolObject*>(self); }

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

}  // namespace

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

}  // namespace nvm::bindings
