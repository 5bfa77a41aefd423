// nvm.pmempool: what its files share. nvm/pmempool.py makes its classes of what these return.
#pragma once

#include <libpmempool.h>

#include "heap/layout/lane_logs.h"
#include "kit/library_pool.h"
#include "tools/pool_view.h"

namespace nvm::bindings::kit {

// A str from bytes of the file system, and one from bytes of a library.
Ref path_text(const std::string& bytes);
Ref message_text(const char* bytes);

// Adds an item to a dict and lets go of the value.
void put(const Ref& dict, const char* key, Ref value);
inline Ref number(uint64_t value) { return checked(PyLong_FromUnsignedLongLong(value)); }

// A pool of objects as libpmemobj would find it: with what a crash has left to do done, privately.
// Throws Error(layout / corrupt) if it is none that libpmemobj could open.
heap::LaneReport recover_heap(const tools::PoolView& view);

void register_pool_check(PyObject* module);
void register_pool_sets(PyObject* module);
void register_pool_info(PyObject* module);
void register_pool_chunks(PyObject* module);

}  // namespace nvm::bindings::kit
