// PersistentByteArray: its buffer. Each is an export of the pool (heap/exports.h): writable memory
// of its own that stays in place, whatever becomes of the pool. While one is alive the size is
// fixed, and the proxy, which it holds, keeps the bytes from being freed.
#include "bytearray/bytearray.h"
#include "pmem/error.h"

namespace nvm::bindings {

namespace bytearray = object::bytearray;

int bytearray_get_buffer(PyObject* self, Py_buffer* view, int flags) {
  view->obj = nullptr;
  return guarded_int([&] {
    heap::Export* const exported = reading(as_proxy(self), [](heap::Pool& pool, Offset offset) {
      const bytearray::Place place = bytearray::place(pool, offset);
      return pool.exports().open(place.block, place.begin, place.size);
    });
    heap::Pool& pool = pool_of(as_proxy(self));
    const int read_only = pool.writable() ? 0 : 1;
    if (PyBuffer_FillInfo(view, self, exported->data(), static_cast<Py_ssize_t>(exported->size()),
                          read_only, flags) != 0) {
      pool.exports().close(exported);
      return -1;
    }
    view->internal = exported;
    ++reinterpret_cast<ByteArrayProxy*>(self)->exports;
    return 0;
  });
}

void bytearray_release_buffer(PyObject* self, Py_buffer* view) {
  pool_of(as_proxy(self)).exports().close(static_cast<heap::Export*>(view->internal));
  --reinterpret_cast<ByteArrayProxy*>(self)->exports;
}

}  // namespace nvm::bindings
