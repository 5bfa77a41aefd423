#include "backend/read_ahead.h"

#include <sys/mman.h>

#include <new>

#include "backend/memory_limit.h"

namespace nvm::backend {

// A hint: nothing is lost where it is not taken, or where there is no memory to ask for the limit.
void limit_read_ahead(void* base, uint64_t size, uint64_t used) noexcept try {
  if (used > memory_limit() / 2) ::madvise(base, size, MADV_RANDOM);
} catch (const std::bad_alloc&) {
  return;
}

}  // namespace nvm::backend
