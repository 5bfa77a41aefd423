// What is done with an open pool; how one is opened is in pool_open.cpp.
#include "heap/file/pool_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <new>
#include <thread>

#include "heap/file/steps.h"
#include "heap/layout/heap_walk.h"
#include "heap/layout/pool_header.h"
#include "pmem/store.h"

namespace nvm::heap {
namespace {

constexpr std::chrono::milliseconds kReopenPause{5};
constexpr int kReopenAttempts = 400;
constexpr int kReopenAttemptsWithoutMemory = 20;

}  // namespace

PoolFile::~PoolFile() {
  if (!forked_) stop();
}

void PoolFile::require_writable() const {
  if (forked_) throw_error(ErrorKind::forked, path_, "the pool belongs to the parent process");
  if (pool_ == nullptr) {
    throw_error(ErrorKind::read_only, path_,
                broken_ ? "the pool could not be opened again after it had grown"
                        : "the pool is open for reading only",
                EROFS);
  }
  if (!is_callable()) throw_lost();
}

// Whether libpmemobj can be called: what it keeps in the first pages of the pool, and of each
// replica, while they are open, pointers to functions among it, is looked at first, so that
// BusGuard knows of a loss before.
bool PoolFile::is_callable() const noexcept {
  const auto look = [](const volatile char* base) {
    static_cast<void>(*base);
    static_cast<void>(*(base + pmdk::kDescriptorOffset));
  };
  if (pool_ == nullptr) return false;
  look(base_);
  for (const Copy& copy : mapped_copies_) look(copy.base);
  return !lost_->load(std::memory_order_relaxed);
}

// ---- Blocks

Offset PoolFile::reserve(size_t bytes, BlockKind kind, Action& action) {
  require_writable();
  check_heap();
  if (bytes > kMaxBlock - kBlockHeader) {
    throw_error(ErrorKind::value, path_,
                "a block of " + std::to_string(bytes) + " bytes is larger than any can be");
  }
  const auto candidates = classes_.candidates(bytes, kind.counted, size_ >= kLargeRunsFrom);
  for (size_t i = 0; i < candidates.count; ++i) {
    const PMEMoid block =
        pmemobj_xreserve(pool_, &action, std::max<size_t>(bytes, 1),
                         static_cast<uint64_t>(kind.type), POBJ_CLASS_ID(candidates.ids[i]));
    if (OID_IS_NULL(block)) continue;
    AllocClasses::took(candidates, i);
    return block.off;
  }
  return 0;
}

void PoolFile::cancel(Action* actions, size_t count) noexcept {
  if (count != 0 && is_callable()) pmemobj_cancel(pool_, actions, count);
}

// Where libpmemobj cannot be called an action is left alone: publish() refuses it.
void PoolFile::set_value(Action& action, uint64_t* word, uint64_t value) noexcept {
  if (is_callable()) pmemobj_set_value(pool_, &action, word, value);
}

void PoolFile::defer_free(Action& action, Offset block) {
  check_heap();
  freed_ = true;
  if (is_callable()) pmemobj_defer_free(pool_, PMEMoid{pool_id_, block}, &action);
}

void PoolFile::publish(Action* actions, size_t count) {
  require_writable();
  if (count > kMaxActions)
    throw_error(ErrorKind::internal, path_, "a publish of " + std::to_string(count) + " actions");
  pmem::hook_publish();
  if (pmemobj_publish(pool_, actions, count) == 0) return;
  pmemobj_cancel(pool_, actions, count);
  pmemobj_publish(pool_, nullptr, 0);  // gives back what the failed one has reserved
  throw_error(ErrorKind::full, path_, std::string("no room to publish: ") + pmemobj_errormsg(),
              ENOMEM);
}

void PoolFile::check_heap() {
  if (heap_checked_) return;
  try {
    check_runs(base_, size_);
  } catch (const Error& error) {
    check_whole();
    throw_error(error.kind(), path_, std::string("damaged: ") + error.what(), error.error_number());
  }
  heap_checked_ = true;
}

bool PoolFile::is_allocated(Offset block) const noexcept {
  return block_at(base_, size_, block).has_value();
}

uint64_t PoolFile::usable_size(Offset block) const noexcept {
  const std::optional<Block> found = block_at(base_, size_, block);
  return found ? found->usable : 0;
}

Type PoolFile::type_of(Offset block) const noexcept {
  const std::optional<Block> found = block_at(base_, size_, block);
  return found ? static_cast<Type>(found->type) : Type::none;
}

// ---- Growth

void PoolFile::grow() {
  require_writable();
  const uint64_t size = extend_file();
  passed(Step::file_extended);
  stop();
  passed(Step::closed_for_growth);
  try {
    raise_heap_size(*backend::reopen_disk_file(lock_fd_.get(), path_));
    size_ = size;
  } catch (...) {
    start_again();
    throw;
  }
  passed(Step::heap_extended);
  start_again();
  passed(Step::grown);
}

// Doubles the file, or less where the file system has no room for that. The pool stays open.
uint64_t PoolFile::extend_file() {
  uint64_t more = std::min(size_, limit_ - size_);
  for (;;) {
    const uint64_t size = usable_file_size(size_ + more);
    if (size == size_) throw_error(ErrorKind::full, path_, "the pool is full", ENOMEM);
    const int error = allocate(lock_fd_.get(), size);
    if (error == 0) return size;
    more /= 2;
    if ((error != ENOSPC && error != EDQUOT && error != EFBIG) || more < kMinPoolSize) {
      throw_os(path_, "cannot extend the pool", error);
    }
  }
}

// A program that knows only flock may have slipped in while libpmemobj had the file closed, or
// there may be no memory for the moment: waits. If that does not help, the pool is broken.
void PoolFile::start_again() {
  for (int attempt = 1;; ++attempt) {
    try {
      return start_existing(false);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::locked || attempt == kReopenAttempts) give_up();
    } catch (const std::bad_alloc&) {
      if (attempt == kReopenAttemptsWithoutMemory) give_up();
    }
    std::this_thread::sleep_for(kReopenPause);
  }
}

// What was is kept mapped, if that is possible. Throws on what is being handled.
void PoolFile::give_up() {
  broken_ = true;
  try {
    mapping_ = PrivateMapping(plain_fd_.get(), size_, path_);
    base_ = mapping_.base();
    guard(base_, size_);
  } catch (const std::exception&) {
    size_ = base_ == nullptr ? 0 : size_;
  }
  throw;
}

// ---- Buffers

SharedMapping PoolFile::share(Offset begin, uint64_t size) const {
  require_writable();
  std::vector<FilePiece> pieces;
  if (shared_pages_) {
    std::shared_ptr<const void> lease = shared_pages_->take(begin, size);
    pieces.push_back({shared_pages_->memory(), begin, size});
    return {std::move(pieces), false, path_, lost_, std::move(lease)};
  }
  if (set_) {
    pieces = set_->pieces(0, begin, size);
  } else {
    pieces.push_back({Fd(::open(lock_fd_.path().c_str(), O_RDWR | O_CLOEXEC)), begin, size});
  }
  return {std::move(pieces), backend_->kind() == backend::Kind::dax, path_, lost_};
}

bool PoolFile::is_shared(Offset begin, uint64_t size) const {
  return shared_pages_ && shared_pages_->holds(begin, size);
}

void PoolFile::settle_shared() noexcept {
  if (shared_pages_) shared_pages_->settle();
}

// ---- Loss

void PoolFile::throw_lost() const {
  throw_error(ErrorKind::os, path_, std::string(kLostFile) + "; nothing is written any more", EIO);
}

// ---- The end

void PoolFile::finish() {
  if (pool_ != nullptr && !forked_) backend_->finish();
}

// ---- Fork

void PoolFile::abandon_in_child() noexcept {
  forked_ = true;
  if (set_) {
    if (pool_ != nullptr) backend::detach(base_);
    return set_->abandon_in_child(pool_ != nullptr ? base_ : nullptr);
  }
  if (pool_ != nullptr) {
    backend_->abandon();
    backend::detach(base_);
    if (shared_pages_) shared_pages_->forked();
    if (!overlay_privately(base_, size_, plain_fd_.get())) overlay_privately(base_, size_, -1);
  }
  if (new_file_) new_file_->forget();
  lock_fd_.reset();
  replaced_fd_.reset();
  plain_fd_.reset();
  registration_.reset();
}

}  // namespace nvm::heap
