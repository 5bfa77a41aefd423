// Group commit: of the threads that wait for their records one leads, which writes and syncs what
// all of them have cut, while the next records are being cut. Who needs its record written only
// waits for no sync: it writes what is pending itself, also while another one is being synced.
#include <algorithm>
#include <chrono>
#include <functional>
#include <new>

#include "backend/journal/journal.h"

namespace nvm::backend::journal {
namespace {

// How long a commit waits for a checkpoint to make room in memory. A transaction of another thread
// may keep that from happening.
constexpr auto kLongestHold = std::chrono::seconds(2);

constexpr auto kLongestGathering = std::chrono::milliseconds(1);

// Written within some 20 us.
constexpr size_t kFewBytes = size_t{64} << 10;

}  // namespace

// Calls those who have what they wait for, or gives them their turns, and calls one of those who
// wait for that kind of promise to lead. Returns how many of the former wanted a sync.
size_t Journal::call_waiters(Promise next) noexcept {
  const size_t waited = waiting_;
  bool takes_turns = false;
  Waiter** leader = nullptr;
  for (Waiter** place = &waiters_; *place != nullptr;) {
    Waiter& waiter = **place;
    if (!failed_ && !is_done(waiter.ticket, waiter.promise)) {
      if (leader == nullptr && waiter.promise == next) leader = place;
      place = &waiter.next;
      continue;
    }
    leave(place);
    if (waiter.back == Back::in_turn) {
      turns_->add(waiter.sleeper);
      takes_turns = true;
    } else {
      waiter.sleeper.call();
    }
  }
  const size_t served = waited - waiting_;
  if (takes_turns) turns_->next();
  if (leader != nullptr) leave(leader).sleeper.call();
  return served;
}

Journal::Waiter& Journal::leave(Waiter** place) noexcept {
  Waiter& waiter = **place;
  *place = waiter.next;
  if (waiter.promise == Promise::durable) --waiting_;
  return waiter;
}

// Waits until it is called, for one reason or another.
void Journal::follow(Lock& lock, Waiter& waiter) {
  waiter.next = std::exchange(waiters_, &waiter);
  if (waiter.promise == Promise::durable && ++waiting_ + 1 >= together_) leader_.notify_one();
  lock.unlock();
  waiter.sleeper.sleep();
  lock.lock();
}

// Lets the mutex go while it works. If that fails, the journal has failed.
template <class Work>
void Journal::unlocked(Lock& lock, Work work) noexcept {
  lock.unlock();
  try {
    work();
    lock.lock();
  } catch (const Error& error) {
    lock.lock();
    fail(error);
  } catch (const std::bad_alloc&) {
    lock.lock();
    fail_without_memory();
  }
}

// A file is synced by one thread at a time, and by nobody once that has failed: the kernel tells of
// a page that it could not write once, so that the next sync would say that all is well. Throws
// Error(os); the journal has failed then. REQUIRES: the mutex is not held.
void Journal::sync_alone(std::mutex& alone, const std::function<void()>& sync) {
  const std::lock_guard others(alone);
  Lock lock(mutex_);
  check_not_failed(lock);
  unlocked(lock, std::cref(sync));
  check_not_failed(lock);
}

// Writes what is pending, after the new blocks that it is about, for all who wait for that. Called
// and left with the mutex held, which is let go meanwhile. REQUIRES: nobody is writing.
void Journal::write_pending(Lock& lock) {
  const std::vector<Write> writes = std::exchange(pending_, {});
  const uint64_t target = cut_;
  const bool sync_pool = std::exchange(pool_unsynced_, false);
  DiskFile& disk = journal_->disk();
  writing_ = true;
  unlocked(lock, [&] {
    if (sync_pool && holds(Rule::new_blocks_are_synced_before_their_record))
      sync_alone(pool_sync_, [this] { pool_->sync(); });
    for (const Write& write : writes)
      disk.write(write.bytes.data(), write.bytes.size(), write.offset);
  });
  writing_ = false;
  leader_.notify_one();
  if (failed_) return;  // which all who wait have been told
  written_ = target;
  call_waiters(Promise::written);
}

// Whoever committed together the last time is about to do so again: waiting a little for them all
// is quicker than one more sync for the late ones.
void Journal::gather(Lock& lock) {
  if (together_ == 1) return;
  leader_.wait_for(lock, std::min<Clock::duration>(sync_time_ / 2, kLongestGathering),
                   [this] { return waiting_ + 1 >= together_; });
}

// Writes what is pending and syncs it, for all who wait for that; as above. REQUIRES: nobody is
// syncing.
void Journal::lead(Lock& lock) {
  syncing_ = true;
  gather(lock);
  const auto begun = Clock::now();
  leader_waits_ = true;
  leader_.wait(lock, [this] { return !writing_; });
  leader_waits_ = false;
  if (!failed_ && written_ != cut_) write_pending(lock);
  const uint64_t target = written_;
  DiskFile& disk = journal_->disk();
  if (!failed_ && holds(Rule::records_are_synced))
    unlocked(lock, [&] { sync_alone(journal_sync_, [&disk] { disk.sync(); }); });
  syncing_ = false;
  if (failed_) return;
  durable_ = target;
  together_ = call_waiters(Promise::durable) + 1;
  sync_time_ = Clock::now() - begun;
}

void Journal::wait(Ticket ticket, Promise promise, Back back) {
  if (ticket == 0) return;
  Lock lock(mutex_);
  Waiter self{.ticket = ticket, .promise = promise, .back = back, .sleeper = {}};
  while (!is_done(ticket, promise)) {
    check_not_failed(lock);
    if (promise == Promise::durable ? syncing_ : !may_write()) {
      follow(lock, self);
    } else if (promise == Promise::durable) {
      lead(lock);
    } else {
      write_pending(lock);
    }
  }
  hold_back(lock);
}

bool Journal::try_wait(Ticket ticket) {
  if (ticket == 0) return true;
  Lock lock(mutex_);
  if (!is_done(ticket, Promise::written)) {
    check_not_failed(lock);
    size_t bytes = 0;
    for (const Write& write : pending_) bytes += write.bytes.size();
    if (!may_write() || pool_unsynced_ || bytes > kFewBytes) return false;
    write_pending(lock);
    check_not_failed(lock);
  }
  return has_room();
}

// Of what was committed and is not in the pool's file, or nobody will make any.
bool Journal::has_room() const noexcept {
  return failed_ || stop_ || !thread_ || (dirty_ <= limits_.most && !journal_->is_short());
}

// Whoever commits faster than checkpoints are written waits for them, and lets others come back.
void Journal::hold_back(Lock& lock) {
  if (has_room() || std::this_thread::get_id() == thread_->get_id()) return;
  turns_->next();
  changed_.wait_for(lock, kLongestHold, [this] { return has_room(); });
}

}  // namespace nvm::backend::journal
