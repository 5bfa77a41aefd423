// A file mapped privately: it can be read and written, and the file never changes.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

namespace nvm::heap {

class PrivateMapping {
 public:
  PrivateMapping() = default;
  // Throws Error(os), Error(corrupt) for an empty file. REQUIRES: the file has at least `size`
  // bytes and does not shrink meanwhile.
  PrivateMapping(int fd, uint64_t size, const std::string& file);
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
bool overlay_privately(void* base, uint64_t size, int fd) noexcept;

}  // namespace nvm::heap
