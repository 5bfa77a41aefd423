// Finds the real libpmem's functions behind our own of the same names.
#include <dlfcn.h>
#include <libpmem.h>

#include <cstdio>
#include <cstdlib>

#include "pmem/interpose/interpose.h"

namespace nvm::pmem::interpose {
namespace {

constexpr const char* kSoname = "libpmem.so.1";

// Where to look. The next definition after ours in the loader's order is right even where the
// file has another name (wheels rename what they carry); a handle is right where that order does
// not reach, as for a library that was loaded with RTLD_LOCAL before us.
void* locate() {
  void* next = dlsym(RTLD_NEXT, "pmem_flush");
  if (next != nullptr && next != reinterpret_cast<void*>(&pmem_flush)) return RTLD_NEXT;
  if (void* loaded = dlopen(kSoname, RTLD_NOLOAD | RTLD_LAZY)) return loaded;
  return dlopen(kSoname, RTLD_LAZY | RTLD_LOCAL);
}

template <class Function>
void resolve(void* where, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(where, name));
  if (function != nullptr) return;
  std::fprintf(stderr, "libnvm_pmem: libpmem has no %s\n", name);
  std::abort();
}

Libpmem resolve_all() {
  void* where = locate();
  Libpmem found{};
  resolve(where, "pmem_is_pmem", found.is_pmem);
  resolve(where, "pmem_flush", found.flush);
  resolve(where, "pmem_drain", found.drain);
  resolve(where, "pmem_persist", found.persist);
  resolve(where, "pmem_deep_flush", found.deep_flush);
  resolve(where, "pmem_msync", found.msync);
  resolve(where, "pmem_memcpy", found.copy);
  resolve(where, "pmem_memmove", found.move);
  resolve(where, "pmem_memset", found.set);
  return found;
}

// At load, so that no thread ever waits for another here, and none forks meanwhile.
__attribute__((constructor)) void resolve_at_load() { real(); }

}  // namespace

const Libpmem& real() noexcept {
  static const Libpmem kLibpmem = resolve_all();
  return kLibpmem;
}

}  // namespace nvm::pmem::interpose
