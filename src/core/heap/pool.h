// An open pool: the file, its locks, its transaction, and what is volatile about it.
//
// Invariants
//   1. Reachable persistent memory changes only inside an Operation (operation.h).
//   2. Nothing keeps a pointer into the pool across operations, only offsets: growth remaps it.
//   3. Whenever the latch is free and no transaction is open, every object whose count is zero is
//      on limbo, and no undo log entry is valid.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "heap/exports.h"
#include "heap/file/pool_file.h"
#include "heap/format.h"
#include "heap/handles.h"
#include "heap/limbo.h"
#include "heap/locks.h"
#include "heap/undo/undo_log.h"
#include "pmem/error.h"
#include "pmem/store.h"

namespace nvm::heap {

class Operation;

// Frees an unreferenced object, or a part of it if it is large: called for what is on limbo,
// inside an operation of its own. Returns true when the object itself has been freed. The object
// layer provides it, so that the heap needs to know nothing of objects.
using Destroyer = bool (*)(Operation&, Offset);
// Fills the root object of a new pool (called inside the first operation).
using Initializer = void (*)(Operation&, RootObject&);

// A commit that has been cut and may be waited for. While one lives the pool's file stays, even if
// another thread closes the pool. Empty where there is nothing to wait for.
class PendingCommit {
 public:
  PendingCommit() = default;
  ~PendingCommit() { reset(); }
  PendingCommit(PendingCommit&& other) noexcept
      : ticket_(std::exchange(other.ticket_, 0)), count_(std::exchange(other.count_, nullptr)) {}
  PendingCommit& operator=(PendingCommit&& other) noexcept {
    std::swap(ticket_, other.ticket_);
    std::swap(count_, other.count_);
    return *this;
  }

 private:
  friend class Pool;
  PendingCommit(backend::Ticket ticket, std::atomic<uint32_t>& count) noexcept
      : ticket_(ticket), count_(&count) {
    count.fetch_add(1);
  }
  void reset() noexcept {
    if (count_ != nullptr) count_->fetch_sub(1);
    count_ = nullptr;
    ticket_ = 0;
  }

  backend::Ticket ticket_ = 0;
  std::atomic<uint32_t>* count_ = nullptr;
};

// A word that an operation will store.
struct PendingWord {
  uint64_t* address;
  uint64_t value;
  bool logged;
};

class Pool : public std::enable_shared_from_this<Pool> {
 public:
  static std::shared_ptr<Pool> open(const OpenOptions& options, Initializer initialize,
                                    Destroyer destroy);
  ~Pool();
  // Ends the open transaction, if any, by undoing it; frees what is on limbo; closes the file.
  // Twice is fine. Throws Error(transaction) if another thread is inside a transaction.
  void close();
  bool closed() const noexcept {
    const State state = state_.load(std::memory_order_acquire);
    return state == State::closed || state == State::forked;
  }

  // Something could not be undone: it can only be closed.
  bool broken() const noexcept { return state_.load(std::memory_order_acquire) == State::broken; }

  const PoolFile& file() const noexcept { return *file_; }
  const std::string& path() const noexcept { return path_; }
  bool writable() const noexcept { return writable_; }
  uint32_t session() const noexcept { return session_; }
  uint64_t hash_key() const noexcept { return hash_key_; }
  uint64_t id() const noexcept { return id_; }  // of this opening, unique in the process

  // Checked access: throws Error(corrupt) unless [offset, offset + bytes) lies in the heap and
  // offset is a multiple of 8. Valid until the latch is let go.
  template <class T>
  T* at(Offset offset, uint64_t bytes = sizeof(T)) const {
    if (offset < heap_begin_ || offset > size_ || bytes > size_ - offset || (offset & 7) != 0)
      throw_bad_offset(offset, bytes);
    return reinterpret_cast<T*>(base_ + offset);
  }
  // As at(), for a counted object of one of the types given; checks the type number.
  template <class T>
  T* object(Offset offset, Type type) const {
    if (type_number(offset) != static_cast<uint64_t>(type)) throw_bad_type(offset, type);
    return at<T>(offset);
  }
  // True if an allocated block starts at `offset`, which may be any number at all; also one that
  // the open transaction has reserved.
  bool is_block(Offset offset) const noexcept;
  uint64_t type_number(Offset offset) const { return at<uint64_t>(offset - 16, 24)[1]; }
  Offset offset_of(const void* pointer) const noexcept {
    return static_cast<Offset>(static_cast<const char*>(pointer) - base_);
  }
  RootObject& root() const noexcept { return *reinterpret_cast<RootObject*>(base_ + root_); }

  void flush(const void* address, size_t length, pmem::Site site = {}) const noexcept {
    if (flushes_) flush_lines(address, length, site);
  }
  void drain(pmem::Site site = {}) const noexcept {
    if (flushes_) fence(site);
  }
  // flush() for what only an open transaction needs. A backend that records commits never records
  // one that is open, so that its undo log is needed in memory only.
  void flush_undo(const void* address, size_t length, pmem::Site site = {}) const noexcept {
    if (flushes_ && !records_) flush_lines(address, length, site);
  }

  // Commits, on backends that record them (backend.h); cheap and empty on the others.
  //   reserve_commit  before the commit point: room for what was flushed, and for a publish of so
  //                   many blocks. Throws Error(os): the disk is full, and nothing is decided.
  //   cut_commit      after it, by the owner; 0 inside a transaction
  //   await           by anyone, without ownership or latch: returns when the commit has what is
  //                   promised. Throws Error(os) if that has failed; no operation is possible then.
  //   sync            ends all of it: what has been committed is durable
  void reserve_commit(size_t blocks);
  // In a transaction: throws Error(os) if it has stored more than fits into memory.
  void admit() const {
    if (records_) file_->backend().admit();
  }
  [[nodiscard]] PendingCommit cut_commit();
  void await(PendingCommit commit) { await(std::move(commit), promise_); }
  void await(PendingCommit commit, backend::Promise promise);
  void sync();
  // Passes on what was stored to buffers that are gone, if nobody else owns the pool. Errors are
  // those of the next commit.
  void take_over_exports() noexcept;
  bool records() const noexcept { return records_; }
  // A block was reserved.
  void announce(const Action& reservation) noexcept;
  // Content for whole pages of a block that was reserved. False: the caller has to store it.
  // REQUIRES: ownership, and the latch exclusively.
  bool fill_pages(void* to, const void* from, size_t length);
  // Gives reservations back that never came to be; what was stored there need not be recorded.
  void cancel(std::vector<Action>& reservations) noexcept;
  // What was stored to these need not be recorded: they are about to be freed, by the undoing of
  // what made them.
  void forget(const std::vector<Offset>& blocks) noexcept;

  Latch& latch() noexcept { return latch_; }
  Ownership& ownership() noexcept { return ownership_; }
  Handles& handles() noexcept { return handles_; }
  UndoLog& log() noexcept { return log_; }
  Limbo& limbo() noexcept { return limbo_; }
  Exports& exports() noexcept { return exports_; }
  PoolFile& mutable_file() noexcept { return *file_; }

  // Throws Error(closed / forked / stale) unless the pool can be used by this process.
  void check_open() const {
    if (state_.load(std::memory_order_acquire) != State::open) throw_not_open();
  }
  void check_writable() const;
  // It is open, and no thread is inside a transaction: true for long only under the shared latch.
  bool plain() const noexcept {
    return state_.load(std::memory_order_acquire) == State::open &&
           ownership_.transaction_thread.load(std::memory_order_relaxed) == 0;
  }
  // False once anything may have changed, or the pool is no longer open, since the latch was shared
  // and had been locked so often.
  bool stands(uint64_t times_locked) const noexcept {
    return latch_.times_locked() == times_locked &&
           state_.load(std::memory_order_acquire) == State::open;
  }
  // For those who read it themselves (capi/front.h): an int64_t, 0 as long as the pool is open.
  const void* state_word() const noexcept { return &state_; }
  // What every operation ends with, before it returns or commits what it has read: throws Error(os)
  // if the file was not all there meanwhile.
  void check_whole() const {
    if (lost_->load(std::memory_order_relaxed)) file_->throw_lost();
  }
  // What every operation begins with: takes ownership (waiting at most `timeout` seconds), aborting
  // what a dead thread left. Throws Error(transaction) in a transaction that has failed.
  void own(double timeout);
  // The same where that is possible at once; false, and nothing is taken, if not.
  bool try_own();
  void disown() noexcept { ownership_.release(); }
  // reading(): shares ownership, so that nothing changes in between.
  void begin_reading(double timeout = -1);
  void end_reading() noexcept { ownership_.release_shared(); }
  void check_not_failed() const;
  // Between true and false its owner works on the whole pool (Surveying in access.h), and nothing
  // that its own thread calls may own or close it.
  void set_surveyed(bool surveyed) noexcept { surveyed_ = surveyed; }

  // Transactions, of the calling thread. Nested ones join the outer one.
  // The outermost one's promise, if given, is in place of the pool's.
  void begin(double timeout = -1, std::optional<backend::Promise> promise = std::nullopt);
  // Ends the innermost one; the outermost one's end makes everything durable. Throws
  // Error(transaction) outside of one, or if an inner one has failed (then all is undone).
  void commit();
  // Undoes everything back to the outermost begin. The nesting remains: each level still ends by
  // commit() or end_failed(), and no operation is possible before the outermost has.
  void abort();
  void end_failed();             // ends the innermost one after abort(); never throws
  bool in_transaction() const {  // of the calling thread
    const uint64_t thread = ownership_.transaction_thread.load(std::memory_order_relaxed);
    return thread != 0 && thread == thread_id();
  }
  uint64_t transaction_depth() const noexcept { return depth_; }
  bool transaction_failed() const noexcept { return failed_; }

  // Frees what was let go; REQUIRES ownership, no latch, no transaction. `between` is called
  // between the steps and may throw to stop: what is left is freed by the next call.
  void collect_garbage(const std::function<void()>& between = {});
  // The same at the end of something that has been done: an error leaves the rest for later.
  void collect_quietly() noexcept;
  // Makes room after Error(full): publishes what a transaction has reserved, which keeps the free
  // blocks beside it from being used, and enlarges the file. Throws it on if the limit is reached
  // and nothing is reserved. REQUIRES ownership, no latch, no operation.
  void grow();

  // The one thing that the object layer keeps while the pool is open (its caches), made when it is
  // first asked for, by any thread that holds the latch.
  template <class T>
  T& attachment() const {
    void* found = attachment_.load(std::memory_order_acquire);
    if (found == nullptr) {
      std::lock_guard lock(attaching_);
      if (attached_ == nullptr) attached_ = std::make_shared<T>();
      found = attached_.get();
      attachment_.store(found, std::memory_order_release);
    }
    return *static_cast<T*>(found);
  }
  // Changes whenever something has been undone, so that caches know. No two pools have the same.
  uint64_t undo_epoch() const noexcept { return undo_epoch_.load(std::memory_order_acquire); }

  // In a forked child: every later use throws Error(forked).
  void forked() noexcept;

 private:
  friend class Operation;
  enum class State : int64_t { open, closed, forked, broken };

  Pool(std::unique_ptr<PoolFile> file, Destroyer destroy);
  void start(Initializer initialize);
  void make_root(Initializer initialize);
  void check_root() const;
  void refresh_mapping() noexcept;
  PendingCommit commit_outermost();
  void undo_transaction() noexcept;
  void restore_transaction() noexcept;
  PendingCommit finish_transaction();
  PendingCommit pending(backend::Ticket ticket) noexcept;
  bool await_briefly(const PendingCommit& commit, backend::Promise promise);
  using Extent = std::pair<Offset, uint64_t>;
  void forget(const std::vector<Extent>& blocks);
  void forget(const std::vector<Action>& reservations) noexcept;
  void settle_exports() noexcept;
  bool run_quietly(const std::function<void()>& work);
  std::optional<Error> shut();
  void break_off(const Error& error) noexcept;
  void read_limbo();
  void free_all_of_limbo() noexcept;
  bool free_step(Offset object);
  void check_no_foreign_transaction() const;
  void check_owned();
  static uint64_t next_undo_epoch() noexcept;
  void check_not_surveyed() const;
  // Something could not be undone: nothing is done any more before the pool is opened again.
  void break_off() noexcept { state_.store(State::broken, std::memory_order_release); }
  void flush_lines(const void* address, size_t length, pmem::Site site) const noexcept;
  void fence(pmem::Site site) const noexcept;
  [[noreturn]] void throw_not_open() const;
  [[noreturn]] void throw_bad_offset(Offset offset, uint64_t bytes) const;
  [[noreturn]] void throw_bad_type(Offset offset, Type wanted) const;

  // hot: what every operation reads
  char* base_ = nullptr;
  uint64_t size_ = 0;
  Offset heap_begin_ = 0;
  Offset root_ = 0;
  std::atomic<State> state_{State::open};
  const BusGuard::Flag* lost_ = nullptr;  // never null
  bool flushes_ = true;   // false where stores are all that is needed: in memory without copies
  bool records_ = false;  // true on the journal backend: commits are cut and awaited
  bool writable_ = false;
  uint32_t session_ = 0;
  uint64_t hash_key_ = 0;
  uint64_t id_ = 0;

  std::string path_;
  std::unique_ptr<PoolFile> file_;
  std::shared_ptr<backend::Turns> turns_;  // of those whose commits are written
  Destroyer destroy_;
  Latch latch_;
  Ownership ownership_;
  Handles handles_;
  UndoLog log_;
  Limbo limbo_;
  Exports exports_;

  // the open transaction (guarded by ownership)
  uint64_t depth_ = 0;
  std::optional<backend::Promise> transaction_promise_;
  bool failed_ = false;
  bool surveyed_ = false;
  bool collecting_ = false;
  bool closing_ = false;
  bool limbo_unread_ = false;  // what limbo_ says is of before something was undone
  std::vector<Offset> born_;   // counted objects that the transaction made
  // what the transaction holds until its end
  std::vector<Action> allocations_;
  std::vector<Offset> blocks_;
  std::vector<Offset> frees_;

  std::vector<PendingWord> spare_words_;  // an operation's, empty, with their memory
  std::vector<Offset> garbage_;  // on limbo, unpinned: to be freed when no transaction is open

  backend::Promise promise_ = backend::Promise::durable;
  std::atomic<backend::Ticket> last_ticket_{0};
  std::atomic<uint32_t> pending_commits_{0};
  std::optional<Error> broken_by_;  // written once, before state_ becomes broken
  // Made beforehand.
  const Error no_memory_to_undo_;
  const Error no_memory_to_close_;
  const Error not_open_again_;

  mutable std::mutex attaching_;
  mutable std::shared_ptr<void> attached_;
  mutable std::atomic<void*> attachment_{nullptr};
  std::atomic<uint64_t> undo_epoch_{next_undo_epoch()};
};

}  // namespace nvm::heap
