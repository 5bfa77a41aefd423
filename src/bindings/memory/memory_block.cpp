// MemoryBlock: the bytes of a block as a buffer. Each view is an export of the pool
// (heap/exports.h): it stays in place whatever becomes of the pool, and the block is neither freed
// nor moved while it lives.
#include "memory/memory.h"
#include "object/raw/raw.h"
#include "pmem/error.h"

namespace nvm::bindings {

namespace raw = object::raw;

namespace {

struct MemoryBlock {
  PyObject_HEAD PoolObject* pool;
  Offset block;
};

PyTypeObject* block_type = nullptr;

MemoryBlock* as_block(PyObject* self) { return reinterpret_cast<MemoryBlock*>(self); }

[[maybe_unused]] int get_buffer(PyObject* self, Py_buffer* view, int flags) {
  view->obj = nullptr;
  return guarded_int([&] {
    heap::Pool& pool = usable(as_block(self)->pool);
    heap::Export* const exported = heap::read(pool, [&] {
      const raw::View found = raw::view(pool, as_block(self)->block);
      return pool.exports().open(as_block(self)->block, found.begin, found.size);
    });
    const int read_only = pool.writable() ? 0 : 1;
    if (PyBuffer_FillInfo(view, self, exported->data(), static_cast<Py_ssize_t>(exported->size()),
                          read_only, flags) != 0) {
      pool.exports().close(exported);
      return -1;
    }
    view->internal = exported;
    return 0;
  });
}

[[maybe_unused]] void release_buffer(PyObject* self, Py_buffer* view) {
  as_block(self)->pool->pool->exports().close(static_cast<heap::Export*>(view->internal));
}

void dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  Py_CLEAR(as_block(self)->pool);
  type->tp_free(self);
  Py_DECREF(type);
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(as_block(self)->pool);
  return 0;
}

PyType_Slot slots[] = {{Py_tp_new, as_slot(refuse_new)},
                       {Py_tp_dealloc, as_slot(dealloc)},
                       {Py_tp_traverse, as_slot(traverse)},
#ifndef PYPY_VERSION  // nvm/_pypy/views.py
                       {Py_bf_getbuffer, as_slot(get_buffer)},
                       {Py_bf_releasebuffer, as_slot(release_buffer)},
#endif
                       {0, nullptr}};

PyType_Spec spec = {"nvm._core.MemoryBlock", sizeof(MemoryBlock), 0, kContainerFlags, slots};

}  // namespace

Ref make_memory_block(PoolObject* pool, Offset block) {
  Ref made = checked(block_type->tp_alloc(block_type, 0));
  Py_INCREF(pool);
  as_block(made.get())->pool = pool;
  as_block(made.get())->block = block;
  return made;
}

PoolObject* memory_block_pool(PyObject* block) {
  if (Py_TYPE(block) != block_type) raise(PyExc_TypeError, "a block of memory is needed");
  part_of_made(block, reinterpret_cast<PyObject*>(as_block(block)->pool));
  return as_block(block)->pool;
}

Offset memory_block_offset(PyObject* block) {
  memory_block_pool(block);
  return as_block(block)->block;
}

void register_memory_block(PyObject* module) { block_type = add_type(module, spec); }

}  // namespace nvm::bindings
