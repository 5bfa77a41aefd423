#include "backend/memory_limit.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace nvm::backend {
namespace {

constexpr uint64_t kNone = UINT64_MAX;

uint64_t number_in(const std::filesystem::path& path) {
  std::ifstream file(path);
  uint64_t number = 0;
  return file >> number ? number : kNone;  // "max", or no such file
}

// Of the group `path` and all above it.
uint64_t least_limit(const std::filesystem::path& hierarchy, std::filesystem::path path,
                     const char* name) {
  uint64_t least = kNone;
  for (;; path = path.parent_path()) {
    least = std::min(least, number_in(hierarchy / path.relative_path() / name));
    if (!path.has_relative_path()) return least;
  }
}

}  // namespace

// A line is "number:controllers:path"; version 2 has no controllers.
uint64_t group_limit(const std::string& groups, const std::string& root) {
  uint64_t least = kNone;
  std::istringstream lines(groups);
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string path = line.substr(second + 1);
    if (controllers == ",,") {
      least = std::min(least, least_limit(root, path, "memory.max"));
    } else if (controllers.find(",memory,") != std::string::npos) {
      least = std::min(least, least_limit(root + "/memory", path, "memory.limit_in_bytes"));
    }
  }
  return least;
}

uint64_t memory_limit() {
  const auto pages = static_cast<uint64_t>(std::max(1L, ::sysconf(_SC_PHYS_PAGES)));
  const uint64_t machine = pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  std::ifstream file("/proc/self/cgroup");
  std::ostringstream groups;
  groups << file.rdbuf();
  return std::max<uint64_t>(1, std::min(machine, group_limit(groups.str(), "/sys/fs/cgroup")));
}

}  // namespace nvm::backend
