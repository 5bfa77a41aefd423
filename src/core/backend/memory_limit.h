// How much memory this process may have: the machine's, or less if its control group says so.
#pragma once

#include <cstdint>
#include <string>

namespace nvm::backend {

// Bytes; read anew each time. Never 0.
uint64_t memory_limit();

// The limit of a control group and those above it; `groups` is the text of /proc/self/cgroup, and
// `root` where the hierarchies are mounted. UINT64_MAX if there is none.
uint64_t group_limit(const std::string& groups, const std::string& root);

}  // namespace nvm::backend
