// nvm.pmem: what its files share.
//
// Which way a range becomes durable
//   - In a MemoryBuffer: as libpmem said when the file was mapped.
//   - Elsewhere (a NumPy memmap, a view of a pool's bytearray, ...): as pmem_is_pmem says now.
//   - On persistent memory by flushing and draining; anywhere else by msync, and then flush does
//   it,
//     so that what is documented for flush and drain together holds. (libpmem2 does the same for
//     maps of page granularity.)
#pragma once

#include "kit/kit.h"
#include "kit/memory.h"

namespace nvm::bindings::kit::pmem {

struct Buffer {
  MemoryObject memory;
  bool is_pmem;
  Py_ssize_t position;
  PyObject* name;  // as it was given
};

// Whether the range is persistent memory, and so made durable by flushing.
bool is_pmem(const Range& range) noexcept;

// Makes a range durable; throws Error(os) if msync fails.
void persist(const Range& range);
// The same, but drain() may have to follow.
void flush(const Range& range);

// The buffers that are mapped, by address (mappings.cpp).
void add_mapping(Buffer* buffer);
void remove_mapping(const Buffer* buffer) noexcept;
Buffer* mapping_of(const void* address) noexcept;  // null: none

void register_buffer(PyObject* module);    // buffer.cpp
void register_flushing(PyObject* module);  // flushing.cpp
void register_copying(PyObject* module);   // copying.cpp

}  // namespace nvm::bindings::kit::pmem
