// Commits of a pool whose backend records them: room before, the cut after, and the wait.
#include <algorithm>
#include <new>
#include <optional>
#include <utility>

#include "heap/access.h"
#include "heap/pool.h"

namespace nvm::heap {

namespace {

// Of each block that is allocated or freed: its bits in a run, and a word that names it.
constexpr uint64_t kLinesOfBlock = 2;
// Of each publish, with the undo log's words and what the allocator does besides.
constexpr uint64_t kLinesOfCommit = 512;
// Bytes of a reservation that may go to the medium by itself.
constexpr uint64_t kLarge = uint64_t{64} << 10;

}  // namespace

void Pool::reserve_commit(size_t blocks) {
  if (records_) file_->backend().reserve(kLinesOfCommit + blocks * kLinesOfBlock);
}

void Pool::announce(const Action& reservation) noexcept {
  if (!records_ || reservation.heap.usable_size < kLarge || file_->has_freed()) return;
  file_->backend().fresh(base_ + reservation.heap.offset, reservation.heap.usable_size);
}

// A page that is, or was, exported is mapped from elsewhere than the file until it is settled.
bool Pool::fill_pages(void* to, const void* from, size_t length) {
  return records_ && !file_->is_shared(offset_of(to), length) &&
         file_->backend().fill(to, from, length);
}

// An operation within a transaction forgets large blocks only: all that the transaction has stored
// is looked through.
void Pool::cancel(std::vector<Action>& reservations) noexcept {
  if (records_) forget(reservations);
  file_->cancel(reservations.data(), reservations.size());
  reservations.clear();
}

// Where there is no memory for the lists below, what could be forgotten is recorded.
void Pool::forget(const std::vector<Action>& reservations) noexcept try {
  std::vector<Extent> blocks;
  const uint64_t least = in_transaction() && &reservations != &allocations_ ? kLarge : 0;
  for (const Action& action : reservations) {
    if (action.heap.usable_size >= least)
      blocks.emplace_back(action.heap.offset, action.heap.usable_size);
  }
  forget(blocks);
} catch (const std::bad_alloc&) {
  return;
}

void Pool::forget(const std::vector<Offset>& blocks) noexcept try {
  if (!records_) return;
  std::vector<Extent> extents;
  extents.reserve(blocks.size());
  for (const Offset block : blocks) extents.emplace_back(block, file_->usable_size(block));
  forget(extents);
} catch (const std::bad_alloc&) {
  return;
}

// With the headers of those that are known to have one: they are from libpmemobj's own classes.
void Pool::forget(const std::vector<Extent>& blocks) {
  if (blocks.empty()) return;
  std::vector<backend::Bytes> bytes;
  bytes.reserve(blocks.size());
  for (const auto& [offset, usable] : blocks) {
    const uint64_t header = usable > kBlobUnits.back() ? kBlockHeader : 0;
    bytes.push_back({base_ + offset - header, usable + header});
  }
  std::sort(bytes.begin(), bytes.end(),
            [](const auto& a, const auto& b) { return a.begin < b.begin; });
  file_->backend().forget(bytes);
}

// REQUIRES: ownership, so that nobody is closing the pool.
PendingCommit Pool::pending(backend::Ticket ticket) noexcept {
  if (ticket == 0) return {};
  return {ticket, pending_commits_};
}

PendingCommit Pool::cut_commit() {
  check_whole();
  if (!records_ || in_transaction()) return {};
  try {
    const backend::Ticket ticket = file_->backend().cut();
    file_->settled_frees();
    if (ticket != 0) last_ticket_.store(ticket);
    return pending(ticket);
  } catch (const Error& error) {
    break_off(error);
    throw;
  }
}

// False if it would take a while.
bool Pool::await_briefly(const PendingCommit& commit, backend::Promise promise) try {
  if (commit.ticket_ == 0) return true;
  return promise == backend::Promise::written && file_->backend().try_wait(commit.ticket_);
} catch (const Error& error) {
  break_off(error);
  throw;
}

void Pool::await(PendingCommit commit, backend::Promise promise) {
  if (await_briefly(commit, promise)) return;
  const WaitHook hook = wait_hook();
  const bool waits = hook.before != nullptr;
  std::optional<Error> failure;
  {
    const backend::Turn turn(turns_.get());
    void* const state = waits ? hook.before() : nullptr;
    try {
      file_->backend().wait(commit.ticket_, promise,
                            waits ? backend::Back::in_turn : backend::Back::at_once);
    } catch (const Error& error) {
      failure.emplace(error);
      break_off(error);
    }
    commit.reset();  // who closes the pool may hold the interpreter's lock
    if (waits) hook.after(state);
  }
  if (waits) hook.check();
  if (failure) throw Error(*failure);
}

void Pool::sync() {
  if (!records_) exports_.flush();
  if (!writable_ || in_transaction()) return;
  PendingCommit last;
  {
    Mutating frees(*this);
    settle_exports();
    last = pending(last_ticket_.load());
    PendingCommit newer = frees.finish();
    if (newer.ticket_ != 0) last = std::move(newer);
  }
  await(std::move(last), backend::Promise::durable);
}

void Pool::take_over_exports() noexcept try {
  if (!records_ || !try_own()) return;
  settle_exports();
  try {
    if (!in_transaction()) {
      reserve_commit(0);
      static_cast<void>(cut_commit());
    }
  } catch (...) {
    disown();
    throw;
  }
  disown();
} catch (const std::exception&) {
  // The disk is full, there is no memory, or no operation is possible any more.
}

// What was stored through exports is part of the next commit, and the pages of those that have
// ended are the pool's own again. REQUIRES: ownership.
void Pool::settle_exports() noexcept {
  exports_.flush();
  const std::lock_guard latch(latch_);
  file_->settle_shared();
}

void Pool::break_off(const Error& error) noexcept {
  std::lock_guard lock(attaching_);
  if (state_.load() != State::open) return;
  broken_by_.emplace(error);
  break_off();
}

}  // namespace nvm::heap
