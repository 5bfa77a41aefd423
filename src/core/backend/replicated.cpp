#include "backend/replicated.h"

#include <algorithm>
#include <utility>

namespace nvm::backend {
namespace {

// Volatile: the order of the stores is the point.
void copy_line(volatile uint64_t* destination, const volatile uint64_t* source) noexcept {
  for (const size_t word : kCopyOrder) destination[word] = source[word];
}

}  // namespace

Replicated::Replicated(Backend& medium, char* master, size_t size, std::vector<char*> copies)
    : medium_(medium), master_(master), size_(size), copies_(std::move(copies)) {}

void Replicated::flush(const void* address, size_t length) noexcept {
  medium_.flush(address, length);
  const size_t offset = static_cast<size_t>(static_cast<const char*>(address) - master_);
  if (offset >= size_ || length == 0) return;
  const size_t begin = offset / pmem::kCacheLine * pmem::kCacheLine;
  const size_t end = std::min(offset + length, size_);
  for (char* const copy : copies_) {
    for (size_t line = begin; line < end; line += pmem::kCacheLine) {
      copy_line(reinterpret_cast<volatile uint64_t*>(copy + line),
                reinterpret_cast<const volatile uint64_t*>(master_ + line));
    }
    medium_.flush(copy + begin, end - begin);
  }
}

}  // namespace nvm::backend
