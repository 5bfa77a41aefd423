#include "heap/file/private_mapping.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

#include "backend/read_ahead.h"
#include "heap/file/posix_file.h"

namespace nvm::heap {
namespace {

constexpr int kPrivate = MAP_PRIVATE | MAP_NORESERVE;
constexpr int kReadWrite = PROT_READ | PROT_WRITE;

uint64_t used_by(const std::vector<FileRange>& ranges, const std::string& file) {
  uint64_t used = 0;
  for (const FileRange& range : ranges) {
    if (range.fd >= 0) used += allocated_bytes(status_of(range.fd, file));
  }
  return used;
}

}  // namespace

PrivateMapping::PrivateMapping(const std::vector<FileRange>& ranges, uint64_t size,
                               const std::string& file)
    : size_(size) {
  if (size == 0) throw_error(ErrorKind::corrupt, file, "the file is empty", EUCLEAN);
  const uint64_t used = used_by(ranges, file);
  void* base = ::mmap(nullptr, size, PROT_NONE, kPrivate | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) throw_os(file, "cannot map the file", errno);
  base_ = static_cast<char*>(base);
  for (const FileRange& range : ranges) {
    if (range.pool_offset >= size || range.length == 0) continue;
    const uint64_t length = std::min(range.length, size - range.pool_offset);
    if (::mmap(base_ + range.pool_offset, length, kReadWrite, kPrivate | MAP_FIXED, range.fd,
               static_cast<off_t>(range.file_offset)) != MAP_FAILED)
      continue;
    const int error = errno;
    reset();
    throw_os(file, "cannot map the file", error);
  }
  backend::limit_read_ahead(base_, size, used);
}

void PrivateMapping::reset() noexcept {
  if (base_ != nullptr) ::munmap(base_, size_);
  base_ = nullptr;
}

bool overlay_privately(void* base, uint64_t size, int fd, uint64_t file_offset) noexcept {
  const int kind = fd < 0 ? MAP_ANONYMOUS : 0;
  return ::mmap(base, size, kReadWrite, kPrivate | MAP_FIXED | kind, fd,
                static_cast<off_t>(file_offset)) != MAP_FAILED;
}

}  // namespace nvm::heap
