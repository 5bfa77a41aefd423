// nvm.vmem.Buffer: memory that was allocated from a heap.
#include <algorithm>
#include <bit>
#include <cerrno>

#include "kit/vmem/vmem.h"

namespace nvm::bindings::kit::vmem {

namespace {

PyTypeObject* buffer_type = nullptr;

// A huge page. libmemkind's arithmetic overflows somewhere beyond it: for 2^62 it gives memory that
// is not aligned.
constexpr size_t kMaxAlignment = size_t{2} << 20;

Buffer* as_buffer(PyObject* self) noexcept { return reinterpret_cast<Buffer*>(self); }

// No object has no bytes here: libmemkind gives nothing for a size of 0.
size_t at_least_one(size_t size) noexcept { return std::max<size_t>(size, 1); }

int release(MemoryObject* memory) noexcept {
  memkind_free(reinterpret_cast<Buffer*>(memory)->heap->kind, memory->data);
  return 0;
}

void* allocated(memkind_t kind, size_t size, size_t alignment, bool zero) {
  if (alignment == 0)
    return zero ? memkind_calloc(kind, 1, at_least_one(size))
                : memkind_malloc(kind, at_least_one(size));
  void* memory = nullptr;
  if (memkind_posix_memalign(kind, &memory, alignment, at_least_one(size)) != 0) return nullptr;
  if (zero && memory != nullptr) std::fill_n(static_cast<char*>(memory), size, '\0');
  return memory;
}

[[noreturn]] void raise_full(size_t size) {
  raise(PyExc_MemoryError, "the heap has no room for %zu bytes", size);
}

// The memory, which nobody looks at: it is going to move.
MemoryObject* movable(PyObject* self) {
  MemoryObject* memory = as_memory(self);
  check_memory_open(memory);
  if (memory->views != 0)
    raise(PyExc_BufferError, "Existing exports of data: the memory cannot be moved or freed");
  check_usable(as_buffer(self)->heap);
  return memory;
}

PyObject* resize(PyObject* self, PyObject* argument) {
  return guarded([&] {
    const size_t size = size_argument(argument, "size");
    MemoryObject* memory = movable(self);
    if (as_buffer(self)->alignment != 0)
      raise(PyExc_ValueError, "memory with an alignment of its own cannot be resized");
    void* moved = memkind_realloc(as_buffer(self)->heap->kind, memory->data, at_least_one(size));
    if (moved == nullptr) raise_full(size);
    memory->data = static_cast<char*>(moved);
    memory->size = size;
    return none();
  });
}

PyObject* defragment(PyObject* self, PyObject*) {
  return guarded([&] {
    MemoryObject* memory = movable(self);
    if (as_buffer(self)->alignment != 0) return boolean(false);
    void* moved = memkind_defrag_reallocate(as_buffer(self)->heap->kind, memory->data);
    if (moved != nullptr) memory->data = static_cast<char*>(moved);
    return boolean(moved != nullptr);
  });
}

PyObject* free_method(PyObject* self, PyObject*) {
  let_memory_go(as_memory(self));
  return none();
}

PyObject* get_usable_size(PyObject* self, void*) {
  return guarded([&] {
    check_memory_open(as_memory(self));
    return PyLong_FromSize_t(
        memkind_malloc_usable_size(as_buffer(self)->heap->kind, as_memory(self)->data));
  });
}

PyObject* get_address(PyObject* self, void*) {
  return guarded([&] {
    check_memory_open(as_memory(self));
    return PyLong_FromVoidPtr(as_memory(self)->data);
  });
}

PyObject* get_heap(PyObject* self, void*) {
  return Ref::borrow(reinterpret_cast<PyObject*>(as_buffer(self)->heap)).release();
}

PyObject* enter(PyObject* self, PyObject*) {
  return guarded([&] {
    check_memory_open(as_memory(self));
    return Ref::borrow(self).release();
  });
}

PyObject* exit(PyObject* self, PyObject* const*, Py_ssize_t) { return free_method(self, nullptr); }

void dealloc(PyObject* self) {
  const Ref heap(reinterpret_cast<PyObject*>(as_buffer(self)->heap));  // to outlive the memory
  memory_dealloc(self);
}

PyMethodDef methods[] = {
    {"resize", resize, METH_O,
     "resize($self, size, /)\n--\n\n"
     "Make it larger or smaller; it may move, and what is added is undefined. BufferError while\n"
     "there are views, MemoryError if the heap is full; it stays as it is then."},
    {"defragment", defragment, METH_NOARGS,
     "defragment($self, /)\n--\n\n"
     "Move it, if that makes the heap less fragmented; whether it has. BufferError while there "
     "are\n"
     "views."},
    {"free", free_method, METH_NOARGS,
     "free($self, /)\n--\n\n"
     "Let the memory go; twice is fine. Views of it stay valid: it is freed with the last one."},
    {"__enter__", enter, METH_NOARGS, "__enter__($self, /)\n--\n\n"},
    {"__exit__", as_method(exit), METH_FASTCALL, "__exit__($self, *exception)\n--\n\n"},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef attributes[] = {
    {"usable_size", get_usable_size, refuse_set, "How many bytes the heap has set aside for it.",
     as_closure("usable_size")},
    {"address", get_address, refuse_set, "Where it lies.", as_closure("address")},
    {"heap", get_heap, refuse_set, "Where it was allocated.", as_closure("heap")},
    {"closed", memory_closed, refuse_set, "Whether it has been freed.", as_closure("closed")},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>("Memory that Heap.allocate() gave. Its buffer is writable; a "
                                  "slice is a memoryview.")},
    {Py_tp_new, as_slot(refuse_new)},
    {Py_tp_dealloc, as_slot(dealloc)},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_mp_length, as_slot(memory_length)},
    {Py_mp_subscript, as_slot(memory_get_item)},
    {Py_mp_ass_subscript, as_slot(memory_set_item)},
    {Py_bf_getbuffer, as_slot(memory_get_buffer)},
    {Py_bf_releasebuffer, as_slot(memory_release_buffer)},
    {0, nullptr}};

PyType_Spec spec = {"nvm.vmem.Buffer", sizeof(Buffer), 0, kPlainFlags, slots};

}  // namespace

Ref allocate(Heap* heap, size_t size, size_t alignment, bool zero) {
  if (alignment != 0 &&
      (!std::has_single_bit(alignment) || alignment < sizeof(void*) || alignment > kMaxAlignment))
    raise(PyExc_ValueError, "alignment must be a power of two from %zu to %zu, not %zu",
          sizeof(void*), kMaxAlignment, alignment);
  Ref self = checked(buffer_type->tp_alloc(buffer_type, 0));
  Buffer* buffer = as_buffer(self.get());
  Py_INCREF(heap);
  buffer->heap = heap;
  buffer->alignment = alignment;
  void* memory = allocated(heap->kind, size, alignment, zero);
  if (memory == nullptr) raise_full(size);
  take_memory(&buffer->memory, memory, size, true, release);
  return self;
}

void register_buffer(PyObject* module) { buffer_type = add_named_type(module, "VmemBuffer", spec); }

}  // namespace nvm::bindings::kit::vmem
