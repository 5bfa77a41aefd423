// The libraries of PMDK: what this was compiled for, and what the loader found.
#pragma once

#include <string>
#include <vector>

namespace nvm::heap {

// The version of libpmemobj's interface that this was compiled for, "major.minor". Throws
// std::runtime_error with libpmemobj's own message if the library that the loader found is older.
std::string library_version();

struct Library {
  std::string name;
  std::string version;  // of its interface, "major.minor"
  std::string path;     // of the file it was loaded from
};
// Those that are loaded.
std::vector<Library> libraries();

}  // namespace nvm::heap
