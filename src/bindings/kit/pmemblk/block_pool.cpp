// BlockPool: an open pool of blocks of one size, a sequence. A block is written whole or not at
// all.
#include <cstring>

#include "kit/pmemblk/pmemblk.h"

namespace nvm::bindings::kit {

namespace {

using Use = LibraryPool::Use;

struct BlockPoolObject : LibraryPoolObject {
  size_t block_size;  // both for as long as the pool is open
  size_t blocks;
};

PyTypeObject* blocks_type = nullptr;

BlockPoolObject* as_blocks(PyObject* self) noexcept {
  return reinterpret_cast<BlockPoolObject*>(self);
}

[[noreturn]] void throw_block_error(const LibraryPool& pool) {
  throw_library_error(pmemblk_errormsg(), pool.path());
}

long long number_argument(PyObject* argument) {
  const Ref number = checked(PyNumber_Index(argument));
  const long long block = PyLong_AsLongLong(number.get());
  if (block == -1 && PyErr_Occurred()) throw PythonError{};
  return block;
}

PyObject* read_block(BlockPoolObject* self, long long block) {
  LibraryPool& pool = *self->pool;
  const Use use(pool);
  Ref bytes =
      checked(PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(self->block_size)));
  char* const data = PyBytes_AS_STRING(bytes.get());
  const auto load = [&] { return pmemblk_read(use.as<PMEMblkpool>(), data, block); };
  // Loads wait for no medium.
  if (self->block_size <= kLongCopy ? load() != 0 : pool.run(self->block_size, load) != 0)
    throw_block_error(pool);
  return bytes.release();
}

// A whole block at `data`: what is shorter is padded with zeros in `padded`.
const char* whole_block(const BlockPoolObject* self, const char* data, size_t size,
                        std::string& padded) {
  if (size > self->block_size)
    raise(PyExc_ValueError, "%zu bytes do not fit in a block of %zu", size, self->block_size);
  if (size == self->block_size) return data;
  padded.assign(data, size);
  padded.resize(self->block_size);
  return padded.data();
}

void store_block(BlockPoolObject* self, const char* data, size_t size, long long block) {
  LibraryPool& pool = *self->pool;
  std::string padded;
  const char* const whole = whole_block(self, data, size, padded);
  const Use use(pool);
  const int result = pool.run(self->block_size,
                              [&] { return pmemblk_write(use.as<PMEMblkpool>(), whole, block); });
  if (result != 0) throw_block_error(pool);
}

void write_block(BlockPoolObject* self, PyObject* data, long long block) {
  if (PyBytes_Check(data)) {
    store_block(self, PyBytes_AS_STRING(data), static_cast<size_t>(PyBytes_GET_SIZE(data)), block);
  } else if (PyUnicode_Check(data)) {
    const std::string text = bytes_argument(data);
    store_block(self, text.data(), text.size(), block);
  } else {
    const Range range(data);
    store_block(self, range.data(), range.size(), block);
  }
}

PyObject* read(PyObject* self, PyObject* argument) {
  return guarded([&] { return read_block(as_blocks(self), number_argument(argument)); });
}

PyObject* write(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  return guarded([&] {
    check_count("write", count, 2, 2);
    write_block(as_blocks(self), arguments[0], number_argument(arguments[1]));
    return none();
  });
}

template <int (*Set)(PMEMblkpool*, long long)>
PyObject* set_state(PyObject* self, PyObject* argument) {
  return guarded([&] {
    LibraryPool& pool = *as_blocks(self)->pool;
    const long long block = number_argument(argument);
    const Use use(pool);
    if (pool.run(0, [&] { return Set(use.as<PMEMblkpool>(), block); }) != 0)
      throw_block_error(pool);
    return none();
  });
}

PyObject* bsize(PyObject* self, PyObject*) {
  return guarded([&] {
    const Use use(*as_blocks(self)->pool);
    return PyLong_FromSize_t(as_blocks(self)->block_size);
  });
}

PyObject* nblock(PyObject* self, PyObject*) {
  return guarded([&] {
    const Use use(*as_blocks(self)->pool);
    return PyLong_FromSize_t(as_blocks(self)->blocks);
  });
}

// ---- A sequence

Py_ssize_t length(PyObject* self) {
  const int failed = guarded_int([&] {
    const Use use(*as_blocks(self)->pool);
    return 0;
  });
  return failed != 0 ? -1 : static_cast<Py_ssize_t>(as_blocks(self)->blocks);
}

void check_index(PyObject* self, Py_ssize_t index) {
  if (index < 0 || static_cast<size_t>(index) >= as_blocks(self)->blocks)
    raise(PyExc_IndexError, "block index out of range");
}

PyObject* get_item(PyObject* self, Py_ssize_t index) {
  return guarded([&] {
    check_index(self, index);
    return read_block(as_blocks(self), index);
  });
}

// For `blocks[key]` itself: PyPy leaves negative indexes of sq_item as they are.
Py_ssize_t index_of(PyObject* self, PyObject* key) {
  if (PyIndex_Check(key) == 0)
    raise(PyExc_TypeError, "a block's index is an integer, not %.200s", Py_TYPE(key)->tp_name);
  Py_ssize_t index = PyNumber_AsSsize_t(key, PyExc_IndexError);
  if (index == -1 && PyErr_Occurred()) throw PythonError{};
  if (index < 0) index += static_cast<Py_ssize_t>(as_blocks(self)->blocks);
  check_index(self, index);
  return index;
}

PyObject* subscript(PyObject* self, PyObject* key) {
  return guarded([&] { return read_block(as_blocks(self), index_of(self, key)); });
}

int set_subscript(PyObject* self, PyObject* key, PyObject* value) {
  return guarded_int([&] {
    if (value == nullptr) raise(PyExc_TypeError, "a block cannot be deleted: see set_zero()");
    write_block(as_blocks(self), value, index_of(self, key));
    return 0;
  });
}

PyObject* repr(PyObject* self) {
  return guarded([&] {
    const Ref name = checked(library_pool_filename(self, nullptr));
    return PyUnicode_FromFormat("<BlockPool of %R, %zu blocks of %zu bytes%s>", name.get(),
                                as_blocks(self)->blocks, as_blocks(self)->block_size,
                                as_blocks(self)->pool->closed() ? ", closed" : "");
  });
}

PyMethodDef methods[] = {
    {"read", read, METH_O,
     "read($self, block, /)\n--\n\n"
     "All bytes of a block; zeros if it was never written. OSError with EIO if it is in error."},
    {"write", as_method(write), METH_FASTCALL,
     "write($self, data, block, /)\n--\n\n"
     "Write a block in one step: after a power failure it is the old or the new one. What is\n"
     "shorter than a block is padded with zeros. Durable when it returns."},
    {"set_zero", set_state<pmemblk_set_zero>, METH_O,
     "set_zero($self, block, /)\n--\n\nMake a block read as zeros. Durable when it returns."},
    {"set_error", set_state<pmemblk_set_error>, METH_O,
     "set_error($self, block, /)\n--\n\n"
     "Make reading a block an OSError with EIO, until it is written."},
    {"bsize", bsize, METH_NOARGS, "bsize($self, /)\n--\n\nThe bytes of a block."},
    {"nblock", nblock, METH_NOARGS, "nblock($self, /)\n--\n\nThe number of blocks."},
    {"close", library_pool_close, METH_NOARGS,
     "close($self, /)\n--\n\nClose the pool. Twice is fine."},
    {"__enter__", library_pool_enter, METH_NOARGS, nullptr},
    {"__exit__", library_pool_exit, METH_VARARGS, nullptr},
    {}};

// NOLINTNEXTLINE(cppcoreguidelines-interfaces-global-init): of the attributes the address counts
PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>("An open pool of libpmemblk: a context manager, and a sequence "
                                  "of blocks, each bytes of one length.")},
    {Py_tp_new, as_slot(refuse_new)},
    {Py_tp_dealloc, as_slot(library_pool_dealloc)},
    {Py_tp_repr, as_slot(repr)},
    {Py_tp_methods, methods},
    {Py_tp_getset, library_pool_attributes},
    {Py_sq_length, as_slot(length)},
    {Py_sq_item, as_slot(get_item)},
    {Py_mp_length, as_slot(length)},
    {Py_mp_subscript, as_slot(subscript)},
    {Py_mp_ass_subscript, as_slot(set_subscript)},
    {}};

PyType_Spec spec = {"nvm.pmemblk.BlockPool", sizeof(BlockPoolObject), 0, Py_TPFLAGS_DEFAULT, slots};

}  // namespace

PyObject* new_block_pool(PMEMblkpool* blocks, size_t size, const std::string& path) {
  auto pool = std::make_unique<LibraryPool>(
      blocks, size, path, [](void* handle) { pmemblk_close(static_cast<PMEMblkpool*>(handle)); });
  Ref object = checked(blocks_type->tp_alloc(blocks_type, 0));
  BlockPoolObject* const self = as_blocks(object.get());
  new (&self->pool) std::unique_ptr<LibraryPool>(std::move(pool));
  self->block_size = pmemblk_bsize(blocks);
  self->blocks = pmemblk_nblock(blocks);
  return object.release();
}

void register_block_pool(PyObject* module) { blocks_type = add_type(module, spec); }

}  // namespace nvm::bindings::kit
