#include "heap/locks.h"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "pmem/error.h"

namespace nvm::heap {

namespace {

constexpr auto kSlice = std::chrono::milliseconds(20);
// How long others wait before no newcomer goes ahead of them.
constexpr auto kPatience = std::chrono::milliseconds(5);
constexpr int kSpins = 64;

WaitHook the_wait_hook;

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
    known_thread_id = record->id = next.fetch_add(1);
  }
  ~ThisThread() { record->alive.store(false); }
};

}  // namespace

void set_wait_hook(WaitHook hook) noexcept { the_wait_hook = hook; }

WaitHook wait_hook() noexcept { return the_wait_hook; }

constinit thread_local uint64_t known_thread_id = 0;

const std::shared_ptr<ThreadRecord>& this_thread() {
  thread_local ThisThread here;
  return here.record;
}

// ---- Latch

constinit thread_local uint32_t known_slot = 0;

uint32_t Latch::new_slot() noexcept {
  static std::atomic<uint32_t> next{0};
  known_slot = next.fetch_add(1) % kSlots + 1;
  return known_slot;
}

void Latch::use_slot(size_t slot) noexcept {
  size_t used = used_slots_.load();
  while (used <= slot && !used_slots_.compare_exchange_weak(used, slot + 1)) {
  }
}

void Latch::wait_for_writer(size_t slot) noexcept {
  Backoff backoff;
  do {
    slots_[slot].readers.fetch_sub(1);
    while (writer_.load(std::memory_order_relaxed) != 0) backoff.pause();
    slots_[slot].readers.fetch_add(1);
  } while (writer_.load() != 0);
}

void Latch::lock() noexcept {
  writer_.store(1);
  const size_t used = used_slots_.load();
  for (size_t i = 0; i < used; ++i) {
    Backoff backoff;
    while (slots_[i].readers.load() != 0) backoff.pause();
  }
  // Readers are gone and none has come yet: what they have read, they have read with the number
  // before.
  times_locked_.store(times_locked_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
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
  explicit Waiting(Ownership* target) : thread_(thread_id()) {
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
  if (owner_lives()) threads.push_back(owner_->id);
  for (const Reader& reader : readers_)
    if (reader.thread->alive.load()) threads.push_back(reader.thread->id);
  return threads;
}

bool Ownership::may_go_ahead() const {
  return queue_.empty() || Clock::now() - queue_.front()->since < kPatience;
}

// Only the first of them can take anything.
void Ownership::call_first() noexcept {
  if (!queue_.empty()) queue_.front()->called.notify_one();
}

void Ownership::leave_queue(const Waiter& waiter) {
  std::erase(queue_, &waiter);
  call_first();
}

// One slice of a wait. True: take() has taken what was waited for, at once when it could, since
// whoever waits for the interpreter's lock first would always come too late.
template <class Take, class GiveBack>
bool Ownership::wait_slice(Lock& lock, Waiter& self, Take take, GiveBack give_back) {
  lock.unlock();
  void* const state = the_wait_hook.before != nullptr ? the_wait_hook.before() : nullptr;
  lock.lock();
  const bool taken =
      self.called.wait_for(lock, kSlice, [&] { return queue_.front() == &self && take(); });
  if (taken) leave_queue(self);
  lock.unlock();
  try {
    if (the_wait_hook.after != nullptr) the_wait_hook.after(state);
    if (the_wait_hook.check != nullptr) the_wait_hook.check();
  } catch (...) {
    lock.lock();
    if (taken) give_back();
    call_first();
    throw;
  }
  lock.lock();
  return taken;
}

// Waits until take(), called under the mutex, returns true; give_back() undoes it. Nobody comes to
// the graph with the mutex held, as who looks through the graph takes the mutex of each owner.
template <class Take, class GiveBack>
void Ownership::wait(Lock lock, Take take, GiveBack give_back, double timeout) {
  if (may_go_ahead() && take()) return;
  lock.unlock();
  const Waiting waiting(this);
  Lock again(mutex_);
  Waiter self;
  queue_.push_back(&self);
  try {
    while (!wait_slice(again, self, take, give_back)) {
      const std::chrono::duration<double> waited = Clock::now() - self.since;
      if (timeout >= 0 && waited.count() >= timeout)
        throw Error(ErrorKind::timeout, "timed out waiting for another thread's transaction",
                    ETIMEDOUT, name_);
    }
  } catch (...) {
    leave_queue(self);
    throw;
  }
}

void Ownership::drop_dead_readers() {
  std::erase_if(readers_, [](const Reader& reader) { return !reader.thread->alive.load(); });
}

void Ownership::set_owner(const std::shared_ptr<ThreadRecord>& thread) {
  if (owner_ != thread) owner_ = thread;
  owner_id_.store(thread->id, std::memory_order_relaxed);
  depth_ = 1;
}

bool Ownership::acquire(double timeout) {
  if (mine()) {
    ++depth_;
    return false;
  }
  const std::shared_ptr<ThreadRecord>& me = this_thread();
  Lock lock(mutex_);
  for (const Reader& reader : readers_)
    if (reader.thread == me)
      throw Error(ErrorKind::transaction, "the pool cannot be changed inside reading()", 0, name_);
  std::shared_ptr<ThreadRecord> former;  // dead, if there is one
  wait(
      std::move(lock),
      [&] {
        drop_dead_readers();
        if (!readers_.empty() || owner_lives()) return false;
        if (is_owned()) former = owner_;
        set_owner(me);
        return true;
      },
      [&] {
        owner_id_.store(0, std::memory_order_relaxed);
        if (former) set_owner(former);
      },
      timeout);
  return former != nullptr;
}

bool Ownership::try_acquire() {
  if (mine()) {
    ++depth_;
    return true;
  }
  const std::lock_guard lock(mutex_);
  if (is_owned() || !readers_.empty() || !may_go_ahead()) return false;
  set_owner(this_thread());
  return true;
}

void Ownership::release() noexcept {
  if (--depth_ != 0 || abandoned_) return;
  const std::lock_guard lock(mutex_);
  owner_id_.store(0, std::memory_order_relaxed);
  call_first();
}

bool Ownership::acquire_shared(double timeout) {
  const std::shared_ptr<ThreadRecord>& me = this_thread();
  Lock lock(mutex_);
  for (Reader& reader : readers_) {
    if (reader.thread != me) continue;
    ++reader.depth;
    return false;
  }
  bool died = false;
  const auto take = [&] {
    if (!mine() && owner_lives()) return false;
    died = is_owned() && !mine();
    if (!died) readers_.push_back({me, 1});
    return true;
  };
  const auto give_back = [&] {
    if (!died) std::erase_if(readers_, [&me](const Reader& reader) { return reader.thread == me; });
  };
  if (mine()) {
    take();
  } else {
    wait(std::move(lock), take, give_back, timeout);
  }
  return died;
}

void Ownership::release_shared() noexcept {
  if (abandoned_) return;
  const std::lock_guard lock(mutex_);
  const auto me = std::find_if(readers_.begin(), readers_.end(),
                               [](const Reader& reader) { return reader.thread == this_thread(); });
  if (me == readers_.end() || --me->depth != 0) return;
  readers_.erase(me);
  call_first();
}

bool Ownership::shared_mine() const noexcept {
  if (known_thread_id == 0) return false;
  std::lock_guard lock(mutex_);
  return std::any_of(readers_.begin(), readers_.end(),
                     [](const Reader& reader) { return reader.thread == this_thread(); });
}

void Ownership::reset_after_fork() noexcept {
  // The mutex may have been held by a thread that does not exist here; nobody waits any more, and
  // a pool of the parent is never owned again in the child, so it is left alone.
  transaction_thread.store(0);
  abandoned_ = true;
}

}  // namespace nvm::heap
