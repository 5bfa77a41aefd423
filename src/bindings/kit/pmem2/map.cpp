// nvm.pmem2.Map: a mapped source. What makes its stores durable is in map_functions.cpp.
#include "kit/pmem2/map.h"

#include <unordered_map>

namespace nvm::bindings::kit::pmem2 {

namespace {

PyTypeObject* map_type = nullptr;

// The Map of each map of libpmem2's. The interpreter's lock guards it.
std::unordered_map<const pmem2_map*, Map*>& maps() {
  static auto* const kMaps = new std::unordered_map<const pmem2_map*, Map*>;  // to the very end
  return *kMaps;
}

int release(MemoryObject* memory) noexcept {
  Map* map = reinterpret_cast<Map*>(memory);
  maps().erase(map->map);
  const int code = pmem2_map_delete(&map->map);
  if (map->existing.obj != nullptr) PyBuffer_Release(&map->existing);
  Py_CLEAR(map->reservation);
  return code == 0 ? 0 : errno_of(code);
}

// The object has this map from now on.
void take(Map* self, pmem2_map* map, bool writable) {
  self->map = map;
  self->granularity = pmem2_map_get_store_granularity(map);
  self->persist = pmem2_get_persist_fn(map);
  self->flush = pmem2_get_flush_fn(map);
  self->drain = pmem2_get_drain_fn(map);
  self->move = pmem2_get_memmove_fn(map);
  self->copy = pmem2_get_memcpy_fn(map);
  self->fill = pmem2_get_memset_fn(map);
  if (has_own_functions(self)) use_own_functions(self);
  take_memory(&self->memory, pmem2_map_get_address(map), pmem2_map_get_size(map), writable,
              release);
  maps().emplace(map, self);
}

Ref new_map() { return checked(map_type->tp_alloc(map_type, 0)); }

// Map(source, config)
PyObject* make(PyTypeObject*, PyObject* arguments, PyObject* keywords) {
  return guarded([&] {
    static const char* const kNames[] = {"source", "config", nullptr};
    PyObject *source_object = nullptr, *config_object = nullptr;
    if (PyArg_ParseTupleAndKeywords(arguments, keywords, "OO:Map", const_cast<char**>(kNames),
                                    &source_object, &config_object) == 0)
      throw PythonError{};
    const Source* source = source_argument(source_object);
    const Config* config = config_argument(config_object);
    Ref self = new_map();
    pmem2_map* map = nullptr;
    check_code(pmem2_map_new(&map, config->config, source->source), source->name);
    const unsigned protection = config->settings.protection;
    as_map(self.get())->readable = (protection & PMEM2_PROT_READ) != 0;
    Py_XINCREF(config->reservation);
    as_map(self.get())->reservation = config->reservation;
    take(as_map(self.get()), map, (protection & PMEM2_PROT_WRITE) != 0);
    return self.release();
  });
}

PyObject* from_existing(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  return guarded([&] {
    check_count("from_existing", count, 3, 3);
    const Source* source = source_argument(arguments[0]);
    const auto granularity =
        static_cast<pmem2_granularity>(member_argument(names.granularity, arguments[2]));
    Ref self = new_map();
    Range range(arguments[1]);
    if (range.size() == 0) raise(PyExc_ValueError, "there are no bytes in it");
    pmem2_map* map = nullptr;
    check_code(
        pmem2_map_from_existing(&map, source->source, range.data(), range.size(), granularity),
        source->name);
    as_map(self.get())->readable = true;
    const bool writable = !range.read_only();
    as_map(self.get())->existing = range.release();
    take(as_map(self.get()), map, writable);
    return self.release();
  });
}

// ---- The type

int get_buffer(PyObject* self, Py_buffer* view, int flags) {
  if (as_map(self)->memory.open && !as_map(self)->readable) {
    view->obj = nullptr;
    PyErr_SetString(PyExc_BufferError, "this Map cannot be read: its protection forbids it");
    return -1;
  }
  return memory_get_buffer(self, view, flags);
}

PyObject* get_granularity(PyObject* self, void*) {
  return guarded([&] { return member_of(names.granularity, as_map(self)->granularity).release(); });
}

PyObject* get_address(PyObject* self, void*) {
  return guarded([&] {
    check_memory_open(as_memory(self));
    return PyLong_FromVoidPtr(as_memory(self)->data);
  });
}

PyObject* get_reservation(PyObject* self, void*) {
  Reservation* reservation = as_map(self)->reservation;
  return Ref::borrow(reservation == nullptr ? Py_None : reinterpret_cast<PyObject*>(reservation))
      .release();
}

PyObject* delete_method(PyObject* self, PyObject*) {
  return guarded([&] {
    const int failure = let_memory_go(as_memory(self));
    if (failure != 0) throw_library_error(failure, pmem2_errormsg());
    return none();
  });
}

PyObject* enter(PyObject* self, PyObject*) {
  return guarded([&] {
    check_memory_open(as_memory(self));
    return Ref::borrow(self).release();
  });
}

PyObject* exit(PyObject* self, PyObject* const*, Py_ssize_t) {
  return guarded([&] {
    const Map* map = as_map(self);
    if (map->memory.open && map->memory.writable)
      persist(map, {map->memory.data, map->memory.size});
    return checked(delete_method(self, nullptr)).release();
  });
}

PyMethodDef own_methods[] = {
    {"from_existing", as_method(from_existing), METH_FASTCALL | METH_CLASS,
     "from_existing($type, source, buffer, granularity, /)\n--\n\n"
     "A Map of what is mapped already, such as an mmap.mmap of this source. It keeps the buffer."},
    {"delete", delete_method, METH_NOARGS,
     "delete($self, /)\n--\n\n"
     "Let the map go; twice is fine. Views of it stay valid: it is unmapped with the last one.\n"
     "Nothing is persisted."},
    {"__enter__", enter, METH_NOARGS, "__enter__($self, /)\n--\n\n"},
    {"__exit__", as_method(exit), METH_FASTCALL,
     "__exit__($self, *exception)\n--\n\nPersist everything and let the map go."},
};

PyGetSetDef attributes[] = {
    {"granularity", get_granularity, refuse_set, "The Granularity of its stores.",
     as_closure("granularity")},
    {"address", get_address, refuse_set, "Where it begins.", as_closure("address")},
    {"reservation", get_reservation, refuse_set, "The Reservation that it is placed in, or None.",
     as_closure("reservation")},
    {"closed", memory_closed, refuse_set, "Whether it has been deleted.", as_closure("closed")},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

}  // namespace

Ref map_object(pmem2_map* map) noexcept {
  const auto found = maps().find(map);
  if (found == maps().end() || Py_REFCNT(found->second) == 0) return {};
  return Ref::borrow(reinterpret_cast<PyObject*>(found->second));
}

Map* map_argument(PyObject* argument) {
  if (PyObject_TypeCheck(argument, map_type) == 0)
    raise(PyExc_TypeError, "a Map is needed, not %.200s", Py_TYPE(argument)->tp_name);
  check_memory_open(as_memory(argument));
  return as_map(argument);
}

void register_map(PyObject* module) {
  static std::vector<PyMethodDef> methods = map_functions();
  methods.insert(methods.begin(), std::begin(own_methods), std::end(own_methods));
  PyType_Slot slots[] = {
      {Py_tp_doc, const_cast<char*>("Map(source, config)\n--\n\n"
                                    "A mapped source. Its buffer is the source's bytes; a slice is "
                                    "a memoryview of them.")},
      {Py_tp_new, as_slot(make)},
      {Py_tp_dealloc, as_slot(memory_dealloc)},
      {Py_tp_methods, methods.data()},
      {Py_tp_getset, attributes},
      {Py_mp_length, as_slot(memory_length)},
      {Py_mp_subscript, as_slot(memory_get_item)},
      {Py_mp_ass_subscript, as_slot(memory_set_item)},
      {Py_bf_getbuffer, as_slot(get_buffer)},
      {Py_bf_releasebuffer, as_slot(memory_release_buffer)},
      {0, nullptr}};
  PyType_Spec spec = {"nvm.pmem2.Map", sizeof(Map), 0, kPlainFlags, slots};
  map_type = add_named_type(module, "Pmem2Map", spec);
  check(PyModule_AddIntMacro(module, PMEM2_F_MEM_NODRAIN));
  check(PyModule_AddIntMacro(module, PMEM2_F_MEM_NOFLUSH));
  check(PyModule_AddIntMacro(module, PMEM2_F_MEM_NONTEMPORAL));
  check(PyModule_AddIntMacro(module, PMEM2_F_MEM_TEMPORAL));
  check(PyModule_AddIntMacro(module, PMEM2_F_MEM_WB));
  check(PyModule_AddIntMacro(module, PMEM2_F_MEM_WC));
}

}  // namespace nvm::bindings::kit::pmem2
