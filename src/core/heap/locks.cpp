#include "heap/locks.h"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <unordered_map>
#include <vector>

#include "pmem/error.h"

namespace nvm::heap {

namespace {

constexpr auto kSlice = std::chrono::milliseconds(20);
constexpr int kSpins = 64;

WaitHook wait_hook;

// Spins a little, then gives the processor away, then sleeps: the latch is held for well under a
// microsecond, but for operations that move large arrays.
class Backoff {
 public:
  void pause() noexcept {
    ++turns_;
    if (turns_ < kSpins) {
      __builtin_ia32_pause();
    } else if (turns_ < 2 * kSpins) {
      sched_yield();
    } else {
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  }

 private:
  int turns_ = 0;
};

struct ThisThread {
  std::shared_ptr<ThreadRecord> record = std::make_shared<ThreadRecord>();
  ThisThread() {
    static std::atomic<uint64_t> next{1};
    record->id = next.fetch_add(1);
  }
  ~ThisThread() { record->alive.store(false); }
};

}  // namespace

void set_wait_hook(WaitHook hook) noexcept { wait_hook = hook; }

const std::shared_ptr<ThreadRecord>& this_thread() {
  thread_local ThisThread here;
  return here.record;
}

// ---- Latch

size_t Latch::my_slot() noexcept {
  static std::atomic<size_t> next{0};
  thread_local const size_t slot = next.fetch_add(1) % kSlots;
  return slot;
}

void Latch::lock_shared() noexcept {
  const size_t slot = my_slot();
  size_t used = used_slots_.load();
  while (used <= slot && !used_slots_.compare_exchange_weak(used, slot + 1)) {
  }
  Backoff backoff;
  for (;;) {
    slots_[slot].readers.fetch_add(1);
    if (writer_.load() == 0) return;
    slots_[slot].readers.fetch_sub(1);
    while (writer_.load(std::memory_order_relaxed) != 0) backoff.pause();
  }
}

void Latch::unlock_shared() noexcept {
  slots_[my_slot()].readers.fetch_sub(1, std::memory_order_release);
}

void Latch::lock() noexcept {
  writer_.store(1);
  const size_t used = used_slots_.load();
  for (size_t i = 0; i < used; ++i) {
    Backoff backoff;
    while (slots_[i].readers.load() != 0) backoff.pause();
  }
}

void Latch::unlock() noexcept { writer_.store(0, std::memory_order_release); }

// ---- Who waits for whom, to see a wait that would never end before it begins

namespace {

struct WaitGraph {
  std::mutex mutex;
  std::unordered_map<uint64_t, Ownership*> waiting;  // thread -> what it waits for
};
WaitGraph& wait_graph() {
  static WaitGraph graph;
  return graph;
}

// Registers the wait of this thread for its lifetime.
class Waiting {
 public:
  explicit Waiting(Ownership* target) : thread_(this_thread()->id) {
    WaitGraph& graph = wait_graph();
    std::lock_guard lock(graph.mutex);
    if (closes_cycle(graph, target))
      throw Error(ErrorKind::transaction,
                  "deadlock: this thread would wait for a transaction whose thread waits for one "
                  "of this thread's own");
    graph.waiting[thread_] = target;
  }
  ~Waiting() {
    WaitGraph& graph = wait_graph();
    std::lock_guard lock(graph.mutex);
    graph.waiting.erase(thread_);
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

 private:
  bool closes_cycle(const WaitGraph& graph, Ownership* target) const {
    std::vector<Ownership*> open{target};
    std::vector<Ownership*> seen;
    while (!open.empty()) {
      Ownership* next = open.back();
      open.pop_back();
      if (std::find(seen.begin(), seen.end(), next) != seen.end()) continue;
      seen.push_back(next);
      for (const uint64_t holder : next->holders()) {
        if (holder == thread_) return true;
        const auto found = graph.waiting.find(holder);
        if (found != graph.waiting.end()) open.push_back(found->second);
      }
    }
    return false;
  }

  uint64_t thread_;
};

}  // namespace

// ---- Ownership

std::vector<uint64_t> Ownership::holders() const {
  std::lock_guard lock(mutex_);
  std::vector<uint64_t> threads;
  if (owner_ && owner_->alive.load()) threads.push_back(owner_->id);
  for (const Reader& reader : readers_)
    if (reader.thread->alive.load()) threads.push_back(reader.thread->id);
  return threads;
}

template <class Ready>
void Ownership::wait(std::unique_lock<std::mutex>& lock, Ready ready, double timeout) {
  if (ready()) return;
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  lock.unlock();
  const Waiting waiting(this);
  for (;;) {
    void* const state = wait_hook.before != nullptr ? wait_hook.before() : nullptr;
    lock.lock();
    changed_.wait_for(lock, kSlice, ready);
    lock.unlock();
    if (wait_hook.after != nullptr) wait_hook.after(state);
    lock.lock();
    if (ready()) return;
    if (timeout >= 0 && std::chrono::duration<double>(Clock::now() - start).count() >= timeout)
      throw Error(ErrorKind::timeout, "timed out waiting for another thread's transaction", ETIMEDOUT,
                  name_);
    lock.unlock();
  }
}

void Ownership::drop_dead_readers() {
  std::erase_if(readers_, [](const Reader& reader) { return !reader.thread->alive.load(); });
}

bool Ownership::acquire(double timeout) {
  const std::shared_ptr<ThreadRecord>& me = this_thread();
  std::unique_lock lock(mutex_);
  if (owner_ == me) {
    ++depth_;
    return false;
  }
  for (const Reader& reader : readers_)
    if (reader.thread == me)
      throw Error(ErrorKind::transaction, "the pool cannot be changed inside reading()", 0, name_);
  wait(
      lock,
      [this] {
        drop_dead_readers();
        return readers_.empty() && (!owner_ || !owner_->alive.load());
      },
      timeout);
  const bool died = owner_ != nullptr;
  owner_ = me;
  depth_ = 1;
  return died;
}

void Ownership::release() noexcept {
  {
    std::lock_guard lock(mutex_);
    if (--depth_ != 0) return;
    owner_.reset();
  }
  changed_.notify_all();
}

bool Ownership::acquire_shared(double timeout) {
  const std::shared_ptr<ThreadRecord>& me = this_thread();
  std::unique_lock lock(mutex_);
  if (owner_ != me)
    wait(lock, [this] { return !owner_ || !owner_->alive.load(); }, timeout);
  if (owner_ && owner_ != me) return true;
  for (Reader& reader : readers_) {
    if (reader.thread != me) continue;
    ++reader.depth;
    return false;
  }
  readers_.push_back({me, 1});
  return false;
}

void Ownership::release_shared() noexcept {
  {
    std::lock_guard lock(mutex_);
    const auto me = std::find_if(readers_.begin(), readers_.end(), [](const Reader& reader) {
      return reader.thread == this_thread();
    });
    if (me == readers_.end() || --me->depth != 0) return;
    readers_.erase(me);
  }
  changed_.notify_all();
}

bool Ownership::mine() const noexcept {
  std::lock_guard lock(mutex_);
  return owner_ == this_thread();
}

bool Ownership::shared_mine() const noexcept {
  std::lock_guard lock(mutex_);
  return std::any_of(readers_.begin(), readers_.end(),
                     [](const Reader& reader) { return reader.thread == this_thread(); });
}

bool Ownership::wait_for_transaction(double timeout) {
  const uint64_t me = this_thread()->id;
  std::unique_lock lock(mutex_);
  bool died = false;
  wait(
      lock,
      [this, me, &died] {
        const uint64_t thread = transaction_thread.load();
        died = thread != 0 && owner_ && !owner_->alive.load();
        return thread == 0 || thread == me || died;
      },
      timeout);
  return died;
}

void Ownership::reset_after_fork() noexcept {
  // The mutex may have been held by a thread that does not exist here; nobody waits any more, and
  // a pool of the parent is never owned again in the child, so it is left alone.
  transaction_thread.store(0);
}

}  // namespace nvm::heap
