// Pages of a privately mapped pool that other mappings share: what a buffer on the journal backend
// is made of.
//
// A private mapping's pages can be in one place only. Those that are exported therefore move into
// anonymous shared memory (memfd), in which each has the offset that it has in the pool, and are
// mapped from there over the pool's mapping and wherever else they are wanted. They take memory as
// long as they are shared.
//
// Invariants
//   1. A page of the pool's mapping is mapped from the memory while somebody shares it, and until
//      settle() after that.
//   2. Moving a page there or back changes no byte of it.
//
// Threads: any; see each method.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "heap/file/posix_file.h"

namespace nvm::heap {

class SharedPages : public std::enable_shared_from_this<SharedPages> {
 public:
  // Of the pool mapped at `base`, whose file `pool` is.
  SharedPages(char* base, uint64_t size, const Fd& pool, std::string name);

  // The pages of some bytes, shared as long as this lives.
  class Lease {
   public:
    Lease(std::shared_ptr<SharedPages> pages, uint64_t first, uint64_t end)
        : pages_(std::move(pages)), first_(first), end_(end) {}
    ~Lease() { pages_->give_back(first_, end_); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

   private:
    std::shared_ptr<SharedPages> pages_;
    uint64_t first_;
    uint64_t end_;
  };

  // Shares the pages of [begin, begin + size). REQUIRES: nobody changes them meanwhile but through
  // a lease. Throws Error(buffer).
  std::shared_ptr<const void> take(uint64_t begin, uint64_t size);
  // The memory, under a descriptor of the caller's.
  Fd memory() const;
  // Whether a page of [begin, begin + size) is mapped from the memory.
  bool holds(uint64_t begin, uint64_t size);
  // Moves the pages that nobody shares any more back. REQUIRES: nobody uses the pool's mapping.
  void settle() noexcept;
  // The pool's mapping is gone.
  void detach() noexcept;
  // The same, in a forked child.
  void forked() noexcept;

 private:
  void make_memory();
  void share_new(uint64_t first, uint64_t end);
  void move_in(uint64_t first, uint64_t end);
  bool move_out(uint64_t first, uint64_t end) noexcept;
  void give_back(uint64_t first, uint64_t end) noexcept;

  char* base_;
  const uint64_t size_;
  const int pool_;  // lives as long as the mapping
  const std::string name_;
  Fd memory_;  // once something was shared
  std::mutex mutex_;
  std::unordered_map<uint64_t, uint32_t> leases_;  // of each page that is mapped from the memory
  bool idle_ = false;                              // some of them have none
};

}  // namespace nvm::heap
