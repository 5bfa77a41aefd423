// nvm.pmempool: what its files share. nvm/pmempool.py makes its classes of what these return.
#pragma once

#include <libpmempool.h>

#include "kit/library_pool.h"

namespace nvm::bindings::kit {

// A str from bytes of the file system, and one from bytes of a library.
Ref path_text(const std::string& bytes);
Ref message_text(const char* bytes);

// Adds an item to a dict and lets go of the value.
void put(const Ref& dict, const char* key, Ref value);
inline Ref number(uint64_t value) { return checked(PyLong_FromUnsignedLongLong(value)); }

void register_pool_check(PyObject* module);
void register_pool_sets(PyObject* module);
void register_pool_info(PyObject* module);

}  // namespace nvm::bindings::kit
