#include "heap/file/shared_mapping.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

namespace nvm::heap {

namespace {

constexpr int kAccess = PROT_READ | PROT_WRITE;

bool map_piece(void* place, const FilePiece& piece, bool durable) noexcept {
  const int fd = piece.file.get();
  const auto offset = static_cast<off_t>(piece.begin);
  if (durable) {
    if (::mmap(place, piece.size, kAccess, MAP_SHARED_VALIDATE | MAP_SYNC | MAP_FIXED, fd,
               offset) != MAP_FAILED)
      return true;
    if (errno != EOPNOTSUPP && errno != EINVAL) return false;
  }
  return ::mmap(place, piece.size, kAccess, MAP_SHARED | MAP_FIXED, fd, offset) != MAP_FAILED;
}

[[noreturn]] void refuse(const std::string& name, int error) {
  throw_error(ErrorKind::buffer, name, "the bytes cannot be mapped", error);
}

}  // namespace

SharedMapping::SharedMapping(std::vector<FilePiece> pieces, bool durable, const std::string& name,
                             std::shared_ptr<BusGuard::Flag> lost,
                             std::shared_ptr<const void> lease)
    : lease_(std::move(lease)) {
  const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  FilePiece& first = pieces.front();
  skipped_ = first.begin % page;
  first.begin -= skipped_;
  first.size += skipped_;
  for (const FilePiece& piece : pieces) length_ += piece.size;
  void* const place =
      ::mmap(nullptr, length_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (place == MAP_FAILED) refuse(name, errno);
  pages_ = static_cast<char*>(place);
  char* next = pages_;
  for (const FilePiece& piece : pieces) {
    if (!piece.file || !map_piece(next, piece, durable)) {
      const int error = errno;
      ::munmap(pages_, length_);
      refuse(name, error);
    }
    next += piece.size;
  }
  guard_ = BusGuard(pages_, length_, std::move(lost));
  pieces_ = std::move(pieces);
}

SharedMapping::~SharedMapping() {
  guard_.reset();
  if (pages_ != nullptr) ::munmap(pages_, length_);
}

SharedMapping::SharedMapping(SharedMapping&& other) noexcept { swap(other); }

SharedMapping& SharedMapping::operator=(SharedMapping&& other) noexcept {
  swap(other);
  return *this;
}

void SharedMapping::swap(SharedMapping& other) noexcept {
  std::swap(pieces_, other.pieces_);
  std::swap(pages_, other.pages_);
  std::swap(length_, other.length_);
  std::swap(guard_, other.guard_);
  std::swap(lease_, other.lease_);
  std::swap(skipped_, other.skipped_);
}

void SharedMapping::detach() noexcept {
  constexpr int flags = MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE;
  char* next = pages_;
  for (const FilePiece& piece : pieces_) {
    if (::mmap(next, piece.size, kAccess, flags, piece.file.get(),
               static_cast<off_t>(piece.begin)) == MAP_FAILED)
      static_cast<void>(::mmap(next, piece.size, kAccess, flags | MAP_ANONYMOUS, -1, 0));
    next += piece.size;
  }
  pieces_.clear();
}

}  // namespace nvm::heap
