// Threads that have what they waited for come back one after the other: each, once it is back,
// calls the next. All at once they would only wait again, for the interpreter's lock: with 32
// threads that commit, that takes twice the time of everything else.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

namespace nvm::backend {

// A thread that sleeps until it is called. Whoever calls touches nothing of it afterwards but its
// address, and so needs no lock, which the one that wakes would find taken.
class Sleeper {
 public:
  void sleep() noexcept;
  void call() noexcept;

 private:
  friend class Turns;

  std::atomic<uint32_t> is_called_{0};
  Sleeper* next_ = nullptr;
};

// Thread-safe.
class Turns {
 public:
  // In the order in which they shall come. REQUIRES: next() is called afterwards.
  void add(Sleeper& sleeper) noexcept;
  // Calls the next one, if there is one. REQUIRES: who is called does so too, before it waits for
  // anything but a lock.
  void next() noexcept;
  // In a forked child: there is nobody left.
  void abandon() noexcept { first_.store(nullptr); }

 private:
  Sleeper* take() noexcept;

  std::mutex mutex_;
  std::atomic<Sleeper*> first_{nullptr};  // changes under the mutex
  Sleeper* last_ = nullptr;
};

// Calls the next one at its end. Null: nobody takes turns.
class Turn {
 public:
  explicit Turn(Turns* turns) noexcept : turns_(turns) {}
  ~Turn() {
    if (turns_ != nullptr) turns_->next();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Turns* const turns_;
};

}  // namespace nvm::backend
