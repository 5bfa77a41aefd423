#include "crash/reused_file.h"

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

namespace nvm::crash {
namespace {

constexpr uint64_t kPage = SparseFile::kPage;

void check(bool good, const char* what) {
  if (!good) throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

ReusedFile::ReusedFile(std::string path) : path_(std::move(path)), second_name_(path_ + ".reused") {
  fd_ = open(second_name_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  check(fd_ >= 0, "open");
}

ReusedFile::~ReusedFile() {
  if (mapping_ != nullptr) munmap(mapping_, mapped_);
  close(fd_);
  unlink(second_name_.c_str());
}

void ReusedFile::vanish() const { std::filesystem::remove(path_); }

void ReusedFile::become(const SparseFile& content) {
  vanish();
  resize(content.size());
  punch_holes(content);
  content.for_each_page([this](uint64_t offset, const char* bytes, uint64_t length) {
    if (std::memcmp(mapping_ + offset, bytes, length) != 0)
      std::memcpy(mapping_ + offset, bytes, length);
  });
  std::filesystem::create_hard_link(second_name_, path_);
}

void ReusedFile::resize(uint64_t size) {
  struct stat status {};
  check(fstat(fd_, &status) == 0, "fstat");
  if (static_cast<uint64_t>(status.st_size) != size)
    check(ftruncate(fd_, static_cast<off_t>(size)) == 0, "ftruncate");
  if (mapped_ == size) return;
  if (mapping_ != nullptr) munmap(mapping_, mapped_);
  mapping_ = nullptr;
  mapped_ = size;
  if (size == 0) return;
  void* mapping = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  check(mapping != MAP_FAILED, "mmap");
  mapping_ = static_cast<char*>(mapping);
}

// Where the content has pages of zeros, and the file has anything else.
void ReusedFile::punch_holes(const SparseFile& content) const {
  off_t end = 0;
  for (;;) {
    const off_t begin = lseek(fd_, end, SEEK_DATA);
    if (begin < 0) return;
    end = lseek(fd_, begin, SEEK_HOLE);
    content.for_each_hole(
        static_cast<uint64_t>(begin), static_cast<uint64_t>(end), [&](uint64_t from, uint64_t to) {
          check(fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(from),
                          static_cast<off_t>(to - from)) == 0,
                "fallocate");
        });
  }
}

}  // namespace nvm::crash
