// Where the tests of the core put their pools.
#pragma once

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "pmem/error.h"

namespace nvm::fixture {

// In memory, where the system has a tmpfs.
inline std::string place_for_pools() {
  return std::filesystem::exists("/dev/shm") ? "/dev/shm" : "/tmp";
}

// A new folder, which the caller removes.
inline std::string make_pool_folder(const std::string& where = place_for_pools()) {
  std::string folder = where + "/nvm-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr)
    throw Error(ErrorKind::os, "cannot make " + folder, errno, folder);
  return folder;
}

}  // namespace nvm::fixture
