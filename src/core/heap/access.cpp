#include "heap/access.h"

#include <string>

namespace nvm::heap {

namespace {

// True if the calling thread may read now.
bool readable(const Pool& pool, const Ownership& ownership) {
  const uint64_t thread = ownership.transaction_thread.load(std::memory_order_relaxed);
  if (thread == 0) return true;
  if (thread != thread_id()) return false;
  pool.check_not_failed();
  return true;
}

}  // namespace

bool keep_shared(Pool& pool) {
  try {
    pool.check_open();  // it may have been closed meanwhile
    if (readable(pool, pool.ownership())) return true;
  } catch (...) {
    pool.latch().unlock_shared();
    throw;
  }
  pool.latch().unlock_shared();
  return false;
}

void share_after_waiting(Pool& pool) {
  // Shared until the end, so that the next transaction does not begin first.
  pool.begin_reading(-1);
  try {
    if (try_share(pool)) return;
  } catch (...) {
    pool.ownership().release_shared();
    throw;
  }
  pool.ownership().release_shared();
  throw Error(ErrorKind::internal, "a transaction is open while the pool is shared");
}

Mutating::Mutating(Pool& pool) : pool_(pool) {
  pool.check_open();
  pool.check_writable();
  pool.own(-1);
}

Mutating::~Mutating() {
  if (!owned_) return;
  collect();
  pool_.disown();
}

void Mutating::collect() noexcept {
  if (!pool_.in_transaction()) pool_.collect_quietly();
}

PendingCommit Mutating::finish() {
  collect();
  PendingCommit commit = pool_.cut_commit();
  owned_ = false;
  pool_.disown();
  return commit;
}

Surveying::Surveying(Pool& pool, const char* work) : pool_(pool) {
  pool.check_open();
  if (pool.in_transaction())
    throw Error(ErrorKind::transaction, std::string(work) + " called inside a transaction", 0,
                pool.path());
  pool.own(-1);
  pool.set_surveyed(true);
}

Surveying::~Surveying() {
  pool_.set_surveyed(false);
  pool_.disown();
}

}  // namespace nvm::heap
