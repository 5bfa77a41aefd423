#include "backend/turns.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace nvm::backend {
namespace {

void futex(std::atomic<uint32_t>& word, int operation, uint32_t value) noexcept {
  static_assert(sizeof word == sizeof value && std::atomic<uint32_t>::is_always_lock_free);
  ::syscall(SYS_futex, &word, operation, value, nullptr, nullptr, 0);
}

}  // namespace

void Sleeper::sleep() noexcept {
  while (is_called_.exchange(0, std::memory_order_acquire) == 0)
    futex(is_called_, FUTEX_WAIT_PRIVATE, 0);
}

// Another one may sleep at the address by now: it wakes, and sleeps on.
void Sleeper::call() noexcept {
  is_called_.store(1, std::memory_order_release);
  futex(is_called_, FUTEX_WAKE_PRIVATE, 1);
}

void Turns::add(Sleeper& sleeper) noexcept {
  const std::lock_guard lock(mutex_);
  sleeper.next_ = nullptr;
  if (first_.load() == nullptr) {
    first_.store(&sleeper);
  } else {
    last_->next_ = &sleeper;
  }
  last_ = &sleeper;
}

Sleeper* Turns::take() noexcept {
  const std::lock_guard lock(mutex_);
  Sleeper* const taken = first_.load();
  if (taken != nullptr) first_.store(taken->next_);
  return taken;
}

void Turns::next() noexcept {
  if (first_.load() == nullptr) return;
  if (Sleeper* const sleeper = take()) sleeper->call();
}

}  // namespace nvm::backend
