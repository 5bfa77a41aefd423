// Some pages of a file mapped shared, apart from any other mapping of it: what is stored there is
// in the file, and in every other shared mapping, at once.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "heap/file/posix_file.h"

namespace nvm::heap {

class SharedMapping {
 public:
  SharedMapping() = default;
  // Of the bytes [begin, begin + size), which the file has. `durable`: flushed lines are to be on
  // the medium without a sync (MAP_SYNC), where the file system can. Throws Error(buffer).
  SharedMapping(Fd file, uint64_t begin, uint64_t size, bool durable, const std::string& name);
  ~SharedMapping();
  SharedMapping(SharedMapping&& other) noexcept;
  SharedMapping& operator=(SharedMapping&& other) noexcept;

  char* data() const noexcept { return pages_ + skipped_; }
  // False once detached, or if there is nothing mapped.
  bool attached() const noexcept { return static_cast<bool>(file_); }
  // Lays private pages over it: it stays in place, and the file does not see any more what is
  // stored there. A page shows the file's until it is stored to. Safe in a forked child.
  void detach() noexcept;

 private:
  void swap(SharedMapping& other) noexcept;

  Fd file_;
  char* pages_ = nullptr;
  uint64_t length_ = 0;    // of the pages
  uint64_t position_ = 0;  // of the pages, in the file
  uint64_t skipped_ = 0;   // bytes of the first page before the data
};

}  // namespace nvm::heap
