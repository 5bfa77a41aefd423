#include "heap/library_version.h"

#include <libpmemobj.h>

#include <stdexcept>

namespace nvm::heap {

std::string library_version() {
  const char* complaint = pmemobj_check_version(PMEMOBJ_MAJOR_VERSION, PMEMOBJ_MINOR_VERSION);
  if (complaint != nullptr) throw std::runtime_error(complaint);
  return std::to_string(PMEMOBJ_MAJOR_VERSION) + "." + std::to_string(PMEMOBJ_MINOR_VERSION);
}

}  // namespace nvm::heap
