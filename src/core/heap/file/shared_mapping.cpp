#include "heap/file/shared_mapping.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

namespace nvm::heap {

namespace {

constexpr int kAccess = PROT_READ | PROT_WRITE;

void* map_pages(int fd, uint64_t position, uint64_t length, bool durable) noexcept {
  const auto offset = static_cast<off_t>(position);
  if (durable) {
    void* const pages =
        ::mmap(nullptr, length, kAccess, MAP_SHARED_VALIDATE | MAP_SYNC, fd, offset);
    if (pages != MAP_FAILED || (errno != EOPNOTSUPP && errno != EINVAL)) return pages;
  }
  return ::mmap(nullptr, length, kAccess, MAP_SHARED, fd, offset);
}

}  // namespace

SharedMapping::SharedMapping(Fd file, uint64_t begin, uint64_t size, bool durable,
                             const std::string& name)
    : file_(std::move(file)) {
  const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  skipped_ = begin % page;
  position_ = begin - skipped_;
  length_ = skipped_ + size;
  void* const pages = file_ ? map_pages(file_.get(), position_, length_, durable) : MAP_FAILED;
  if (pages == MAP_FAILED)
    throw_error(ErrorKind::buffer, name, "the bytes cannot be mapped", errno);
  pages_ = static_cast<char*>(pages);
}

SharedMapping::~SharedMapping() {
  if (pages_ != nullptr) ::munmap(pages_, length_);
}

SharedMapping::SharedMapping(SharedMapping&& other) noexcept { swap(other); }

SharedMapping& SharedMapping::operator=(SharedMapping&& other) noexcept {
  swap(other);
  return *this;
}

void SharedMapping::swap(SharedMapping& other) noexcept {
  std::swap(file_, other.file_);
  std::swap(pages_, other.pages_);
  std::swap(length_, other.length_);
  std::swap(position_, other.position_);
  std::swap(skipped_, other.skipped_);
}

void SharedMapping::detach() noexcept {
  if (!attached()) return;
  constexpr int flags = MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE;
  const auto offset = static_cast<off_t>(position_);
  if (::mmap(pages_, length_, kAccess, flags, file_.get(), offset) == MAP_FAILED)
    static_cast<void>(::mmap(pages_, length_, kAccess, flags | MAP_ANONYMOUS, -1, 0));
  file_.reset();
}

}  // namespace nvm::heap
