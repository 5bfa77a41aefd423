// Group commit: of the threads that wait for their records one leads, which writes and syncs what
// all of them have cut, while the next records are being cut.
#include <algorithm>
#include <chrono>
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

// Writes records, after the new blocks that they are about, and syncs if that was promised. Returns
// why it failed. REQUIRES: writing_, and the mutex is not held.
std::optional<Error> Journal::write_out(const std::vector<Write>& writes, bool sync_pool,
                                        Promise promise) noexcept {
  try {
    if (sync_pool && holds(Rule::new_blocks_are_synced_before_their_record)) pool_->sync();
    DiskFile& disk = journal_->disk();
    for (const Write& write : writes)
      disk.write(write.bytes.data(), write.bytes.size(), write.offset);
    if (promise == Promise::durable && holds(Rule::records_are_synced)) disk.sync();
    return std::nullopt;
  } catch (const Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    return no_memory_;
  }
}

// Writes what is pending, for all who wait for it. Called and left with the mutex held, which it
// lets go meanwhile.
void Journal::lead(Lock& lock, Promise promise) {
  if (promise == Promise::durable) gather(lock);
  const auto begun = Clock::now();
  const std::vector<Write> writes = std::exchange(pending_, {});
  const uint64_t target = cut_;
  const bool sync_pool = std::exchange(pool_unsynced_, false);
  writing_ = true;
  lock.unlock();
  const std::optional<Error> error = write_out(writes, sync_pool, promise);
  lock.lock();
  writing_ = false;
  if (error) return fail(*error);
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
