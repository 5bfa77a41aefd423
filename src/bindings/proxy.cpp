// Proxies: one a persistent object at a time, found through its handle.
#include "binding.h"
#include "heap/access.h"
#include "memory/memory.h"
#include "pmem/error.h"

namespace nvm::bindings {

namespace {

// A pin until it is given on.
class Pin {
 public:
  Pin(PoolObject* pool, heap::Handle* handle) : pool_(*pool->pool), handle_(handle) {}
  ~Pin() {
    if (handle_ != nullptr) unpin(pool_, handle_);
  }
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;
  heap::Handle* get() const { return handle_; }
  heap::Handle* release() { return std::exchange(handle_, nullptr); }

 private:
  heap::Pool& pool_;
  heap::Handle* handle_;
};

heap::Type type_of(heap::Pool& pool, const heap::Handle* handle) {
  return heap::read(pool,
                    [&] { return static_cast<heap::Type>(pool.type_number(offset_in(handle))); });
}

Ref make_proxy(PyTypeObject* type, PoolObject* pool, Pin& pin) {
  Ref made = checked(type->tp_alloc(type, 0));
  // Allocating can run the collector and with it any code: another proxy may be there by now.
  if (PyObject* live = live_proxy(pin.get())) return Ref::borrow(live);
  Proxy* proxy = as_proxy(made.get());
  Py_INCREF(pool);
  proxy->pool = pool;
  proxy->handle = pin.release();
  proxy->handle->proxy = proxy;
  return made;
}

}  // namespace

bool is_proxy(PyObject* object) noexcept {
  PyTypeObject* type = Py_TYPE(object);
  return type == types.list || type == types.dict || type == types.set || type == types.frozenset ||
         type == types.tuple || type == types.bytearray ||
         (types.object != nullptr && PyType_IsSubtype(type, types.object) != 0);
}

PyObject* live_proxy(const heap::Handle* handle) noexcept {
  auto* proxy = static_cast<PyObject*>(handle->proxy);
  // One whose count is zero is dying: its finalizers run.
  return proxy != nullptr && Py_REFCNT(proxy) > 0 ? proxy : nullptr;
}

void throw_no_object(Proxy* proxy) {
  if (proxy->handle == nullptr)
    throw Error(ErrorKind::type, "this object was not made by a pool: use pool.new()");
  throw Error(ErrorKind::stale, "the object was born in a transaction that has been undone", 0,
              pool_of(proxy).path());
}

heap::Offset offset_in(const heap::Handle* pinned) {
  if (pinned->offset() == 0)
    throw Error(ErrorKind::stale, "the object was born in a transaction that has been undone");
  return pinned->offset();
}

Ref proxy_for(PoolObject* pool, heap::Handle* pinned) {
  Pin pin(pool, pinned);
  if (PyObject* live = live_proxy(pinned)) return Ref::borrow(live);
  const heap::Type type = type_of(*pool->pool, pinned);
  switch (type) {
    case heap::Type::list:
      return make_proxy(types.list, pool, pin);
    case heap::Type::dict:
      return make_proxy(types.dict, pool, pin);
    case heap::Type::set:
      return make_proxy(types.set, pool, pin);
    case heap::Type::bytearray:
      return make_proxy(types.bytearray, pool, pin);
    case heap::Type::persistent_tuple:
      return make_proxy(types.tuple, pool, pin);
    case heap::Type::persistent_frozenset:
      return make_proxy(types.frozenset, pool, pin);
    case heap::Type::record:
      return make_object_proxy(pool, pin.release());
    default:
      if (heap::is_raw(static_cast<uint64_t>(type))) return custom_object(pool, pin.release());
      throw_corrupt("damaged: a reference to an object of unknown type");
  }
}

void unpin(heap::Pool& pool, heap::Handle* handle) noexcept {
  // In a forked child the table's lock may be held for ever by a thread that is not there.
  if (!of_parent_process(pool)) pool.handles().unpin(handle);
}

void proxy_detach(Proxy* self) noexcept {
  heap::Handle* handle = std::exchange(self->handle, nullptr);
  if (handle == nullptr) return;
  if (handle->proxy == self) handle->proxy = nullptr;
  unpin(pool_of(self), handle);
}

void proxy_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  if (as_proxy(self)->weakrefs != nullptr) PyObject_ClearWeakRefs(self);
  proxy_detach(as_proxy(self));
  PoolObject* pool = as_proxy(self)->pool;
  type->tp_free(self);
  Py_DECREF(type);
  Py_XDECREF(pool);
}

int proxy_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(as_proxy(self)->pool);
  return 0;
}

}  // namespace nvm::bindings
