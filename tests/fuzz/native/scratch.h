// A folder for pools, in memory where the system has a tmpfs, gone when the process ends.
#pragma once

#include <string>

namespace nvm::fuzz {

// A path in it.
std::string scratch_path(const std::string& name);
void write_file(const std::string& path, const std::string& content);
std::string read_file(const std::string& path);

}  // namespace nvm::fuzz
