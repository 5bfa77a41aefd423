#include "crash/scratch.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "crash/sparse_file.h"

namespace nvm::crash {
namespace {

constexpr uint64_t kPage = 4096;

void check(bool good, const char* what) {
  if (!good) throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

Scratch::Scratch(const std::string& folder, std::vector<char> image)
    : folder_(folder + "/nvm-crash-XXXXXX"), image_(std::move(image)) {
  check(mkdtemp(folder_.data()) != nullptr, "mkdtemp");
  path_ = folder_ + "/pool";
  open_file();
  for (uint64_t offset = 0; offset < size(); offset += kPage) {
    const uint64_t length = std::min(kPage, size() - offset);
    if (!is_zero(at(offset), length)) try_out(offset, at(offset), length);
  }
}

Scratch::~Scratch() {
  if (mapping_ != nullptr) munmap(mapping_, mapped_);
  if (fd_ >= 0) close(fd_);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void Scratch::open_file() {
  fd_ = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
  check(fd_ >= 0, "open");
  set_file_size();
}

void Scratch::set_file_size() {
  if (mapping_ != nullptr) munmap(mapping_, mapped_);
  mapping_ = nullptr;
  mapped_ = size();
  check(ftruncate(fd_, static_cast<off_t>(mapped_)) == 0, "ftruncate");
  if (mapped_ == 0) return;
  void* mapping = mmap(nullptr, mapped_, PROT_READ, MAP_SHARED, fd_, 0);
  check(mapping != MAP_FAILED, "mmap");
  mapping_ = static_cast<char*>(mapping);
}

void Scratch::write(uint64_t offset, const char* bytes, uint64_t length) {
  std::memcpy(image_.data() + offset, bytes, length);
  try_out(offset, bytes, length);
}

void Scratch::resize(uint64_t size) {
  image_.resize(size);
  set_file_size();
}

void Scratch::try_out(uint64_t offset, const char* bytes, uint64_t length) {
  check(pwrite(fd_, bytes, length, static_cast<off_t>(offset)) == static_cast<ssize_t>(length),
        "pwrite");
}

void Scratch::restore() {
  struct stat status {};
  check(fstat(fd_, &status) == 0, "fstat");
  if (static_cast<uint64_t>(status.st_size) != size()) set_file_size();
  off_t end = 0;
  for (;;) {
    const off_t begin = lseek(fd_, end, SEEK_DATA);
    if (begin < 0) break;
    end = lseek(fd_, begin, SEEK_HOLE);
    restore_range(static_cast<uint64_t>(begin), std::min(static_cast<uint64_t>(end), size()));
  }
}

void Scratch::restore_range(uint64_t begin, uint64_t end) {
  for (uint64_t offset = begin; offset < end; offset += kPage) {
    const uint64_t length = std::min(kPage, end - offset);
    if (std::memcmp(mapping_ + offset, at(offset), length) != 0) {
      try_out(offset, at(offset), length);
    }
  }
}

}  // namespace nvm::crash
