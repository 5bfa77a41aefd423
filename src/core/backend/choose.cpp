// Which backend a file gets.
#include <cerrno>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "backend/backend.h"
#include "backend/kinds.h"
#include "backend/probe.h"
#include "pmem/error.h"

namespace nvm::backend {
namespace {

[[noreturn]] void refuse(const std::string& why, const std::string& file) {
  throw Error(ErrorKind::os, why + "; name a backend to use it all the same", EOPNOTSUPP, file);
}

// libpmem's own switch, for tests on ordinary media.
bool dax_is_forced() {
  const char* value = std::getenv("PMEM_IS_PMEM_FORCE");
  return value != nullptr && std::string_view(value) == "1";
}

}  // namespace

Medium decide(Probe probe, const std::string& file, std::optional<Kind> wanted) {
  if (!wanted) {
    if (probe.family == Family::network) {
      refuse("a pool on the network file system " + probe.fs_name + " is not safe", file);
    }
    if (probe.volatile_overlay) {
      refuse("a pool on an overlay mounted volatile is lost with the machine", file);
    }
    wanted = probe.dax ? Kind::dax : probe.family == Family::memory ? Kind::memory : Kind::journal;
  }
  const bool durable = *wanted == Kind::dax       ? probe.dax
                       : *wanted == Kind::journal ? probe.family != Family::memory
                                                  : false;
  return {*wanted, durable, std::move(probe.fs_name)};
}

Medium choose(int fd, const std::string& file, std::optional<Kind> wanted) {
  if (!wanted && dax_is_forced()) wanted = Kind::dax;
  return decide(probe_file(fd, file), file, wanted);
}

}  // namespace nvm::backend
