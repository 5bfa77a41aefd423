// nvm.pmemblk: what its files share.
#pragma once

#include <libpmemblk.h>

#include <memory>

#include "kit/library_pool.h"

namespace nvm::bindings::kit {

// A new object for an open pool (block_pool.cpp).
PyObject* new_block_pool(PMEMblkpool* blocks, size_t size, const std::string& path);

void register_block_pool(PyObject* module);

}  // namespace nvm::bindings::kit
