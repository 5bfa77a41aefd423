// A file looked at through a window: so much of it is in memory at a time, however long it is.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>

#include "backend/journal/disk_file.h"

namespace nvm::backend::journal {

class Window {
 public:
  Window(DiskFile& file, uint64_t size)
      : file_(file), size_(size), bytes_(std::make_unique_for_overwrite<char[]>(size)) {}

  // The next `length` bytes of the file from there on, or as many as the window has room for. Until
  // the next call. Throws Error(os).
  std::span<const char> at(uint64_t offset, uint64_t length) {
    length = std::min(length, size_);
    if (offset < begin_ || offset + length > end_) {
      end_ = begin_ = offset;  // nothing, should the read fail
      file_.read(bytes_.get(), size_, offset);
      end_ = offset + size_;
    }
    return {bytes_.get() + (offset - begin_), length};
  }

 private:
  DiskFile& file_;
  uint64_t size_;
  std::unique_ptr<char[]> bytes_;
  uint64_t begin_ = 0;  // what of the file is in there
  uint64_t end_ = 0;
};

}  // namespace nvm::backend::journal
