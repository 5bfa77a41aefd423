#include "backend/read_ahead.h"

#include <sys/mman.h>

#include "backend/memory_limit.h"

namespace nvm::backend {

// A hint: nothing is lost where it is not taken.
void limit_read_ahead(void* base, uint64_t size, uint64_t used) noexcept {
  if (used > memory_limit() / 2) ::madvise(base, size, MADV_RANDOM);
}

}  // namespace nvm::backend
