// Transactions of a pool: begin, commit, abort, and what remains to be done after them.
#include <mutex>
#include <new>
#include <utility>

#include "heap/pool.h"

namespace nvm::heap {

void Pool::begin(double timeout, std::optional<backend::Promise> promise) {
  check_open();
  check_writable();
  own(timeout);
  if (depth_ == 0) {
    std::lock_guard latch(latch_);
    ownership_.transaction_thread.store(thread_id());
    transaction_promise_ = promise;
  }
  ++depth_;
}

void Pool::commit() {
  check_open();
  if (!in_transaction())
    throw Error(ErrorKind::transaction, "commit of a transaction outside of a transaction", 0,
                path_);
  if (failed_) {
    end_failed();
    throw Error(ErrorKind::transaction,
                "the transaction was aborted by a nested one: nothing is committed", ECANCELED,
                path_);
  }
  if (depth_ > 1) {
    --depth_;
    ownership_.release();
    return;
  }
  const backend::Promise promise = transaction_promise_.value_or(promise_);
  await(commit_outermost(), promise);
}

PendingCommit Pool::commit_outermost() {
  try {
    settle_exports();
    reserve_commit(allocations_.size() + frees_.size());
    for (bool done = false; !done;) {
      try {
        std::lock_guard latch(latch_);
        log_.commit(allocations_, blocks_, frees_);
        done = true;
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::full) throw;
        grow();
      }
    }
  } catch (...) {
    undo_transaction();
    finish_transaction();
    throw;
  }
  return finish_transaction();
}

void Pool::abort() {
  check_open();
  if (!in_transaction())
    throw Error(ErrorKind::transaction, "abort of a transaction outside of a transaction", 0,
                path_);
  if (failed_) return;
  undo_transaction();
  failed_ = true;
}

void Pool::end_failed() {
  if (depth_ > 1) {
    --depth_;
    ownership_.release();
  } else {
    finish_transaction();
  }
}

void Pool::undo_transaction() noexcept {
  restore_transaction();
  if (state_.load() == State::broken) return;
  try {
    read_limbo();
  } catch (const Error& error) {
    break_off(error);
  } catch (const std::bad_alloc&) {
    // The next operation reads it.
  }
}

void Pool::restore_transaction() noexcept {
  const std::lock_guard latch(latch_);
  frees_.clear();
  try {
    if (log_.active() && !file_->broken()) log_.roll_back();  // else the next open does
  } catch (const Error&) {
    break_off();
  } catch (const std::bad_alloc&) {
    break_off(no_memory_to_undo_);
  }
  // After the old values have been stored back, into these blocks too: libpmemobj keeps its records
  // of what is free in the free blocks themselves.
  cancel(allocations_);
  blocks_.clear();
  exports_.detach_freed();
  for (const Offset object : born_) handles_.make_stale(object);
  born_.clear();
  undo_epoch_.store(next_undo_epoch(), std::memory_order_release);
}

// REQUIRES: committed or undone. Gives back the last level of ownership.
PendingCommit Pool::finish_transaction() {
  {
    std::lock_guard latch(latch_);
    ownership_.transaction_thread.store(0);
  }
  depth_ = 0;
  failed_ = false;
  born_.clear();
  collect_quietly();
  PendingCommit commit;
  try {
    commit = cut_commit();
  } catch (...) {
    ownership_.release();
    throw;
  }
  ownership_.release();
  return commit;
}

}  // namespace nvm::heap
