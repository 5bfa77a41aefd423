#include "heap/pool.h"

#include <sys/random.h>

#include <algorithm>
#include <mutex>
#include <new>
#include <thread>
#include <utility>

#include "heap/operation.h"
#include "heap/room.h"
#include "heap/undo/tx_state.h"

namespace nvm::heap {

namespace {

std::atomic<uint64_t> next_pool_id{1};

Error of_file(const std::string& path, const std::string& what, int error) {
  return {ErrorKind::os, "'" + path + "': " + what, error, path};
}

template <class Function>
class Finally {
 public:
  explicit Finally(Function function) : function_(std::move(function)) {}
  ~Finally() { function_(); }
  Finally(const Finally&) = delete;
  Finally& operator=(const Finally&) = delete;

 private:
  Function function_;
};

uint64_t random_word() {
  uint64_t word = 0;
  while (getrandom(&word, sizeof word, 0) != static_cast<ssize_t>(sizeof word)) {
  }
  return word;
}

}  // namespace

uint64_t Pool::next_undo_epoch() noexcept {
  static std::atomic<uint64_t> next{1};
  return next.fetch_add(1);
}

// ---- Opening

std::shared_ptr<Pool> Pool::open(const OpenOptions& options, Initializer initialize,
                                 Destroyer destroy) {
  std::shared_ptr<Pool> pool(new Pool(PoolFile::open(options), destroy));
  pool->promise_ = options.promise;
  pool->start(initialize);
  return pool;
}

Pool::Pool(std::unique_ptr<PoolFile> file, Destroyer destroy)
    : id_(next_pool_id.fetch_add(1)),
      path_(file->path()),
      file_(std::move(file)),
      destroy_(destroy),
      ownership_(path_),
      handles_(*this),
      log_(*this),
      limbo_(*this),
      exports_(*this),
      no_memory_to_undo_(of_file(path_,
                                 "there was no memory to undo a change: close the pool and open it "
                                 "again, which recovers all that was committed",
                                 ENOMEM)),
      no_memory_to_close_(of_file(path_,
                                  "there was no memory to bring the file up to date: the next open "
                                  "recovers all that was committed",
                                  ENOMEM)),
      not_open_again_(of_file(path_,
                              "the pool could not be opened again after it had grown: close it and "
                              "open it again",
                              EIO)) {
  writable_ = file_->access() == Access::write;
  flushes_ = file_->backend().needs_flush();
  records_ = file_->backend().kind() == backend::Kind::journal;
  turns_ = file_->backend().turns();
  if (records_) file_->backend().serve([this](const auto& work) { return run_quietly(work); });
  refresh_mapping();
}

Pool::~Pool() {
  try {
    close();
  } catch (const std::exception&) {
    // Another thread's transaction is open, or there is no memory: what is not committed is undone
    // when the file is opened next.
    state_.store(State::closed);
  }
  file_.reset();  // the backend's thread uses the rest
}

void Pool::refresh_mapping() noexcept {
  base_ = file_->base();
  size_ = file_->size();
  heap_begin_ = file_->heap_begin();
  root_ = file_->root();
  lost_ = &file_->lost();
}

void Pool::start(Initializer initialize) {
  if (file_->created()) {
    make_root(initialize);
    file_->finish_creation();
    return;
  }
  check_root();
  hash_key_ = root().hash_key;
  session_ = static_cast<uint32_t>(root().session) + 1;
  log_.recover();
  if (!writable_) return;
  RootObject& header = root();
  pmem::store(&header.session, uint64_t{session_});
  flush(&header.session, sizeof header.session);
  drain();
  own(-1);
  limbo_.rescan();
  garbage_ = limbo_.objects();
  collect_garbage();
  disown();
}

void Pool::make_root(Initializer initialize) {
  RootObject& header = root();
  pmem::zero(&header, sizeof header);
  hash_key_ = random_word();
  session_ = 1;
  header.major = kFormatMajor;
  header.minor = kFormatMinor;
  header.hash_key = hash_key_;
  header.session = session_;
  header.tx.state = tx_state(1, Phase::idle);
  header.magic = kRootMagic;
  pmem::hook_store(&header, sizeof header);
  flush(&header, sizeof header);
  drain();
  log_.create();
  own(-1);
  {
    std::lock_guard latch(latch_);
    Operation operation(*this);
    initialize(operation, root());
    operation.make_limbo();
    operation.commit();
  }
  disown();
}

void Pool::check_root() const {
  const RootObject& header = root();
  if (header.magic != kRootMagic)
    throw Error(ErrorKind::corrupt, "the pool's root object is damaged", EUCLEAN, path_);
  if (header.major != kFormatMajor)
    throw Error(ErrorKind::layout,
                "the pool has format " + std::to_string(header.major) + ", this version reads " +
                    std::to_string(kFormatMajor) + ": dump it with the version that wrote it",
                0, path_);
  if (header.incompatible != 0 || (writable_ && header.ro_compatible != 0))
    throw Error(ErrorKind::layout,
                "the pool uses features that this version does not know: open it with a newer one",
                0, path_);
}

bool Pool::is_block(Offset offset) const noexcept {
  return file_->is_allocated(offset) ||
         std::find(blocks_.begin(), blocks_.end(), offset) != blocks_.end();
}

// ---- Guards

void Pool::check_writable() const {
  if (!writable_)
    throw Error(ErrorKind::read_only, "the pool is open for reading only", EROFS, path_);
}

void Pool::check_not_failed() const {
  if (failed_ && in_transaction())
    throw Error(ErrorKind::transaction,
                "the transaction has been aborted: nothing can be done before its outermost block "
                "ends",
                0, path_);
}

void Pool::check_not_surveyed() const {
  if (surveyed_)
    throw Error(ErrorKind::transaction,
                "the pool cannot be changed or closed while this thread checks or collects it", 0,
                path_);
}

void Pool::throw_not_open() const {
  if (state_.load() == State::forked)
    throw Error(ErrorKind::forked,
                "the pool was opened by the parent process: open it anew in the child", 0, path_);
  if (state_.load() == State::broken && broken_by_) throw Error(*broken_by_);
  if (state_.load() == State::broken)
    throw Error(ErrorKind::corrupt,
                "a change could not be undone because the pool is damaged: close it and open it "
                "again, which recovers what was committed",
                EUCLEAN, path_);
  throw Error(ErrorKind::closed, "the pool is closed", 0, path_);
}

void Pool::throw_bad_offset(Offset offset, uint64_t bytes) const {
  check_whole();
  throw Error(ErrorKind::corrupt,
              "damaged: " + std::to_string(bytes) + " bytes at offset " + std::to_string(offset) +
                  " are not within the heap",
              EUCLEAN, path_);
}

void Pool::throw_bad_type(Offset offset, Type wanted) const {
  check_whole();
  throw Error(ErrorKind::corrupt,
              "damaged: the object at offset " + std::to_string(offset) + " is not of type " +
                  std::to_string(static_cast<uint64_t>(wanted)),
              EUCLEAN, path_);
}

void Pool::own(double timeout) {
  if (ownership_.acquire(timeout)) {
    undo_transaction();
    finish_transaction();
    ownership_.acquire(timeout);
  }
  check_owned();
}

bool Pool::try_own() {
  if (!ownership_.try_acquire()) return false;
  check_owned();
  return true;
}

// Gives ownership back, and throws, where no operation is possible.
void Pool::check_owned() {
  try {
    check_open();
    check_whole();
    check_not_failed();
    check_not_surveyed();
    if (limbo_unread_) read_limbo();
  } catch (...) {
    ownership_.release();
    throw;
  }
}

void Pool::begin_reading(double timeout) {
  check_open();
  while (ownership_.acquire_shared(timeout)) {
    own(timeout);
    disown();
  }
  try {
    check_open();  // it may have been closed meanwhile
  } catch (...) {
    ownership_.release_shared();
    throw;
  }
}

// ---- Durability

void Pool::flush_lines(const void* address, size_t length, pmem::Site site) const noexcept {
  if (pmem::hook_flush(site)) file_->backend().flush(address, length);
}

void Pool::fence(pmem::Site site) const noexcept {
  if (pmem::hook_drain(site)) file_->backend().drain();
}

bool Pool::run_quietly(const std::function<void()>& work) {
  if (state_.load() != State::open || !ownership_.try_acquire()) return false;
  const Finally done([this] { ownership_.release(); });
  if (in_transaction() || ownership_.transaction_thread.load() != 0) return false;
  work();
  return true;
}

// ---- Garbage and room

// After something has been undone: limbo, as it lies there again. REQUIRES: ownership.
void Pool::read_limbo() {
  std::lock_guard latch(latch_);
  limbo_unread_ = true;
  limbo_.rescan();
  handles_.clear_limbo_marks();
  make_room_for(garbage_, limbo_.size());
  limbo_.for_each([this](Offset object) {
    if (handles_.is_pinned(object)) {
      handles_.set_on_limbo(object, true);
    } else {
      garbage_.push_back(object);
    }
  });
  limbo_unread_ = false;
}

bool Pool::free_step(Offset object) {
  std::lock_guard latch(latch_);
  if (!limbo_.contains(object) || (!closing_ && handles_.is_pinned(object))) return true;
  // Damage has listed it: check() tells, and it stays.
  if (count_of(at<Counted>(object)->word) != 0) return true;
  Operation operation(*this);
  const bool gone = destroy_(operation, object);
  operation.commit();
  return gone;
}

void Pool::collect_garbage(const std::function<void()>& between) {
  if (!writable_ || collecting_ || state_.load() != State::open || lost_->load()) return;
  if (limbo_unread_ || (garbage_.empty() && !handles_.any_released())) return;
  collecting_ = true;
  const Finally done([this] { collecting_ = false; });
  if (handles_.any_released()) handles_.take_released(garbage_);
  while (!garbage_.empty()) {
    if (between) between();
    const Offset object = garbage_.back();
    garbage_.pop_back();
    const auto rest = static_cast<ptrdiff_t>(garbage_.size());
    try {
      // What it let go is freed before it is, so that limbo stays short.
      if (!free_step(object)) garbage_.insert(garbage_.begin() + rest, object);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::full) continue;  // damaged: it stays on limbo, check() tells
      if (!file_->can_grow()) {
        garbage_.push_back(object);
        break;
      }
      garbage_.push_back(object);
      try {
        grow();
      } catch (const std::exception&) {
        break;  // tried again after the next operation
      }
    } catch (...) {
      garbage_.push_back(object);
      throw;
    }
  }
}

void Pool::collect_quietly() noexcept {
  try {
    collect_garbage();
  } catch (const std::exception&) {
    // What could not be freed now stays on limbo: a later operation, or the next open, frees it.
  }
}

void Pool::grow() {
  if (!file_->can_grow() && blocks_.empty())
    throw Error(ErrorKind::full,
                "the pool is full at its limit of " + std::to_string(file_->limit()) +
                    " bytes: open it with a larger size=",
                ENOMEM, path_);
  std::lock_guard latch(latch_);
  if (!blocks_.empty()) log_.publish_early(allocations_, blocks_);
  if (!file_->can_grow()) return;
  try {
    file_->grow();
  } catch (...) {
    refresh_mapping();
    if (file_->broken()) break_off(not_open_again_);
    throw;
  }
  refresh_mapping();
}

// ---- Closing

void Pool::check_no_foreign_transaction() const {
  const uint64_t thread = ownership_.transaction_thread.load();
  if (thread == 0 || thread == thread_id()) return;
  for (const uint64_t holder : ownership_.holders())
    if (holder == thread)
      throw Error(ErrorKind::transaction,
                  "the pool cannot be closed: another thread is inside a transaction", 0, path_);
}

void Pool::close() {
  if (closed()) return;
  check_no_foreign_transaction();
  std::optional<Error> failure;
  if (ownership_.acquire(-1) || in_transaction()) {
    undo_transaction();
    try {
      static_cast<void>(finish_transaction());
    } catch (const Error& error) {
      failure.emplace(error);
    }
    ownership_.acquire(-1);
  }
  try {
    check_not_surveyed();
  } catch (...) {
    ownership_.release();
    throw;
  }
  if (!closed()) {
    const std::optional<Error> in_the_end = shut();
    if (!failure && in_the_end) failure.emplace(*in_the_end);
  }
  ownership_.release();
  if (failure) throw Error(*failure);
}

// What cannot be freed, for want of memory or as something is damaged, is left to the next open.
void Pool::free_all_of_limbo() noexcept try {
  if (limbo_unread_) read_limbo();
  garbage_ = limbo_.objects();
  collect_garbage();
} catch (const std::exception&) {
  garbage_.clear();
}

// REQUIRES: ownership. Returns why the file could not be brought up to date; it is closed then,
// too.
std::optional<Error> Pool::shut() {
  std::optional<Error> failure;
  exports_.detach_all();
  if (state_.load() == State::open) {
    if (writable_) {
      closing_ = true;
      free_all_of_limbo();
    }
    try {
      check_whole();
      file_->finish();
    } catch (const Error& error) {
      failure.emplace(error);
    } catch (const std::bad_alloc&) {
      failure.emplace(no_memory_to_close_);
    }
  }
  while (pending_commits_.load() != 0) {  // all have an answer by now
    if (turns_) turns_->next();
    std::this_thread::yield();
  }
  std::lock_guard latch(latch_);
  state_.store(State::closed);
  attachment_.store(nullptr);
  attached_.reset();
  file_.reset();
  return failure;
}

void Pool::forked() noexcept {
  if (state_.exchange(State::forked) != State::open) {
    state_.store(State::closed);
    return;
  }
  exports_.forked();
  ownership_.reset_after_fork();
  if (turns_) turns_->abandon();
  file_->abandon_in_child();
  // Never destroyed: a condition that threads waited for at the fork waits for them to leave.
  static_cast<void>(new (std::nothrow) std::shared_ptr<Pool>(shared_from_this()));
}

}  // namespace nvm::heap
