// A pool's bytes mapped privately: they can be read and written, and the files never change.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace nvm::heap {

// Bytes of a file and where they are in the pool.
struct FileRange {
  int fd = -1;
  uint64_t file_offset = 0;
  uint64_t pool_offset = 0;
  uint64_t length = 0;
};

class PrivateMapping {
 public:
  PrivateMapping() = default;
  // Throws Error(os), Error(corrupt) for an empty file. REQUIRES: the file has at least `size`
  // bytes and does not shrink meanwhile.
  PrivateMapping(int fd, uint64_t size, const std::string& file)
      : PrivateMapping({{fd, 0, 0, size}}, size, file) {}
  // The first `size` bytes of what the ranges make, one after the other, all of whole pages.
  PrivateMapping(const std::vector<FileRange>& ranges, uint64_t size, const std::string& file);
  ~PrivateMapping() { reset(); }
  PrivateMapping(PrivateMapping&& other) noexcept
      : base_(std::exchange(other.base_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  PrivateMapping& operator=(PrivateMapping&& other) noexcept {
    std::swap(base_, other.base_);
    std::swap(size_, other.size_);
    return *this;
  }

  char* base() const noexcept { return base_; }
  uint64_t size() const noexcept { return size_; }
  void reset() noexcept;

 private:
  char* base_ = nullptr;
  uint64_t size_ = 0;
};

// Lays private pages of the file over [base, base + size), which is mapped already; pages that
// have no file behind them (or if fd is -1) are zeros. Safe in a forked child.
bool overlay_privately(void* base, uint64_t size, int fd, uint64_t file_offset = 0) noexcept;

}  // namespace nvm::heap
