// Instances of classes that are persistent by code of their own: how encoding and decoding reach
// them. Which instance belongs to which head, and when a class has to let go, nvm/_memory.py knows.
#include "memory/memory.h"
#include "object/raw/raw.h"
#include "pmem/error.h"

namespace nvm::bindings {

namespace {

struct Pin {
  PyObject_HEAD PoolObject* pool;
  heap::Handle* handle;
};

PyTypeObject* pin_type = nullptr;
PyObject* make_manager = nullptr;

Pin* as_pin(PyObject* object) { return reinterpret_cast<Pin*>(object); }

// Takes the pin over.
Ref make_pin(PoolObject* pool, heap::Handle* pinned) {
  PyObject* made = pin_type->tp_alloc(pin_type, 0);
  if (made == nullptr) {
    unpin(*pool->pool, pinned);
    throw PythonError{};
  }
  Py_INCREF(pool);
  as_pin(made)->pool = pool;
  as_pin(made)->handle = pinned;
  return Ref(made);
}

void dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  if (as_pin(self)->handle != nullptr) unpin(*as_pin(self)->pool->pool, as_pin(self)->handle);
  Py_CLEAR(as_pin(self)->pool);
  type->tp_free(self);
  Py_DECREF(type);
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(as_pin(self)->pool);
  return 0;
}

// 0: its head was undone with the transaction that it was born in.
PyObject* get_offset(PyObject* self, void*) {
  return guarded([&] {
    part_of_made(self, reinterpret_cast<PyObject*>(as_pin(self)->pool));
    return PyLong_FromUnsignedLongLong(as_pin(self)->handle->offset());
  });
}

PyGetSetDef attributes[] = {{"offset", get_offset, refuse_set, nullptr, as_closure("offset")},
                            {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyType_Slot slots[] = {{Py_tp_new, as_slot(refuse_new)},
                       {Py_tp_dealloc, as_slot(dealloc)},
                       {Py_tp_traverse, as_slot(traverse)},
                       {Py_tp_getset, attributes},
                       {0, nullptr}};

PyType_Spec spec = {"nvm._core.Pin", sizeof(Pin), 0, kContainerFlags, slots};

// (pool, offset) -> Pin
PyObject* pin(PyObject*, PyObject* const* arguments, Py_ssize_t) {
  return guarded([&] {
    auto* const owner = reinterpret_cast<PoolObject*>(arguments[0]);
    const Offset block = PyLong_AsUnsignedLongLong(arguments[1]);
    heap::Pool& pool = usable(owner);
    heap::Handle* const pinned = heap::read(pool, [&] {
      object::raw::view(pool, block);
      return pool.handles().pin(block);
    });
    return make_pin(owner, pinned).release();
  });
}

PyMethodDef functions[] = {{"_memory_pin", as_method(pin), METH_FASTCALL, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

bool is_custom_type(PyTypeObject* type) {
  return PyObject_HasAttrString(object_of(type), "_p_new") != 0 &&
         PyObject_HasAttrString(object_of(type), "_p_resurrect") != 0;
}

bool is_pin(PyObject* object) noexcept { return Py_TYPE(object) == pin_type; }

Offset pin_offset(PyObject* pin) {
  part_of_made(pin, reinterpret_cast<PyObject*>(as_pin(pin)->pool));
  const Offset offset = as_pin(pin)->handle->offset();
  if (offset == 0)
    throw Error(ErrorKind::stale, "the object was born in a transaction that has been undone", 0,
                as_pin(pin)->pool->pool->path());
  return offset;
}

Ref memory_manager(PoolObject* pool) {
  if (pool->manager == nullptr) {
    if (make_manager == nullptr) {
      const Ref module = checked(PyImport_ImportModule("nvm._memory"));
      make_manager = checked(PyObject_GetAttrString(module.get(), "MemoryManager")).release();
    }
    Ref made = checked(PyObject_CallFunctionObjArgs(make_manager, pool, nullptr));
    if (pool->manager == nullptr) pool->manager = made.release();
  }
  return Ref::borrow(pool->manager);
}

Ref new_custom(PoolObject* pool, PyTypeObject* type, PyObject* arguments, PyObject* keywords) {
  const Ref manager = memory_manager(pool);
  const Ref none_given = checked(PyDict_New());
  return checked(PyObject_CallMethod(manager.get(), "_create", "OOO", type, arguments,
                                     keywords != nullptr ? keywords : none_given.get()));
}

Ref custom_object(PoolObject* pool, heap::Handle* pinned) {
  const Ref pin = make_pin(pool, pinned);
  const Ref manager = memory_manager(pool);
  return checked(PyObject_CallMethod(manager.get(), "_instance", "O", pin.get()));
}

Ref pin_of(PoolObject* pool, PyObject* object) {
  const Ref manager = memory_manager(pool);
  Ref pin = checked(PyObject_CallMethod(manager.get(), "_pin_of", "O", object));
  if (!is_pin(pin.get())) raise(PyExc_TypeError, "a memory manager gave no pin");
  return pin;
}

Ref list_of_offsets(const std::vector<Offset>& offsets) {
  Ref list = checked(PyList_New(0));
  for (const Offset offset : offsets) {
    const Ref item = checked(PyLong_FromUnsignedLongLong(offset));
    check(PyList_Append(list.get(), item.get()));
  }
  return list;
}

namespace {

std::vector<Offset> offsets_of(PyObject* sequence) {
  const Ref items = checked(PySequence_List(sequence));
  std::vector<Offset> offsets;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items.get()); ++i) {
    offsets.push_back(PyLong_AsUnsignedLongLong(PyList_GET_ITEM(items.get(), i)));
    if (PyErr_Occurred()) throw PythonError{};
  }
  return offsets;
}

}  // namespace

object::HeldBy held_by(PoolObject* pool, const std::vector<Offset>& heads, bool strict) {
  const Ref manager = memory_manager(pool);
  const Ref offsets = list_of_offsets(heads);
  const Ref told = checked(PyObject_CallMethod(manager.get(), "_held", "OO", offsets.get(),
                                               strict ? Py_True : Py_False));
  const Ref rows = checked(PySequence_List(told.get()));
  object::HeldBy held;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(rows.get()); ++i) {
    const Ref row = checked(PySequence_Tuple(PyList_GET_ITEM(rows.get(), i)));
    if (PyTuple_GET_SIZE(row.get()) != 3) raise(PyExc_SystemError, "a row of three is needed");
    const Offset head = PyLong_AsUnsignedLongLong(PyTuple_GET_ITEM(row.get(), 0));
    if (PyErr_Occurred()) throw PythonError{};
    held[head] = {offsets_of(PyTuple_GET_ITEM(row.get(), 1)),
                  offsets_of(PyTuple_GET_ITEM(row.get(), 2))};
  }
  return held;
}

void free_custom_garbage(PoolObject* pool, const std::vector<Offset>& heads) {
  if (heads.empty()) return;
  const Ref manager = memory_manager(pool);
  const Ref offsets = list_of_offsets(heads);
  checked(PyObject_CallMethod(manager.get(), "_free_garbage", "O", offsets.get()));
}

void free_custom_objects(PoolObject* pool) {
  const uint64_t waiting =
      heap::read(*pool->pool, [&] { return object::raw::orphans(*pool->pool).size(); });
  if (waiting == 0) return;
  const Ref manager = memory_manager(pool);
  checked(PyObject_CallMethod(manager.get(), "_free_orphans", nullptr));
}

void register_custom_objects(PyObject* module) {
  pin_type = add_type(module, spec);
  check(PyModule_AddFunctions(module, functions));
}

}  // namespace nvm::bindings
