// Group commit: of the threads that wait for their records one leads, which writes and syncs what
// all of them have cut, while the next records are being cut.
#include <algorithm>
#include <chrono>
#include <functional>
#include <new>
#include <optional>

#include "backend/journal/journal.h"

namespace nvm::backend::journal {
namespace {

// How long a commit waits for a checkpoint to make room in memory. A transaction of another thread
// may keep that from happening.
constexpr auto kLongestHold = std::chrono::seconds(2);

constexpr auto kLongestGathering = std::chrono::milliseconds(1);

}  // namespace

// Lets nobody else write to the journal meanwhile. Called and left with the mutex held; `write`
// runs without it. False: it has failed, and so has the journal.
bool Journal::write_alone(Lock& lock, const std::function<void(DiskFile&)>& write) {
  writing_ = true;
  DiskFile& disk = journal_->disk();
  lock.unlock();
  std::optional<Error> error;
  try {
    write(disk);
  } catch (const Error& caught) {
    error.emplace(caught);
  } catch (const std::bad_alloc&) {
    error.emplace(no_memory_);
  }
  lock.lock();
  writing_ = false;
  if (error) fail(*error);
  return !error;
}

// Calls those who have what they wait for, or gives them their turns, and calls one of the others
// to lead. Returns how many the former were.
size_t Journal::call_waiters() noexcept {
  size_t served = 0;
  for (Waiter** place = &waiters_; *place != nullptr;) {
    Waiter& waiter = **place;
    if (failed_ || is_done(waiter.ticket, waiter.promise)) {
      *place = waiter.next;
      if (waiter.back == Back::in_turn) {
        turns_->add(waiter.sleeper);
      } else {
        waiter.sleeper.call();
      }
      ++served;
    } else {
      place = &waiter.next;
    }
  }
  waiting_ -= served;
  turns_->next();
  if (waiters_ != nullptr) {
    --waiting_;
    std::exchange(waiters_, waiters_->next)->sleeper.call();
  }
  return served;
}

// Whoever committed together the last time is about to do so again: waiting a little for them all
// is quicker than one more sync for the late ones.
void Journal::gather(Lock& lock) {
  if (together_ == 1) return;
  writing_ = true;
  gathered_.wait_for(lock, std::min<Clock::duration>(sync_time_ / 2, kLongestGathering),
                     [this] { return waiting_ + 1 >= together_; });
  writing_ = false;
}

// Waits until it is called, for one reason or another.
void Journal::follow(Lock& lock, Waiter& waiter) {
  waiter.next = std::exchange(waiters_, &waiter);
  if (++waiting_ + 1 >= together_) gathered_.notify_one();
  lock.unlock();
  waiter.sleeper.sleep();
  lock.lock();
}

// Writes what is pending, for all who wait for it, and syncs if that was promised.
void Journal::lead(Lock& lock, Promise promise) {
  if (promise == Promise::durable) gather(lock);
  const auto begun = Clock::now();
  const std::vector<Write> writes = std::exchange(pending_, {});
  const uint64_t target = cut_;
  const bool sync_pool = std::exchange(pool_unsynced_, false);
  const auto write_it = [&](DiskFile& disk) {
    if (sync_pool && holds(Rule::new_blocks_are_synced_before_their_record)) pool_->sync();
    for (const Write& write : writes)
      disk.write(write.bytes.data(), write.bytes.size(), write.offset);
    if (promise == Promise::durable && holds(Rule::records_are_synced)) disk.sync();
  };
  // What is pending is lost if this throws: nothing here allocates.
  if (!write_alone(lock, std::ref(write_it))) return;
  written_ = target;
  if (promise == Promise::durable) durable_ = target;
  const size_t called = call_waiters();
  if (promise != Promise::durable) return;
  together_ = called + 1;
  sync_time_ = Clock::now() - begun;
}

void Journal::wait(Ticket ticket, Promise promise, Back back) {
  if (ticket == 0) return;
  Lock lock(mutex_);
  Waiter self{.ticket = ticket, .promise = promise, .back = back, .sleeper = {}};
  while (!is_done(ticket, promise)) {
    check_not_failed(lock);
    if (writing_) {
      follow(lock, self);
    } else {
      lead(lock, promise);
    }
  }
  hold_back(lock);
}

// Whoever commits faster than checkpoints are written waits for them, and lets others come back.
void Journal::hold_back(Lock& lock) {
  const auto has_room = [this] {
    return failed_ || stop_ || (dirty_ <= limits_.most && !journal_->is_short());
  };
  if (has_room() || !thread_ || std::this_thread::get_id() == thread_->get_id()) return;
  turns_->next();
  changed_.wait_for(lock, kLongestHold, has_room);
}

}  // namespace nvm::backend::journal
