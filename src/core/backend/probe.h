// What can be found out about an open file's medium.
#pragma once

#include <cstdint>
#include <string>

#include "backend/mounts.h"

namespace nvm::backend {

enum class Family { disk, memory, network };

struct Probe {
  std::string fs_name;
  Family family = Family::disk;
  bool dax = false;               // a flushed cache line is durable
  bool volatile_overlay = false;  // an overlay that drops its syncs
};

// Throws Error(os) if the file is neither a regular file nor device DAX.
Probe probe_file(int fd, const std::string& file);

// The part that only needs the names: a magic number of statfs(2) and the mount.
Probe identify(uint32_t magic, const Mount& mount);

}  // namespace nvm::backend
