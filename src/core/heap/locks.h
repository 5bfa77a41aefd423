// The two levels of locking of a pool.
//
// Ownership is held from the begin of a transaction to its end, or for one mutating operation, or
// shared by those inside reading(). The user's code runs under it. Waiting for it is done in short
// slices between which WaitHook runs (the bindings let the interpreter's lock go and look for
// signals), so that nobody hangs uninterruptibly.
//
// The latch protects the few hundred nanoseconds of one operation. A reader marks its own
// cache-line slot and checks the writer's flag; a writer, who owns the pool already, raises the
// flag and waits for the slots to empty. No code of the user runs under it, and nobody waits for
// anything else while holding it.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace nvm::heap {

// Called around each slice of a wait, without any lock held, all of them or none. `check`, after
// it, may throw to end the wait.
struct WaitHook {
  void* (*before)() = nullptr;
  void (*after)(void*) noexcept = nullptr;
  void (*check)() = nullptr;
};
void set_wait_hook(WaitHook hook) noexcept;
WaitHook wait_hook() noexcept;

// The place of the calling thread among a latch's readers, + 1; 0 before it was asked for.
extern constinit thread_local uint32_t known_slot;

class Latch {
 public:
  void lock_shared() noexcept {
    const size_t slot = my_slot();
    if (used_slots_.load() <= slot) [[unlikely]]
      use_slot(slot);
    slots_[slot].readers.fetch_add(1);
    if (writer_.load() != 0) [[unlikely]]
      wait_for_writer(slot);
  }
  void unlock_shared() noexcept {
    slots_[my_slot()].readers.fetch_sub(1, std::memory_order_release);
  }
  void lock() noexcept;  // REQUIRES: the caller owns the pool, so that there is one writer
  void unlock() noexcept;
  // How often it was locked. What was read under the shared latch, with this number, stands
  // unchanged as long as this is so.
  uint64_t times_locked() const noexcept { return times_locked_.load(std::memory_order_acquire); }
  // For those who read it themselves (capi/front.h).
  const std::atomic<uint64_t>& times_locked_word() const noexcept { return times_locked_; }

 private:
  struct alignas(64) Slot {
    std::atomic<uint32_t> readers{0};
  };
  static constexpr size_t kSlots = 32;
  static size_t my_slot() noexcept {
    const uint32_t slot = known_slot;
    return (slot != 0 ? slot : new_slot()) - 1;
  }
  static uint32_t new_slot() noexcept;
  void use_slot(size_t slot) noexcept;
  void wait_for_writer(size_t slot) noexcept;

  alignas(64) std::atomic<uint32_t> writer_{0};
  std::atomic<uint64_t> times_locked_{0};
  std::array<Slot, kSlots> slots_;
  alignas(64) std::atomic<size_t> used_slots_{0};
};

// A thread's identity that outlives it: tells whether it is still running.
struct ThreadRecord {
  std::atomic<bool> alive{true};
  uint64_t id = 0;
};
const std::shared_ptr<ThreadRecord>& this_thread();

// The id of the calling thread: never 0, never another's.
extern constinit thread_local uint64_t known_thread_id;  // 0 before it was asked for
inline uint64_t thread_id() {
  const uint64_t id = known_thread_id;
  return id != 0 ? id : this_thread()->id;
}

// Who waits is served in turn, but a newcomer may go ahead of those who have not waited long:
// handing over costs a switch of threads, and starving nobody is enough.
class Ownership {
 public:
  explicit Ownership(std::string name) : name_(std::move(name)) {}

  // Takes exclusive ownership, once more if this thread has it. Waits at most `timeout` seconds
  // (negative: for ever). Throws Error(timeout), Error(transaction) if the wait would close a cycle
  // or if this thread only reads, or what the wait hook throws. Returns true if the former owner
  // died with a transaction open: the caller must abort it.
  bool acquire(double timeout);
  // acquire() where that is possible at once; false, and nothing is taken, if it would wait, throw
  // or find a dead owner. For callers that cannot run the wait hook.
  bool try_acquire();
  void release() noexcept;
  // Shares ownership with other readers, once more if this thread does already. Returns true, and
  // shares nothing, if the owner died: the caller must acquire() and abort first.
  bool acquire_shared(double timeout);
  void release_shared() noexcept;

  bool mine() const { return owner_id_.load(std::memory_order_relaxed) == thread_id(); }
  bool shared_mine() const noexcept;
  // The id of the thread that is inside a transaction, 0 if none; read by readers under the latch.
  std::atomic<uint64_t> transaction_thread{0};
  // The ids of the living threads that own or share the pool.
  std::vector<uint64_t> holders() const;
  // After fork, in the child: as new, owned by nobody.
  void reset_after_fork() noexcept;

 private:
  struct Reader {
    std::shared_ptr<ThreadRecord> thread;
    uint64_t depth;
  };

  using Clock = std::chrono::steady_clock;
  using Lock = std::unique_lock<std::mutex>;
  struct Waiter {
    std::condition_variable called;
    const Clock::time_point since = Clock::now();
  };

  template <class Take, class GiveBack>
  void wait(Lock lock, Take take, GiveBack give_back, double timeout);
  template <class Take, class GiveBack>
  bool wait_slice(Lock& lock, Waiter& self, Take take, GiveBack give_back);
  bool may_go_ahead() const;
  void call_first() noexcept;
  void leave_queue(const Waiter& waiter);
  void drop_dead_readers();
  bool is_owned() const { return owner_id_.load(std::memory_order_relaxed) != 0; }
  bool owner_lives() const { return is_owned() && owner_->alive.load(); }
  void set_owner(const std::shared_ptr<ThreadRecord>& thread);

  std::string name_;
  mutable std::mutex mutex_;
  std::shared_ptr<ThreadRecord> owner_;  // the last one
  std::atomic<uint64_t> owner_id_{0};    // its id as long as it owns the pool; else 0
  uint64_t depth_ = 0;                   // the owner's alone
  std::vector<Reader> readers_;
  std::deque<Waiter*> queue_;  // oldest first
  bool abandoned_ = false;     // in a forked child
};

}  // namespace nvm::heap
