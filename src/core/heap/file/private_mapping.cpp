#include "heap/file/private_mapping.h"

#include <sys/mman.h>

#include <cerrno>

#include "heap/file/posix_file.h"

namespace nvm::heap {

PrivateMapping::PrivateMapping(int fd, uint64_t size, const std::string& file) : size_(size) {
  if (size == 0) throw_error(ErrorKind::corrupt, file, "the file is empty", EUCLEAN);
  void* base = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
  if (base == MAP_FAILED) throw_os(file, "cannot map the file", errno);
  base_ = static_cast<char*>(base);
}

void PrivateMapping::reset() noexcept {
  if (base_ != nullptr) ::munmap(base_, size_);
  base_ = nullptr;
}

bool overlay_privately(void* base, uint64_t size, int fd) noexcept {
  const int kind = fd < 0 ? MAP_ANONYMOUS : 0;
  return ::mmap(base, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE | kind,
                fd, 0) != MAP_FAILED;
}

}  // namespace nvm::heap
