#include "heap/file/library_version.h"

#include <dlfcn.h>
#include <libpmem.h>
#include <libpmemobj.h>

#include <cstdlib>
#include <memory>
#include <stdexcept>

namespace nvm::heap {

namespace {

using Check = const char* (*)(unsigned major, unsigned minor);

// The newest minor version that the library says it has; it can only be asked one by one.
std::string version(Check check, unsigned major, unsigned minor) {
  while (check(major, minor + 1) == nullptr) ++minor;
  return std::to_string(major) + "." + std::to_string(minor);
}

std::string loaded_from(Check check) {
  Dl_info found{};
  if (dladdr(reinterpret_cast<void*>(check), &found) == 0 || found.dli_fname == nullptr) return "";
  const std::unique_ptr<char, decltype(&std::free)> real(realpath(found.dli_fname, nullptr),
                                                         &std::free);
  return real ? real.get() : found.dli_fname;
}

}  // namespace

std::string library_version() {
  const char* complaint = pmemobj_check_version(PMEMOBJ_MAJOR_VERSION, PMEMOBJ_MINOR_VERSION);
  if (complaint != nullptr) throw std::runtime_error(complaint);
  return std::to_string(PMEMOBJ_MAJOR_VERSION) + "." + std::to_string(PMEMOBJ_MINOR_VERSION);
}

std::vector<Library> libraries() {
  return {
      {"libpmem", version(pmem_check_version, PMEM_MAJOR_VERSION, PMEM_MINOR_VERSION),
       loaded_from(pmem_check_version)},
      {"libpmemobj", version(pmemobj_check_version, PMEMOBJ_MAJOR_VERSION, PMEMOBJ_MINOR_VERSION),
       loaded_from(pmemobj_check_version)}};
}

}  // namespace nvm::heap
