// Which parts of the pool's file have blocks on the medium: given before they are needed, and taken
// back where the heap is free.
//
// Known by granules, of one chunk of the heap each and in line with them. A granule that is free is
// punched out in two steps: it is offered at a cut, and punched after that cut is on stable
// storage, if nothing has been stored there meanwhile. Then it is free in every state that a cut of
// power can leave, and its content means nothing in any of them.
//
// Not thread-safe: used by the owner of the pool.
#pragma once

#include <cstdint>
#include <vector>

#include "backend/journal/disk_file.h"

namespace nvm::backend::journal {

class Space {
 public:
  static constexpr uint64_t kGranule = uint64_t{256} << 10;

  // A granule begins at `origin`.
  Space(DiskFile& file, uint64_t origin) : file_(file), origin_(origin % kGranule) {}

  // Of the file, before anything else.
  void set_size(uint64_t size);

  // Gives the granule at `offset` its blocks: the disk cannot be full when it is written. Throws
  // Error(os).
  void back(uint64_t offset);

  // The same for the page only, where there is no room for all of it.
  void back_page(uint64_t offset);

  // Whether it was free at the last offer, with nothing stored there since but what a commit that
  // is not settled has occupied it for.
  bool is_free(uint64_t offset) const noexcept {
    const State state = states_[number_of(offset)];
    return state == State::offered || state == State::hole || state == State::occupied;
  }

  // Gives all free granules that [begin, end) touches their blocks, for content of the commit that
  // is being made. Throws Error(os).
  void occupy(uint64_t begin, uint64_t end);
  // The commit takes back what it has stored in [begin, end): granules that lie there are as they
  // were, but have their blocks.
  void vacate(uint64_t begin, uint64_t end) noexcept;
  // The commit is made.
  void settle() noexcept;

  // Throws Error(os) if the file has been cut short: a write would make it long again, with zeros
  // in between that nobody could tell from content.
  void check_size() const;

  // Of a free block. True if there is something to punch out: blocks that hold no whole granule are
  // left alone.
  bool offer(uint64_t begin, uint64_t end);
  // Punches out what lies in [begin, end) but its first page, where libpmemobj keeps what it needs
  // to find the block. False if there is nothing. Throws Error(os).
  bool punch(uint64_t begin, uint64_t end);

  // Where the content of a free block begins to mean nothing.
  static uint64_t inside(uint64_t begin) noexcept;

 private:
  enum class State : uint8_t { unknown, backed, offered, hole, occupied };

  using States = std::vector<State>;
  // The granules that a block touches, and those that lie in it.
  struct Parts {
    States::iterator first, last, first_whole, last_whole;
  };
  Parts parts_of(uint64_t begin, uint64_t end);
  uint64_t number_of(uint64_t offset) const noexcept {
    return (offset + kGranule - origin_) / kGranule;
  }
  void allocate(uint64_t number);

  DiskFile& file_;
  uint64_t origin_;
  uint64_t size_ = 0;
  States states_;
  std::vector<uint64_t> occupied_;  // numbers: of those that are, or were since settle()
};

}  // namespace nvm::backend::journal
