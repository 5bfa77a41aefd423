// Commits of a pool whose backend records them: room before, the cut after, and the wait.
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
// Of a reservation that is given back: looking for its lines takes time for all lines there are.
constexpr uint64_t kWorthForgetting = uint64_t{64} << 10;

}  // namespace

void Pool::reserve_commit(size_t blocks) {
  if (records_) file_->backend().reserve(kLinesOfCommit + blocks * kLinesOfBlock);
}

void Pool::cancel(std::vector<Action>& reservations) noexcept {
  for (const Action& action : reservations) {
    if (!records_ || action.heap.usable_size < kWorthForgetting) continue;
    file_->backend().forget(base_ + action.heap.offset, action.heap.usable_size);
  }
  file_->cancel(reservations.data(), reservations.size());
  reservations.clear();
}

// REQUIRES: ownership, so that nobody is closing the pool.
PendingCommit Pool::pending(backend::Ticket ticket) noexcept {
  if (ticket == 0) return {};
  return {ticket, pending_commits_};
}

PendingCommit Pool::cut_commit() {
  if (!records_ || in_transaction()) return {};
  try {
    const backend::Ticket ticket = file_->backend().cut();
    if (ticket != 0) last_ticket_.store(ticket);
    return pending(ticket);
  } catch (const Error& error) {
    break_off(error);
    throw;
  }
}

void Pool::await(PendingCommit commit, backend::Promise promise) {
  if (commit.ticket_ == 0) return;
  const WaitHook hook = wait_hook();
  const bool waits = promise == backend::Promise::durable && hook.before != nullptr;
  void* const state = waits ? hook.before() : nullptr;
  std::optional<Error> failure;
  try {
    file_->backend().wait(commit.ticket_, promise);
  } catch (const Error& error) {
    failure.emplace(error);
    break_off(error);
  }
  commit.reset();  // who closes the pool may hold the interpreter's lock
  if (waits) hook.after(state);
  if (failure) throw Error(*failure);
}

void Pool::sync() {
  exports_.flush();
  if (!writable_ || in_transaction()) return;
  PendingCommit last;
  {
    Mutating frees(*this);
    last = pending(last_ticket_.load());
    PendingCommit newer = frees.finish();
    if (newer.ticket_ != 0) last = std::move(newer);
  }
  await(std::move(last), backend::Promise::durable);
}

void Pool::break_off(const Error& error) noexcept {
  std::lock_guard lock(attaching_);
  if (state_.load() != State::open) return;
  broken_by_.emplace(error);
  break_off();
}

}  // namespace nvm::heap
