// A file that does what another one does: the base of those that tests wrap it in.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "backend/journal/disk_file.h"

namespace nvm::backend {

class ForwardingFile : public DiskFile {
 public:
  explicit ForwardingFile(std::unique_ptr<DiskFile> file) : file_(std::move(file)) {}

  const std::string& path() const noexcept override { return file_->path(); }
  uint64_t size() override { return file_->size(); }
  uint64_t used() override { return file_->used(); }
  void read(void* buffer, size_t length, uint64_t offset) override {
    file_->read(buffer, length, offset);
  }
  void write(const void* data, size_t length, uint64_t offset) override {
    file_->write(data, length, offset);
  }
  void begin_sync(uint64_t offset, size_t length) noexcept override {
    file_->begin_sync(offset, length);
  }
  void sync() override { file_->sync(); }
  void allocate(uint64_t begin, uint64_t length) override { file_->allocate(begin, length); }
  void punch(uint64_t begin, uint64_t length) override { file_->punch(begin, length); }
  void truncate(uint64_t size) override { file_->truncate(size); }

 private:
  const std::unique_ptr<DiskFile> file_;
};

}  // namespace nvm::backend
