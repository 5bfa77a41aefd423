// What a journal is replayed into: the pool's file, or a private mapping of it.
#pragma once

#include <cstdint>
#include <memory>

#include "backend/journal/disk_file.h"

namespace nvm::backend::journal {

class Target {
 public:
  static constexpr uint64_t kMost = uint64_t{1} << 20;  // bytes that are changed at a time

  virtual ~Target() = default;
  // The bytes of the pool from there on, to be changed; if `whole`, as all of them will be, they
  // may be any. REQUIRES: length <= kMost.
  virtual char* take(uint64_t offset, uint64_t length, bool whole) = 0;
  // They have been changed.
  virtual void give_back() = 0;
};

// Writes in one go what was taken at once. Throws Error(os).
class FileTarget final : public Target {
 public:
  explicit FileTarget(DiskFile& file)
      : file_(file), bytes_(std::make_unique_for_overwrite<char[]>(kMost)) {}

  char* take(uint64_t offset, uint64_t length, bool whole) override {
    offset_ = offset;
    length_ = length;
    if (!whole) file_.read(bytes_.get(), length, offset);
    return bytes_.get();
  }
  void give_back() override { file_.write(bytes_.get(), length_, offset_); }

 private:
  DiskFile& file_;
  std::unique_ptr<char[]> bytes_;
  uint64_t offset_ = 0;
  uint64_t length_ = 0;
};

class MappedTarget final : public Target {
 public:
  explicit MappedTarget(char* base) : base_(base) {}

  char* take(uint64_t offset, uint64_t, bool) override { return base_ + offset; }
  void give_back() override {}

 private:
  char* base_;
};

}  // namespace nvm::backend::journal
