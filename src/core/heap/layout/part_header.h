// The headers of a pool set's parts: each says which set it belongs to, and what comes before and
// after it there.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "heap/layout/pmdk_layout.h"

namespace nvm::heap {

struct PartHeader {
  std::string path;
  pmdk::PoolHeader header;
};

// The first page of a file. Throws Error(os).
pmdk::PoolHeader read_part_header(int fd, const std::string& file);

uint64_t right_checksum(const pmdk::PoolHeader& header) noexcept;
bool has_right_checksum(const pmdk::PoolHeader& header) noexcept;

// Of the parts of each replica that have headers. What is wrong with the first one that is not what
// it must be at its place; empty if all are right.
std::string wrong_in_headers(const std::vector<std::vector<PartHeader>>& replicas);

// True if the pool was closed properly by the last program that wrote to it, and says so.
bool closed_cleanly(const pmdk::PoolHeader& first) noexcept;

}  // namespace nvm::heap
