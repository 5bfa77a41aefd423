// Some pages of a pool mapped shared, apart from any other mapping of them: what is stored there
// is in the files, and in every other shared mapping, at once.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "heap/file/bus_guard.h"
#include "heap/file/posix_file.h"

namespace nvm::heap {

// Bytes of a file that are mapped together with those of others.
struct FilePiece {
  Fd file;
  uint64_t begin = 0;
  uint64_t size = 0;
};

class SharedMapping {
 public:
  SharedMapping() = default;
  // Of the pieces' bytes one after the other, which the files have; all but the first begin, and
  // all but the last end, with a page. `durable`: flushed lines are to be on the medium without a
  // sync (MAP_SYNC), where the file system can. `lost` is for BusGuard; `lease` lives as long as
  // the mapping. Throws Error(buffer).
  SharedMapping(std::vector<FilePiece> pieces, bool durable, const std::string& name,
                std::shared_ptr<BusGuard::Flag> lost, std::shared_ptr<const void> lease = nullptr);
  ~SharedMapping();
  SharedMapping(SharedMapping&& other) noexcept;
  SharedMapping& operator=(SharedMapping&& other) noexcept;

  char* data() const noexcept { return pages_ + skipped_; }
  // False once detached, or if there is nothing mapped.
  bool attached() const noexcept { return !pieces_.empty(); }
  // Lays private pages over it: it stays in place, and the files do not see any more what is
  // stored there. A page shows the file's until it is stored to. Safe in a forked child.
  void detach() noexcept;

  // The same bytes at a second place: `pages`, where the page of the first of them is to begin, is
  // memory of the caller's of as many pages. He keeps it until release_mirror(). REQUIRES:
  // attached. Throws Error(buffer).
  void mirror(char* pages);
  // The memory is the caller's alone again. It holds what was there last; zeros, if that is more
  // than kMostKept bytes.
  void release_mirror() noexcept;
  // Where the data is at the second place; null if there is none.
  char* mirrored() const noexcept { return mirror_ == nullptr ? nullptr : mirror_ + skipped_; }
  // From the beginning of the first page to the end of the data.
  uint64_t length() const noexcept { return length_; }

  static constexpr uint64_t kMostKept = uint64_t{64} << 20;

 private:
  void swap(SharedMapping& other) noexcept;
  bool map_pieces(char* place) const noexcept;
  void detach(char* place) noexcept;

  std::vector<FilePiece> pieces_;  // of whole pages
  bool durable_ = false;
  char* pages_ = nullptr;
  char* mirror_ = nullptr;
  uint64_t length_ = 0;  // of the pages
  std::shared_ptr<BusGuard::Flag> lost_;
  BusGuard guard_;
  BusGuard mirror_guard_;
  std::string name_;
  std::shared_ptr<const void> lease_;
  uint64_t skipped_ = 0;  // bytes of the first page before the data
};

}  // namespace nvm::heap
