// What becomes of a load or a store in a mapped file that the kernel cannot serve: the file has
// been cut short by another program, or its medium fails. It would end the process by SIGBUS. In a
// guarded mapping a page of zeros is laid there instead, the load or store goes on, and the mapping
// is known to be lost from then on.
//
// Why that is safe
//   Everything that is read from a pool is checked before it is used, so zeros do no more harm than
//   any other damage. Each operation asks lost() before it returns, and nothing is recorded or
//   committed that was made of zeros (Pool::check_whole, Journal). The file does not get the zeros:
//   the page is private.
//
// The handler is the process's, set when the first mapping is guarded; signals that are not about
// a guarded mapping go to the handler that was there before. Where another handler is set later,
// that one counts, unless it hands on what it does not know. faulthandler does, after a report.
//
// Threads: any. The handler looks through a table without a lock, and makes one system call.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

namespace nvm::heap {

// What a loss is, for an error that names the file.
inline constexpr std::string_view kLostFile =
    "part of the file cannot be reached any more: another program has cut it short, its medium "
    "fails, or the memory of its tmpfs has run out";

class BusGuard {
 public:
  using Flag = std::atomic<bool>;

  BusGuard() = default;
  // Guards [base, base + size) and sets `lost` when a page of it is. The 1025th mapping at once
  // is not guarded.
  BusGuard(const void* base, uint64_t size, std::shared_ptr<Flag> lost);
  ~BusGuard() { reset(); }
  BusGuard(BusGuard&& other) noexcept
      : lost_(std::move(other.lost_)), slot_(std::exchange(other.slot_, kNoSlot)) {}
  BusGuard& operator=(BusGuard&& other) noexcept {
    std::swap(lost_, other.lost_);
    std::swap(slot_, other.slot_);
    return *this;
  }

  // REQUIRES: before the mapping ends.
  void reset() noexcept;

 private:
  static constexpr size_t kNoSlot = SIZE_MAX;

  std::shared_ptr<Flag> lost_;
  size_t slot_ = kNoSlot;
};

}  // namespace nvm::heap
