#include "heap/file/shared_mapping.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

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

// Lays private memory over `place` that holds what is there; zeros, where there is too much of it
// or no memory.
void keep_content(char* place, uint64_t length) noexcept {
  constexpr int plain = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  if (length <= SharedMapping::kMostKept) {
    void* const copy = ::mmap(nullptr, length, kAccess, plain, -1, 0);
    if (copy != MAP_FAILED) {
      std::memcpy(copy, place, length);
      if (::mmap(place, length, kAccess, plain | MAP_FIXED, -1, 0) != MAP_FAILED)
        std::memcpy(place, copy, length);
      ::munmap(copy, length);
      return;
    }
  }
  static_cast<void>(::mmap(place, length, kAccess, plain | MAP_FIXED, -1, 0));
}

}  // namespace

SharedMapping::SharedMapping(std::vector<FilePiece> pieces, bool durable, const std::string& name,
                             std::shared_ptr<BusGuard::Flag> lost,
                             std::shared_ptr<const void> lease)
    : pieces_(std::move(pieces)),
      durable_(durable),
      lost_(std::move(lost)),
      name_(name),
      lease_(std::move(lease)) {
  const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  FilePiece& first = pieces_.front();
  skipped_ = first.begin % page;
  first.begin -= skipped_;
  first.size += skipped_;
  for (const FilePiece& piece : pieces_) length_ += piece.size;
  void* const place =
      ::mmap(nullptr, length_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (place == MAP_FAILED) refuse(name_, errno);
  pages_ = static_cast<char*>(place);
  if (!map_pieces(pages_)) {
    const int error = errno;
    ::munmap(pages_, length_);
    refuse(name_, error);
  }
  guard_ = BusGuard(pages_, length_, lost_);
}

SharedMapping::~SharedMapping() {
  release_mirror();
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
  std::swap(durable_, other.durable_);
  std::swap(pages_, other.pages_);
  std::swap(mirror_, other.mirror_);
  std::swap(length_, other.length_);
  std::swap(lost_, other.lost_);
  std::swap(guard_, other.guard_);
  std::swap(mirror_guard_, other.mirror_guard_);
  std::swap(lease_, other.lease_);
  std::swap(skipped_, other.skipped_);
  std::swap(name_, other.name_);
}

bool SharedMapping::map_pieces(char* place) const noexcept {
  for (const FilePiece& piece : pieces_) {
    if (!piece.file || !map_piece(place, piece, durable_)) return false;
    place += piece.size;
  }
  return true;
}

void SharedMapping::detach() noexcept {
  detach(pages_);
  if (mirror_ != nullptr) detach(mirror_);
  pieces_.clear();
}

void SharedMapping::detach(char* place) noexcept {
  constexpr int flags = MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE;
  for (const FilePiece& piece : pieces_) {
    if (::mmap(place, piece.size, kAccess, flags, piece.file.get(),
               static_cast<off_t>(piece.begin)) == MAP_FAILED)
      static_cast<void>(::mmap(place, piece.size, kAccess, flags | MAP_ANONYMOUS, -1, 0));
    place += piece.size;
  }
}

void SharedMapping::mirror(char* pages) {
  if (!map_pieces(pages)) {
    const int error = errno;
    keep_content(pages, length_);
    refuse(name_, error);
  }
  mirror_ = pages;
  mirror_guard_ = BusGuard(mirror_, length_, lost_);
}

void SharedMapping::release_mirror() noexcept {
  if (mirror_ == nullptr) return;
  keep_content(mirror_, length_);
  mirror_guard_.reset();
  mirror_ = nullptr;
}

}  // namespace nvm::heap
