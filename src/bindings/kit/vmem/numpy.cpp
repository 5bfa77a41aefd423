// nvm.vmem: a heap as NumPy's allocator of array data.
//
// NEP 49: since NumPy 1.22 the functions that allocate data are a PyDataMem_Handler in a capsule,
// which is the value of a context variable. Each array keeps the capsule that its data came from,
// and this capsule keeps the heap: the data stays valid after the block and after close().
//
// NumPy is no requirement of nvm, so its headers are none either: what is needed of its C interface
// (a table of function pointers whose order never changes) is declared here.
#include <algorithm>
#include <cstring>
#include <memory>

#include "kit/vmem/vmem.h"

namespace nvm::bindings::kit::vmem {

namespace {

constexpr const char* kCapsuleName = "mem_handler";
constexpr uint8_t kHandlerVersion = 1;
// Places in NumPy's table, and the number of the interface that has them all (NumPy 1.22).
constexpr size_t kFeatureVersion = 211;
constexpr size_t kSetHandler = 304;
constexpr unsigned kNeededVersion = 0xF;

struct DataAllocator {
  void* context;
  void* (*malloc)(void* context, size_t size);
  void* (*calloc)(void* context, size_t count, size_t size);
  void* (*realloc)(void* context, void* memory, size_t size);
  void (*free)(void* context, void* memory, size_t size);
};

struct DataHandler {
  char name[127];  // NOLINT(modernize-avoid-c-arrays): NumPy's layout
  uint8_t version;
  DataAllocator allocator;
};
static_assert(offsetof(DataHandler, allocator) == 128);

// ---- NumPy calls these, with or without the interpreter's lock.

Heap* heap_of(void* context) noexcept { return static_cast<Heap*>(context); }

void* numpy_malloc(void* context, size_t size) {
  if (!usable(heap_of(context))) return nullptr;
  return memkind_malloc(heap_of(context)->kind, std::max<size_t>(size, 1));
}

void* numpy_calloc(void* context, size_t count, size_t size) {
  if (!usable(heap_of(context))) return nullptr;
  if (count == 0 || size == 0) return memkind_calloc(heap_of(context)->kind, 1, 1);
  return memkind_calloc(heap_of(context)->kind, count, size);
}

// Of a closed heap too: an array is resized where it lies.
void* numpy_realloc(void* context, void* memory, size_t size) {
  return memkind_realloc(heap_of(context)->kind, memory, std::max<size_t>(size, 1));
}

void numpy_free(void* context, void* memory, size_t) {
  memkind_free(heap_of(context)->kind, memory);
}

// ---- The capsule

void free_handler(PyObject* capsule) {
  auto* handler = static_cast<DataHandler*>(PyCapsule_GetPointer(capsule, kCapsuleName));
  Py_DECREF(reinterpret_cast<PyObject*>(handler->allocator.context));
  delete handler;
}

PyObject* make_handler(PyObject*, PyObject* argument) {
  return guarded([&] {
    Heap* heap = heap_argument(argument);
    check_usable(heap);
    auto handler = std::make_unique<DataHandler>();
    std::strncpy(handler->name, "nvm.vmem", sizeof(handler->name) - 1);
    handler->version = kHandlerVersion;
    handler->allocator = {heap, numpy_malloc, numpy_calloc, numpy_realloc, numpy_free};
    Ref capsule = checked(PyCapsule_New(handler.get(), kCapsuleName, free_handler));
    static_cast<void>(handler.release());  // the capsule's
    Py_INCREF(heap);
    return capsule.release();
  });
}

void** table_of(PyObject* interface) {
  auto** table = static_cast<void**>(PyCapsule_GetPointer(interface, nullptr));
  if (table == nullptr) throw PythonError{};
  const auto version = reinterpret_cast<unsigned (*)()>(table[kFeatureVersion]);
  if (version() < kNeededVersion)
    raise(PyExc_RuntimeError, "arrays in a heap need NumPy 1.22 or newer");
  return table;
}

// (NumPy's C interface, handler) -> the handler before, for this context
PyObject* set_handler(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  return guarded([&] {
    check_count("set_handler", count, 2, 2);
    void** table = table_of(arguments[0]);
    if (PyCapsule_IsValid(arguments[1], kCapsuleName) == 0)
      raise(PyExc_TypeError, "this is no handler of NumPy's");
    const auto set = reinterpret_cast<PyObject* (*)(PyObject*)>(table[kSetHandler]);
    return checked(set(arguments[1])).release();
  });
}

PyMethodDef functions[] = {{"make_handler", make_handler, METH_O, nullptr},
                           {"set_handler", as_method(set_handler), METH_FASTCALL, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

void register_numpy(PyObject* module) { add_functions(module, "vmem", functions); }

}  // namespace nvm::bindings::kit::vmem
