// nvm.vmem.Heap: a kind of memory, or one over a file, to allocate from.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "kit/vmem/vmem.h"

namespace nvm::bindings::kit::vmem {

namespace {

PyTypeObject* heap_type = nullptr;
constexpr mode_t kMode = 0666;

Ref new_heap(PyTypeObject* type, PyObject* name) {
  Ref self = checked(type->tp_alloc(type, 0));
  as_heap(self.get())->descriptor = -1;
  as_heap(self.get())->process = getpid();
  as_heap(self.get())->name = Ref::borrow(name).release();
  return self;
}

void take_kind(Heap* heap, memkind_t kind, bool own, bool shared, size_t max_size) {
  heap->kind = kind;
  heap->own = own;
  heap->shared = shared;
  heap->max_size = max_size;
  heap->open = true;
}

// ---- Over a file

// libmemkind makes a file without a name in the folder, and gives it blocks as it needs them.
memkind_t kind_in_folder(const std::string& folder, size_t max_size, bool conservative) {
  if (access(folder.c_str(), W_OK | X_OK) != 0) throw_library_error(nullptr, folder);
  memkind_config* config = memkind_config_new();
  if (config == nullptr) throw std::bad_alloc();
  memkind_config_set_path(config, folder.c_str());
  memkind_config_set_size(config, max_size);
  memkind_config_set_memory_usage_policy(config, conservative
                                                     ? MEMKIND_MEM_USAGE_POLICY_CONSERVATIVE
                                                     : MEMKIND_MEM_USAGE_POLICY_DEFAULT);
  memkind_t kind = nullptr;
  const int code = memkind_create_pmem_with_config(config, &kind);
  memkind_config_delete(config);
  check_memkind(code, folder);
  return kind;
}

// Opens the file, or makes it: true.
bool open_or_make(Heap* heap, const std::string& file) {
  heap->descriptor = open(file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, kMode);
  if (heap->descriptor >= 0) return true;
  heap->descriptor = open(file.c_str(), O_RDWR | O_CLOEXEC);
  if (heap->descriptor < 0) throw_library_error(nullptr, file);
  return false;
}

// Gives the file its blocks now: a store where the disk is full would be a SIGBUS.
void* map_file(const Heap* heap, const std::string& file, size_t size) {
  if (flock(heap->descriptor, LOCK_EX | LOCK_NB) != 0)
    throw_library_error(errno, errno == EWOULDBLOCK ? "another heap has this file" : nullptr, file);
  const int failure = posix_fallocate(heap->descriptor, 0, static_cast<off_t>(size));
  if (failure != 0) throw_library_error(failure, nullptr, file);
  void* area = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, heap->descriptor, 0);
  if (area == MAP_FAILED) throw_library_error(nullptr, file);
  return area;
}

void open_file(Heap* heap, const std::string& file, size_t size) {
  const bool made = open_or_make(heap, file);
  try {
    heap->area = map_file(heap, file, size);
  } catch (const Error&) {
    if (made) unlink(file.c_str());
    throw;
  }
  heap->area_size = size;
}

memkind_t kind_in_file(Heap* heap, const std::string& file, size_t size) {
  open_file(heap, file, size);
  memkind_t kind = nullptr;
  check_memkind(memkind_create_fixed(heap->area, size, &kind), file);
  return kind;
}

bool is_folder(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

void check_size(const std::string& path, size_t size, bool folder) {
  if (size == 0 && folder) return;
  if (size < MEMKIND_PMEM_MIN_SIZE)
    raise(PyExc_ValueError, "max_size %zu smaller than %d", size,
          static_cast<int>(MEMKIND_PMEM_MIN_SIZE));
  if (size > static_cast<size_t>(PY_SSIZE_T_MAX)) throw_library_error(EFBIG, nullptr, path);
}

PyObject* make(PyTypeObject* type, PyObject* arguments, PyObject* keywords) {
  return guarded([&] {
    static const char* const kNames[] = {"path", "max_size", "conservative", nullptr};
    PyObject *path = nullptr, *size = nullptr;
    int conservative = 0;
    if (PyArg_ParseTupleAndKeywords(arguments, keywords, "O|O$p:Heap", const_cast<char**>(kNames),
                                    &path, &size, &conservative) == 0)
      throw PythonError{};
    const std::string file = file_name(path);
    const size_t bytes = size == nullptr ? 0 : size_argument(size, "max_size");
    const bool folder = is_folder(file);
    check_size(file, bytes, folder);
    if (!folder && conservative != 0)
      raise(PyExc_ValueError, "conservative is for heaps in a folder");
    Ref self = new_heap(type, path);
    Heap* heap = as_heap(self.get());
    memkind_t kind = nullptr;
    {
      const Unlocked unlocked;
      kind =
          folder ? kind_in_folder(file, bytes, conservative != 0) : kind_in_file(heap, file, bytes);
    }
    take_kind(heap, kind, true, true, bytes);
    return self.release();
  });
}

// ---- Of a kind

PyObject* of_kind(PyObject* type, PyObject* argument) {
  return guarded([&] {
    const char* name = PyUnicode_AsUTF8(argument);
    if (name == nullptr) throw PythonError{};
    const memkind_t kind = kind_named(name);
    if (kind == nullptr) raise(PyExc_ValueError, "no kind of memory is called %R", argument);
    check_kind(kind, name);
    Ref self = new_heap(reinterpret_cast<PyTypeObject*>(type), argument);
    take_kind(as_heap(self.get()), kind, false, false, 0);
    return self.release();
  });
}

// (memory types, policy, huge pages)
PyObject* of_policy(PyObject* type, PyObject* arguments) {
  return guarded([&] {
    int types = 0, policy = 0, huge_pages = 0;
    if (PyArg_ParseTuple(arguments, "iip:of_policy", &types, &policy, &huge_pages) == 0)
      throw PythonError{};
    memkind_t kind = nullptr;
    check_memkind(memkind_create_kind(
        static_cast<memkind_memtype_t>(types), static_cast<memkind_policy_t>(policy),
        huge_pages != 0 ? MEMKIND_MASK_PAGE_SIZE_2MB : static_cast<memkind_bits_t>(0), &kind));
    Ref self = new_heap(reinterpret_cast<PyTypeObject*>(type), Py_None);
    take_kind(as_heap(self.get()), kind, true, false, 0);
    return self.release();
  });
}

// ---- Using it

const Arguments<3> kAllocateArguments{"allocate", {"size", "alignment", "zero"}, 1};

PyObject* allocate_method(PyObject* self, PyObject* const* given, Py_ssize_t count,
                          PyObject* keywords) {
  return guarded([&] {
    const auto [size, alignment, zero] = kAllocateArguments.take(given, count, keywords);
    const bool aligned = alignment != nullptr && alignment != Py_None;
    const int zeroed = zero == nullptr ? 0 : PyObject_IsTrue(zero);
    check(zeroed);
    check_usable(as_heap(self));
    return allocate(as_heap(self), size_argument(size, "size"),
                    aligned ? size_argument(alignment, "alignment") : 0, zeroed != 0)
        .release();
  });
}

// -> (resident, active, allocated)
PyObject* statistics(PyObject* self, PyObject*) {
  return guarded([&] {
    const Heap* heap = as_heap(self);
    if (heap->kind == nullptr) raise(PyExc_ValueError, "this Heap has been closed");
    check_memkind(memkind_update_cached_stats());
    std::array<size_t, MEMKIND_STAT_TYPE_MAX_VALUE> values{};
    for (size_t type = 0; type < values.size(); ++type)
      check_memkind(
          memkind_get_stat(heap->kind, static_cast<memkind_stat_type>(type), &values[type]));
    return Py_BuildValue("(nnn)", static_cast<Py_ssize_t>(values[0]),
                         static_cast<Py_ssize_t>(values[1]), static_cast<Py_ssize_t>(values[2]));
  });
}

PyObject* get_capacity(PyObject* self, void*) {
  return guarded([&] {
    const Heap* heap = as_heap(self);
    if (heap->shared) return heap->max_size == 0 ? none() : PyLong_FromSize_t(heap->max_size);
    const ssize_t capacity = memkind_get_capacity(heap->kind);
    return capacity < 0 ? none() : PyLong_FromSsize_t(capacity);
  });
}

PyObject* get_name(PyObject* self, void*) { return Ref::borrow(as_heap(self)->name).release(); }

PyObject* get_closed(PyObject* self, void*) { return boolean(!as_heap(self)->open); }

PyObject* close_method(PyObject* self, PyObject*) {
  as_heap(self)->open = false;
  return none();
}

PyObject* enter(PyObject* self, PyObject*) {
  return guarded([&] {
    check_usable(as_heap(self));
    return Ref::borrow(self).release();
  });
}

PyObject* exit(PyObject* self, PyObject* const*, Py_ssize_t) { return close_method(self, nullptr); }

// Nothing that was allocated from it is left.
void dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  Heap* heap = as_heap(self);
  if (heap->own && heap->kind != nullptr) memkind_destroy_kind(heap->kind);
  if (heap->area != nullptr) munmap(heap->area, heap->area_size);
  if (heap->descriptor >= 0) ::close(heap->descriptor);
  Py_CLEAR(heap->name);
  type->tp_free(self);
  Py_DECREF(type);
}

PyMethodDef methods[] = {
    {"_of_kind", of_kind, METH_O | METH_CLASS, nullptr},
    {"_of_policy", of_policy, METH_VARARGS | METH_CLASS, nullptr},
    {"allocate", as_method(allocate_method), METH_FASTCALL | METH_KEYWORDS,
     "allocate($self, /, size, alignment=None, zero=False)\n--\n\n"
     "size bytes, as a Buffer that frees itself. Their content is undefined unless zero; "
     "alignment\n"
     "is a power of two. MemoryError if the heap is full."},
    {"_statistics", statistics, METH_NOARGS, nullptr},
    {"close", close_method, METH_NOARGS,
     "close($self, /)\n--\n\n"
     "Allocate no more; twice is fine. What is allocated stays valid: the memory, and the file,\n"
     "are let go with the last Buffer and array."},
    {"__enter__", enter, METH_NOARGS, "__enter__($self, /)\n--\n\n"},
    {"__exit__", as_method(exit), METH_FASTCALL, "__exit__($self, *exception)\n--\n\n"},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef attributes[] = {
    {"name", get_name, refuse_set, "What it was made of.", as_closure("name")},
    {"capacity", get_capacity, refuse_set,
     "How many bytes there are in all, or None if that is not known.", as_closure("capacity")},
    {"closed", get_closed, refuse_set, "Whether it has been closed.", as_closure("closed")},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyType_Slot slots[] = {{Py_tp_new, as_slot(make)},
                       {Py_tp_dealloc, as_slot(dealloc)},
                       {Py_tp_methods, methods},
                       {Py_tp_getset, attributes},
                       {0, nullptr}};

PyType_Spec spec = {"nvm.vmem._Heap", sizeof(Heap), 0, kPlainFlags | Py_TPFLAGS_BASETYPE, slots};

bool of_parent(const Heap* heap) noexcept { return heap->shared && heap->process != getpid(); }

}  // namespace

void check_usable(const Heap* heap) {
  if (!heap->open) raise(PyExc_ValueError, "this Heap has been closed");
  if (of_parent(heap))
    throw Error(ErrorKind::forked,
                "this is a forked child, and the heap is its parent's: make one of its own");
}

bool usable(const Heap* heap) noexcept { return heap->open && !of_parent(heap); }

Heap* heap_argument(PyObject* argument) {
  if (PyObject_TypeCheck(argument, heap_type) == 0)
    raise(PyExc_TypeError, "a Heap is needed, not %.200s", Py_TYPE(argument)->tp_name);
  return as_heap(argument);
}

void register_heap(PyObject* module) { heap_type = add_named_type(module, "VmemHeap", spec); }

}  // namespace nvm::bindings::kit::vmem
