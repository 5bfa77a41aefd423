// Strays: attributes that object.__setattr__ has left in an instance's dict, where they would be
// volatile. They are stored when a method may have left some: after __init__, at the latest at the
// end of the level of the transaction that the instance was made in; and after each call of a
// __setattr__ of the user's.
#include "object/object.h"

namespace nvm::bindings {

namespace {

// An __init__ that makes as many others is taken to have ended.
constexpr size_t kMostYoung = 1024;

PyObject* store_after_call(PyObject*, PyObject* object) {
  return guarded([&] {
    if (!is_object(object)) raise(PyExc_TypeError, "a PersistentObject is needed");
    if (as_proxy(object)->handle != nullptr) store_strays(object);
    return none();
  });
}

PyMethodDef functions[] = {{"store_strays", store_after_call, METH_O, nullptr}, {}};

}  // namespace

void store_strays(PyObject* self) {
  const Ref dict = volatile_dict(self);
  if (!dict || PyDict_Size(dict.get()) == 0) return;
  const Ref names = checked(PyDict_Keys(dict.get()));
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(names.get()); ++i) {
    PyObject* name = PyList_GET_ITEM(names.get(), i);
    if (!PyUnicode_Check(name) || is_volatile(name) ||
        is_cached_property(lookup(Py_TYPE(self), name).get()))
      continue;
    const Ref value = Ref::borrow(PyDict_GetItemWithError(dict.get(), name));
    if (!value) continue;
    set_attribute(self, attribute_of(Py_TYPE(self), name).get(), value.get());
    check(PyDict_DelItem(dict.get(), name));
  }
}

uint64_t young_end(const PoolObject* pool) noexcept {
  return pool->first_young + pool->young.size();
}

void add_young(PoolObject* pool, PyObject* self) {
  pool->young.push_back(Ref::borrow(self));
  if (pool->young.size() <= kMostYoung) return;
  const Ref oldest = std::move(pool->young.front());
  pool->young.pop_front();
  ++pool->first_young;
  store_strays(oldest.get());
}

void settle_young(PoolObject* pool, uint64_t first) {
  while (young_end(pool) > first && !pool->young.empty()) {
    const Ref last = std::move(pool->young.back());
    pool->young.pop_back();
    store_strays(last.get());  // which can make further ones
  }
}

void drop_young(PoolObject* pool, uint64_t first) noexcept {
  while (young_end(pool) > first && !pool->young.empty()) {
    const Ref last = std::move(pool->young.back());
    pool->young.pop_back();
  }
}

Ref storing(PyObject* set_attribute) {
  const Ref module = checked(PyImport_ImportModule("nvm._strays"));
  return checked(PyObject_CallMethod(module.get(), "storing", "O", set_attribute));
}

void register_strays(PyObject* module) { check(PyModule_AddFunctions(module, functions)); }

}  // namespace nvm::bindings
