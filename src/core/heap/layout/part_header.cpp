#include "heap/layout/part_header.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "heap/file/posix_file.h"
#include "heap/layout/checksum.h"

namespace nvm::heap {
namespace {

using pmdk::PoolHeader;

bool same(const PoolHeader& one, pmdk::Uuid mine, const PoolHeader& other, pmdk::Uuid its) {
  return std::memcmp(one.uuids[static_cast<size_t>(mine)], other.uuids[static_cast<size_t>(its)],
                     sizeof one.uuids[0]) == 0;
}

std::string wrong_in_links(const std::vector<std::vector<PartHeader>>& replicas) {
  using pmdk::Uuid;
  const PoolHeader& master = replicas.front().front().header;
  for (size_t r = 0; r < replicas.size(); ++r) {
    const std::vector<PartHeader>& parts = replicas[r];
    const PoolHeader& next_replica = replicas[(r + 1) % replicas.size()].front().header;
    for (size_t p = 0; p < parts.size(); ++p) {
      const auto& [path, header] = parts[p];
      const PoolHeader& next_part = parts[(p + 1) % parts.size()].header;
      if (!same(header, Uuid::set, master, Uuid::set))
        return "the part '" + path + "' belongs to another pool set";
      if (!same(header, Uuid::next_part, next_part, Uuid::part) ||
          !same(next_part, Uuid::previous_part, header, Uuid::part) ||
          !same(header, Uuid::next_replica, next_replica, Uuid::part))
        return "the part '" + path + "' is not at its place in the set";
    }
  }
  return {};
}

}  // namespace

PoolHeader read_part_header(int fd, const std::string& file) {
  PoolHeader header{};
  const ssize_t got = ::pread(fd, &header, sizeof header, 0);
  if (got < 0) throw_os(file, "cannot read the header", errno);
  return header;
}

uint64_t right_checksum(const PoolHeader& header) noexcept {
  const size_t covered =
      (header.incompatible & pmdk::kChecksumOf2K) != 0 ? pmdk::kShortChecksum : sizeof header;
  return fletcher64_around(&header, sizeof header, offsetof(PoolHeader, checksum), covered);
}

bool has_right_checksum(const PoolHeader& header) noexcept {
  return header.checksum == right_checksum(header);
}

std::string wrong_in_headers(const std::vector<std::vector<PartHeader>>& replicas) {
  for (const std::vector<PartHeader>& parts : replicas) {
    for (const auto& [path, header] : parts) {
      if (std::memcmp(header.signature, pmdk::kSignature, sizeof header.signature) != 0)
        return "the part '" + path + "' is damaged: it does not begin with PMDK's signature";
      if (!has_right_checksum(header))
        return "the part '" + path + "' is damaged: its header's checksum is wrong";
    }
  }
  return wrong_in_links(replicas);
}

bool closed_cleanly(const PoolHeader& first) noexcept {
  return (first.incompatible & pmdk::kKeepsShutdownState) != 0 && first.dirty == 0;
}

}  // namespace nvm::heap
