// nvm.pmem2.Map.from_existing: what makes its stores durable where the granularity is a page.
//
// libpmem2 (1.12 and 1.13) does not note the length of such a map, and its own functions call msync
// with a length of 0 for ever. These are called instead; they throw Error(os) if msync fails.
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "kit/pmem2/map.h"

namespace nvm::bindings::kit::pmem2 {

namespace {

void sync_pages(const void* address, size_t size) {
  static const auto kPage = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<uintptr_t>(address);
  const uintptr_t aligned = begin & ~(kPage - 1);
  if (msync(reinterpret_cast<void*>(aligned), size + (begin - aligned), MS_SYNC) != 0)
    throw_library_error(nullptr);
}

void nothing() {}

void sync_unless(unsigned flags, const void* address, size_t size) {
  if ((flags & PMEM2_F_MEM_NOFLUSH) == 0) sync_pages(address, size);
}

void* move(void* destination, const void* source, size_t size, unsigned flags) {
  std::memmove(destination, source, size);
  sync_unless(flags, destination, size);
  return destination;
}

void* fill(void* destination, int byte, size_t size, unsigned flags) {
  std::memset(destination, byte, size);
  sync_unless(flags, destination, size);
  return destination;
}

}  // namespace

void use_own_functions(Map* map) {
  map->persist = sync_pages;
  map->flush = sync_pages;
  map->drain = nothing;
  map->move = move;
  map->copy = move;
  map->fill = fill;
}

}  // namespace nvm::bindings::kit::pmem2
