// What an extension module is to the loader: a shared object that needs libnvm_pmem, libpmemobj and
// libpmem in this order. host.cpp opens it.
#include <libpmem.h>

#include "backend/backend.h"

extern "C" __attribute__((visibility("default"))) int plugin_interposed() {
  return nvm::backend::interposed() ? 1 : 0;
}

// A call through libnvm_pmem for memory that nobody attached: the real libpmem's answer.
extern "C" __attribute__((visibility("default"))) int plugin_passes_through() {
  alignas(64) char line[64] = {};
  pmem_persist(line, sizeof(line));
  pmem_memset(line, 1, sizeof(line), 0);
  return line[sizeof(line) - 1] == 1 && pmem_is_pmem(line, sizeof(line)) == 0 ? 1 : 0;
}
