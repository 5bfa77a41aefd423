// What MemoryManager (nvm/_memory.py) calls: blocks by their offsets. A pool is the first argument
// of every function; arguments come from our own code, but for what they say of the pool.
#include "memory/memory.h"

#include <optional>
#include <string>

#include "memory/views.h"
#include "object/object.h"
#include "object/raw/raw.h"
#include "object/record/class_table.h"
#include "pmem/error.h"

namespace nvm::bindings {

namespace raw = object::raw;
namespace class_table = object::class_table;

namespace {

PoolObject* as_pool(PyObject* object) {
  if (PyObject_TypeCheck(object, types.pool) == 0) raise(PyExc_TypeError, "a pool is needed");
  return reinterpret_cast<PoolObject*>(object);
}

uint64_t word_of(PyObject* number) {
  const unsigned long long word = PyLong_AsUnsignedLongLong(number);
  if (word == static_cast<unsigned long long>(-1) && PyErr_Occurred()) throw PythonError{};
  return word;
}

PyObject* number(uint64_t word) { return PyLong_FromUnsignedLongLong(word); }

using Arguments = PyObject* const*;

// A function whose first argument is a pool: runs f(owner, pool, the others).
template <class F>
PyObject* with_pool(Arguments arguments, F&& f) {
  return guarded([&] {
    PoolObject* owner = as_pool(arguments[0]);
    return f(owner, usable(owner), arguments + 1);
  });
}

void check_not_exported(heap::Pool& pool, Offset block) {
  if (pool.exports().exported(block))
    throw Error(ErrorKind::buffer, "Existing exports of data: the block cannot be freed or moved");
}

// ---- Blocks

// (size, type number, zeroed) -> offset
PyObject* alloc(PyObject*, Arguments arguments, Py_ssize_t) {
  return with_pool(arguments, [](PoolObject*, heap::Pool& pool, Arguments rest) {
    const uint64_t size = word_of(rest[0]);
    const uint64_t type_number = word_of(rest[1]);
    const bool zeroed = rest[2] == Py_True;
    return number(heap::mutate(
        pool, [&](Operation& op) { return raw::allocate(op, size, type_number, zeroed); }));
  });
}

// (offset, size, type number or None, zeroed) -> offset
PyObject* resize(PyObject*, Arguments arguments, Py_ssize_t) {
  return with_pool(arguments, [](PoolObject*, heap::Pool& pool, Arguments rest) {
    const Offset block = word_of(rest[0]);
    const uint64_t size = word_of(rest[1]);
    std::optional<uint64_t> type_number;
    if (rest[2] != Py_None) type_number = word_of(rest[2]);
    const bool zeroed = rest[3] == Py_True;
    past_dead_views([&] { check_not_exported(pool, block); });
    return number(heap::mutate(pool, [&](Operation& op) {
      const uint64_t kept = raw::view(pool, block).number;
      return raw::resize(op, block, size, type_number.value_or(kept), zeroed);
    }));
  });
}

// (offset)
PyObject* release(PyObject*, Arguments arguments, Py_ssize_t) {
  return with_pool(arguments, [](PoolObject*, heap::Pool& pool, Arguments rest) {
    const Offset block = word_of(rest[0]);
    past_dead_views([&] { check_not_exported(pool, block); });
    heap::mutate(pool, [&](Operation& op) { raw::release(op, block); });
    return none();
  });
}

// (offset) -> (type number, size, count, class name or None)
PyObject* describe(PyObject*, Arguments arguments, Py_ssize_t) {
  return with_pool(arguments, [](PoolObject*, heap::Pool& pool, Arguments rest) {
    const Offset block = word_of(rest[0]);
    std::string name;
    const raw::View view = heap::read(pool, [&] {
      const raw::View found = raw::view(pool, block);
      if (found.class_id != 0) name = class_table::name_of(pool, found.class_id);
      return found;
    });
    const Ref class_name = view.class_id == 0 ? Ref::borrow(Py_None) : text_of(name);
    return Py_BuildValue("KKKO", static_cast<unsigned long long>(view.number),
                         static_cast<unsigned long long>(view.size),
                         static_cast<unsigned long long>(view.count), class_name.get());
  });
}

// (offset) -> an object with a buffer of the block's bytes
PyObject* block(PyObject*, Arguments arguments, Py_ssize_t) {
  return with_pool(arguments, [](PoolObject* owner, heap::Pool& pool, Arguments rest) {
    const Offset block = word_of(rest[0]);
    heap::read(pool, [&] { raw::view(pool, block); });
    return make_memory_block(owner, block).release();
  });
}

// (buffer, bytes): a range that a transaction is to restore if it is undone.
PyObject* snapshot(PyObject*, Arguments arguments, Py_ssize_t) {
  return with_pool(arguments, [](PoolObject*, heap::Pool& pool, Arguments rest) -> PyObject* {
    if (!pool.in_transaction())
      throw Error(ErrorKind::transaction, "snapshot_range() called outside of a transaction", 0,
                  pool.path());
    const uint64_t size = word_of(rest[1]);
    Py_buffer view;
    check(PyObject_GetBuffer(rest[0], &view, PyBUF_SIMPLE));
    const std::optional<Offset> place =
        pool.exports().place_of(view.buf, static_cast<uint64_t>(view.len));
    const bool fits = size <= static_cast<uint64_t>(view.len);
    PyBuffer_Release(&view);
    if (!place) raise(PyExc_ValueError, "a buffer of this pool, given by direct(), is needed");
    if (!fits) raise(PyExc_ValueError, "the range goes beyond the end of its buffer");
    heap::mutate(pool, [&](Operation& op) { raw::snapshot(op, *place, size); });
    return none();
  });
}

// ---- References

template <class F>
PyObject* change_count(Arguments arguments, F change) {
  return with_pool(arguments, [&](PoolObject*, heap::Pool& pool, Arguments rest) {
    const Offset object = word_of(rest[0]);
    past_dead_views([&] { heap::mutate(pool, [&](Operation& op) { change(op, object); }); });
    return none();
  });
}

PyObject* add_reference(PyObject*, Arguments arguments, Py_ssize_t) {
  return change_count(arguments, raw::add_reference);
}

PyObject* drop_reference(PyObject*, Arguments arguments, Py_ssize_t) {
  return change_count(arguments, [](Operation& op, Offset object) {
    if (heap::is_raw(op.pool().is_block(object) ? op.pool().type_number(object) : 0))
      check_not_exported(op.pool(), object);
    raw::drop_reference(op, object);
  });
}

// ---- Heads of objects

// (offset, class name): mere memory becomes an object's head.
PyObject* adopt(PyObject*, Arguments arguments, Py_ssize_t) {
  return with_pool(arguments, [](PoolObject*, heap::Pool& pool, Arguments rest) {
    const Offset block = word_of(rest[0]);
    const std::string name = utf8_of(rest[1]);
    heap::mutate(pool,
                 [&](Operation& op) { raw::set_class(op, block, class_table::ensure(op, name)); });
    return none();
  });
}

// () -> offsets of heads that are to be freed: by transactions of their own
PyObject* orphans(PyObject*, Arguments arguments, Py_ssize_t) {
  return with_pool(arguments, [](PoolObject*, heap::Pool& pool, Arguments) {
    const std::vector<Offset> found = heap::read(
        pool, [&] { return pool.in_transaction() ? std::vector<Offset>() : raw::orphans(pool); });
    return list_of_offsets(found).release();
  });
}

// (offset) -> what a reference to the object at `offset` gives
PyObject* fetch(PyObject*, Arguments arguments, Py_ssize_t) {
  return with_pool(arguments, [](PoolObject* owner, heap::Pool& pool, Arguments rest) {
    const Offset object = word_of(rest[0]);
    Decoded decoded = heap::read(pool, [&] {
      raw::check_object(pool, object);
      if (heap::is_raw(pool.type_number(object)) && !raw::is_head(pool, object))
        throw Error(
            ErrorKind::value,
            "the block at offset " + std::to_string(object) + " is no object: it has no class", 0,
            pool.path());
      return Decoded::fetch(pool, Cell::object(object));
    });
    return decoded.build(owner).release();
  });
}

// (offset) -> the class of the object whose head is there
PyObject* class_at(PyObject*, Arguments arguments, Py_ssize_t) {
  return with_pool(arguments, [](PoolObject*, heap::Pool& pool, Arguments rest) {
    const Offset block = word_of(rest[0]);
    const std::string name = heap::read(
        pool, [&] { return class_table::name_of(pool, raw::view(pool, block).class_id); });
    return find_custom_class(name).release();
  });
}

// (exception, what was being done): it cannot be raised there.
PyObject* report(PyObject*, Arguments arguments, Py_ssize_t) {
  return guarded([&] {
    PyErr_SetObject(object_of(Py_TYPE(arguments[0])), arguments[0]);
    PyErr_WriteUnraisable(arguments[1]);
    return none();
  });
}

PyMethodDef functions[] = {
    {"_memory_alloc", as_method(alloc), METH_FASTCALL, nullptr},
    {"_memory_resize", as_method(resize), METH_FASTCALL, nullptr},
    {"_memory_release", as_method(release), METH_FASTCALL, nullptr},
    {"_memory_describe", as_method(describe), METH_FASTCALL, nullptr},
    {"_memory_block", as_method(block), METH_FASTCALL, nullptr},
    {"_memory_snapshot", as_method(snapshot), METH_FASTCALL, nullptr},
    {"_memory_add_reference", as_method(add_reference), METH_FASTCALL, nullptr},
    {"_memory_drop_reference", as_method(drop_reference), METH_FASTCALL, nullptr},
    {"_memory_adopt", as_method(adopt), METH_FASTCALL, nullptr},
    {"_memory_orphans", as_method(orphans), METH_FASTCALL, nullptr},
    {"_memory_class", as_method(class_at), METH_FASTCALL, nullptr},
    {"_memory_report", as_method(report), METH_FASTCALL, nullptr},
    {"_memory_fetch", as_method(fetch), METH_FASTCALL, nullptr},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

void register_memory(PyObject* module) {
  register_memory_block(module);
  register_views(module);
  register_custom_objects(module);
  check(PyModule_AddFunctions(module, functions));
}

}  // namespace nvm::bindings
