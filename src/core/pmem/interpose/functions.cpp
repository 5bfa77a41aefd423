// The nine functions. Their prototypes and the meaning of their flags are libpmem's.
#include <libpmem.h>

#include "pmem/interpose/ranges.h"

using nvm::pmem::interpose::find;
using nvm::pmem::interpose::find_to_flush;
using nvm::pmem::interpose::find_to_persist;
using nvm::pmem::interpose::real;
using nvm::pmem::interpose::take_undrained;
using nvm::pmem::interpose::Target;

extern "C" {

NVM_PMEM_EXPORT int pmem_is_pmem(const void* addr, size_t len) {
  const Target target = find(addr);
  if (target.operations == nullptr) return real().is_pmem(addr, len);
  return target.operations->is_pmem(target.context, addr, len) ? 1 : 0;
}

NVM_PMEM_EXPORT void pmem_flush(const void* addr, size_t len) {
  const Target target = find_to_flush(addr);
  if (target.operations == nullptr) return real().flush(addr, len);
  target.operations->flush(target.context, addr, len);
}

NVM_PMEM_EXPORT void pmem_drain(void) {
  const Target target = take_undrained();
  if (target.operations == nullptr) return real().drain();
  target.operations->drain(target.context);
}

NVM_PMEM_EXPORT void pmem_persist(const void* addr, size_t len) {
  const Target target = find_to_persist(addr);
  if (target.operations == nullptr) return real().persist(addr, len);
  target.operations->flush(target.context, addr, len);
  target.operations->drain(target.context);
}

NVM_PMEM_EXPORT void pmem_deep_flush(const void* addr, size_t len) {
  const Target target = find_to_flush(addr);
  if (target.operations == nullptr) return real().deep_flush(addr, len);
  target.operations->deep_flush(target.context, addr, len);
}

NVM_PMEM_EXPORT int pmem_msync(const void* addr, size_t len) {
  const Target target = find(addr);
  if (target.operations == nullptr) return real().msync(addr, len);
  target.operations->msync(target.context, addr, len);
  return 0;
}

NVM_PMEM_EXPORT void* pmem_memcpy(void* pmemdest, const void* src, size_t len, unsigned flags) {
  const Target target = find_to_flush(pmemdest);
  if (target.operations == nullptr) return real().copy(pmemdest, src, len, flags);
  return target.operations->copy(target.context, pmemdest, src, len, flags);
}

NVM_PMEM_EXPORT void* pmem_memmove(void* pmemdest, const void* src, size_t len, unsigned flags) {
  const Target target = find_to_flush(pmemdest);
  if (target.operations == nullptr) return real().move(pmemdest, src, len, flags);
  return target.operations->move(target.context, pmemdest, src, len, flags);
}

NVM_PMEM_EXPORT void* pmem_memset(void* pmemdest, int c, size_t len, unsigned flags) {
  const Target target = find_to_flush(pmemdest);
  if (target.operations == nullptr) return real().set(pmemdest, c, len, flags);
  return target.operations->set(target.context, pmemdest, c, len, flags);
}

}  // extern "C"
