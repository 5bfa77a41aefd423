#include "heap/file/other_pool.h"

#include <libpmemobj.h>

#include <cerrno>

#include "heap/file/posix_file.h"
#include "heap/format.h"

namespace nvm::heap {

void create_other_pool(const std::string& path, const std::string& layout, uint64_t size,
                       mode_t mode) {
  if (layout.starts_with(kLayoutPrefix))
    throw Error(ErrorKind::value,
                "the layout name '" + layout + "' is for pools that nvm.open() makes");
  if (layout.size() >= PMEMOBJ_MAX_LAYOUT || layout.find('\0') != std::string::npos)
    throw Error(ErrorKind::value, "a layout name has at most " +
                                      std::to_string(PMEMOBJ_MAX_LAYOUT - 1) +
                                      " bytes, none of them null");
  PMEMobjpool* const pool = pmemobj_create(path.c_str(), layout.c_str(), size, mode);
  if (pool == nullptr) {
    const int error = errno;
    throw_error(ErrorKind::os, path, pmemobj_errormsg(), error != 0 ? error : EIO);
  }
  pmemobj_close(pool);
}

uint64_t least_other_pool() noexcept { return PMEMOBJ_MIN_POOL; }
uint64_t least_other_part() noexcept { return PMEMOBJ_MIN_PART; }

}  // namespace nvm::heap
