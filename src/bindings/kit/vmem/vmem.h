// nvm.vmem: what its files share.
//
// Invariants
//   1. A heap's memory stays while anything allocated from it lives: a Buffer and a NumPy array (by
//      the handler that NumPy keeps with it) hold the Heap. close() only ends allocating.
//   2. Memory of a file is mapped shared, so a forked child must not allocate there: it would use
//      what its parent uses. Kinds of this process's own memory are copied by the fork.
//   3. Nothing is asked of a kind that the machine lacks: libmemkind would abort.
#pragma once

#include <memkind.h>
#include <sys/types.h>

#include "kit/kit.h"
#include "kit/memory.h"

namespace nvm::bindings::kit::vmem {

struct Heap {
  PyObject_HEAD memkind_t kind;  // null: never made
  bool own;                      // to be destroyed with the heap
  bool shared;                   // memory of a file
  bool open;
  pid_t process;
  void* area;  // of a file that we mapped ourselves, null otherwise
  size_t area_size;
  int descriptor;   // of that file, locked
  PyObject* name;   // what it was made of, as it was given
  size_t max_size;  // 0: no limit of its own
};

struct Buffer {
  MemoryObject memory;
  Heap* heap;
  size_t alignment;  // 0: as malloc gives
};

inline Heap* as_heap(PyObject* self) noexcept { return reinterpret_cast<Heap*>(self); }

// Throws Error(os) for a code of libmemkind that is not 0.
void check_memkind(int code, const std::string& file = {});
// Throws if the heap is closed, or its file is its parent's.
void check_usable(const Heap* heap);
// The same for where nothing may be thrown.
bool usable(const Heap* heap) noexcept;
// Throws a TypeError if it is none.
Heap* heap_argument(PyObject* argument);

// heap.allocate(size, alignment, zero) (buffer.cpp); an alignment of 0 is malloc's.
Ref allocate(Heap* heap, size_t size, size_t alignment, bool zero);

void register_heap(PyObject* module);    // heap.cpp
void register_buffer(PyObject* module);  // buffer.cpp
void register_kinds(PyObject* module);   // kinds.cpp
void register_numpy(PyObject* module);   // numpy.cpp

// A static kind by its name (kinds.cpp); null if there is none of that name. check_kind() throws if
// the machine lacks it.
memkind_t kind_named(const char* name) noexcept;
void check_kind(memkind_t kind, const char* name);

}  // namespace nvm::bindings::kit::vmem
