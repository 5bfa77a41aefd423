// The version of libpmemobj that this was compiled for, checked against the one loaded.
#pragma once

#include <string>

namespace nvm::heap {

// "major.minor". Throws std::runtime_error with libpmemobj's own message if the
// library that the loader found is older.
std::string library_version();

}  // namespace nvm::heap
