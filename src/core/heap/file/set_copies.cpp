#include "heap/file/set_copies.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "heap/layout/part_header.h"

namespace nvm::heap {
namespace {

// A shared mapping as /proc/self/maps has it.
struct Mapped {
  uintptr_t begin = 0;
  uintptr_t end = 0;
  uint64_t file_offset = 0;
  dev_t device = 0;
  ino_t inode = 0;
};

std::vector<Mapped> shared_mappings() {
  std::vector<Mapped> result;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    Mapped mapped;
    char access[5] = {};
    unsigned device_major = 0;
    unsigned device_minor = 0;
    uint64_t inode = 0;
    const int fields = std::sscanf(
        line.c_str(), "%" SCNxPTR "-%" SCNxPTR " %4s %" SCNx64 " %x:%x %" SCNu64, &mapped.begin,
        &mapped.end, access, &mapped.file_offset, &device_major, &device_minor, &inode);
    constexpr int all_fields = 7;
    if (fields != all_fields || access[3] != 's') continue;
    mapped.device = makedev(device_major, device_minor);
    mapped.inode = inode;
    result.push_back(mapped);
  }
  return result;
}

bool holds(const Mapped& mapped, const FileRange& range, const struct stat& file) {
  return mapped.device == file.st_dev && mapped.inode == file.st_ino &&
         mapped.file_offset == range.file_offset && mapped.end - mapped.begin >= range.length;
}

char* find_copy(const std::vector<Mapped>& mappings, const std::vector<FileRange>& ranges,
                const std::string& file) {
  char* base = nullptr;
  for (const FileRange& range : ranges) {
    const struct stat status = status_of(range.fd, file);
    const auto found = std::find_if(mappings.begin(), mappings.end(), [&](const Mapped& mapped) {
      return holds(mapped, range, status);
    });
    if (found == mappings.end())
      throw_error(ErrorKind::os, file, "libpmemobj's mapping of a replica is not to be found",
                  EOPNOTSUPP);
    char* const begin = reinterpret_cast<char*>(found->begin);
    if (base == nullptr) base = begin;
    if (begin != base + range.pool_offset)
      throw_error(ErrorKind::os, file, "libpmemobj has mapped a replica in pieces", EOPNOTSUPP);
    if (::madvise(begin, found->end - found->begin, MADV_DONTFORK) != 0)
      throw_os(file, "cannot keep a replica from forked children", errno);
  }
  return base;
}

void copy_differing_pages(char* to, const char* from, uint64_t size, backend::Backend& medium) {
  // Not the first page: each replica has a header of its own.
  for (uint64_t page = pmdk::kPage; page < size; page += pmdk::kPage) {
    if (std::memcmp(to + page, from + page, pmdk::kPage) == 0) continue;
    std::memcpy(to + page, from + page, pmdk::kPage);
    medium.flush(to + page, pmdk::kPage);
  }
  medium.drain();
}

}  // namespace

bool copies_may_differ(const SetFiles& files) {
  for (size_t r = 0; r < files.replicas(); ++r) {
    const FileRange& first = files.ranges(r).front();
    if (!closed_cleanly(read_part_header(first.fd, "replica"))) return true;
  }
  return false;
}

void make_copies_equal(const SetFiles& files, backend::Backend& medium, const std::string& file) {
  const bool durable = medium.kind() == backend::Kind::dax;
  const auto lost = std::make_shared<BusGuard::Flag>(false);
  const SharedMapping master(files.pieces(0, 0, files.size()), durable, file, lost);
  for (size_t r = 1; r < files.replicas(); ++r) {
    const SharedMapping copy(files.pieces(r, 0, files.size()), durable, file, lost);
    copy_differing_pages(copy.data(), master.data(), files.size(), medium);
  }
}

std::vector<char*> find_copies(const SetFiles& files, const std::string& file) {
  const std::vector<Mapped> mappings = shared_mappings();
  std::vector<char*> result;
  for (size_t r = 1; r < files.replicas(); ++r)
    result.push_back(find_copy(mappings, files.ranges(r), file));
  return result;
}

}  // namespace nvm::heap
