// Checkpoints, and the thread that writes them.
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <new>
#include <system_error>

#include "backend/journal/journal.h"
#include "backend/journal/sort_units.h"
#include "backend/read_ahead.h"

namespace nvm::backend::journal {
namespace {

constexpr size_t kBatchPages = 64;  // copied while nobody changes the pool: some 50 us
// Between a relaxed commit and its sync, and between two looks for something to do.
constexpr auto kPause = std::chrono::milliseconds(50);
constexpr auto kRetry = std::chrono::milliseconds(1);
constexpr size_t kMostHoles = 16;  // punched out while nobody changes the pool

size_t batch_size(const std::vector<uint64_t>& pages, size_t from) {
  return std::min(kBatchPages, pages.size() - from);
}

}  // namespace

// ---- The thread

void Journal::start_thread() {
  if (thread_ || !quietly_) return;
  try {
    thread_ = std::make_unique<std::thread>([this] { run_thread(); });
  } catch (const std::system_error& error) {
    throw Error(ErrorKind::os, "'" + pool_->path() + "': no thread for the journal",
                error.code().value(), pool_->path());
  }
}

void Journal::stop_thread() noexcept {
  if (!thread_) return;
  {
    const Lock lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_->join();
  thread_.reset();
}

void Journal::abandon() noexcept {
  // Neither the thread nor who held the mutex is there. The files are closed.
  static_cast<void>(thread_.release());
  journal_.reset();
  ballast_.release();
  base_ = nullptr;
}

void Journal::run_thread() noexcept {
  Lock lock(mutex_);
  while (!stop_ && !failed_) {
    bool hindered = false;  // tried again after the pause
    try {
      work(lock);
    } catch (const Error& error) {
      if (!lock.owns_lock()) lock.lock();
      if (!is_full(error)) return fail(error);
      hindered = true;  // all pages have blocks, but the file system wants some for itself
      ballast_.release();
    } catch (const std::bad_alloc&) {
      if (!lock.owns_lock()) lock.lock();
      hindered = true;
    }
    changed_.wait_for(lock, kPause, [&] { return stop_ || (due_ && !hindered); });
  }
}

// Writes a checkpoint if one is due; otherwise syncs what was committed relaxed, which a checkpoint
// does too.
void Journal::work(Lock& lock) {
  if (!due_ && cut_ > durable_ && !syncing_) lead(lock);
  if (!due_ || stop_ || failed_) return;
  lock.unlock();
  const bool done = write_checkpoint();
  if (done) {
    give_back();
    punch_holes();
    limit_read_ahead(base_, size_, pool_->used());
  }
  lock.lock();
  if (!done) return;
  due_ = wants_checkpoint(dirty_);  // of what was committed meanwhile
  ballast_.hold();
}

// Does some work while nobody changes the pool; waits for such a moment. False: the pool is closed.
bool Journal::is_quiet(const std::function<void()>& work) {
  while (!quietly_(work)) {
    Lock lock(mutex_);
    if (changed_.wait_for(lock, kRetry, [this] { return stop_; })) return false;
  }
  return true;
}

// ---- Checkpoints

bool Journal::write_checkpoint() {
  if (!underway_ && !begin_checkpoint()) return false;
  if (!write_batches()) return false;
  if (holds(Rule::pages_are_synced_before_records_retire))
    sync_alone(pool_sync_, [this] { pool_->sync(); });
  sync_alone(journal_sync_, [this] { journal_->retire(); });
  give_back_room();
  underway_ = false;
  for (const uint64_t page : std::exchange(checkpoint_, {})) private_.mark_unit(page);
  return is_quiet([this] {
    const Lock lock(mutex_);
    dirty_ -= std::min(dirty_, living_.units().size());
    living_.clear();
    changed_.notify_all();
  });
}

// If that fails, what has become of the journal's end is unknown.
void Journal::give_back_room() {
  const Lock lock(mutex_);
  try {
    journal_->give_back();
  } catch (const Error& error) {
    fail(error);
    throw;
  }
}

// Up to the exchange of the sets all is as it was, if there is no memory; from then on a checkpoint
// is underway, and nothing needs any.
bool Journal::begin_checkpoint() {
  Ticket ticket = 0;
  const bool begun = is_quiet([&] {
    const Lock lock(mutex_);
    cut_lines(lock);
    ticket = cut_;
    checkpoint_ = pages_.units();
    checkpointed_ = 0;
    sort_units(checkpoint_);
    leave_out_free_pages();
    for (const uint64_t page : written_directly_) private_.mark_unit(page);
    written_directly_.clear();
    std::swap(pages_, living_);
    journal_->begin_generation();
    underway_ = true;
    changed_.notify_all();
  });
  if (begun && holds(Rule::pages_are_written_after_their_records))
    wait(ticket, Promise::durable, Back::at_once);
  return begun;
}

// REQUIRES: nobody changes the pool, and checkpoint_ ascends.
void Journal::leave_out_free_pages() {
  auto next = checkpoint_.begin();
  Pages kept;
  host_.free_blocks(base_, size_, [&](uint64_t begin, uint64_t end) {
    const uint64_t first = Space::inside(begin) / kPage;
    const auto from = std::lower_bound(next, checkpoint_.end(), first);
    kept.insert(kept.end(), next, from);
    next = std::lower_bound(from, checkpoint_.end(), end / kPage);
    if (from != next)
      ::madvise(base_ + first * kPage, end / kPage * kPage - first * kPage, MADV_DONTNEED);
  });
  kept.insert(kept.end(), next, checkpoint_.end());
  checkpoint_ = std::move(kept);
}

// Each batch is as it was at one cut, and that cut is durable before it is written.
bool Journal::write_batches() {
  std::vector<char> bytes;
  while (checkpointed_ < checkpoint_.size()) {
    Ticket ticket = 0;
    const bool copied = is_quiet([&] {
      const Lock lock(mutex_);
      cut_lines(lock);
      ticket = cut_;
      copy_batch(checkpointed_, bytes);
    });
    if (!copied) return false;
    if (holds(Rule::pages_are_written_after_their_records))
      wait(ticket, Promise::durable, Back::at_once);
    write_batch(checkpointed_, bytes);
    checkpointed_ += batch_size(checkpoint_, checkpointed_);
  }
  return true;
}

void Journal::copy_batch(size_t from, std::vector<char>& to) const {
  const size_t count = batch_size(checkpoint_, from);
  to.resize(count * kPage);
  for (size_t i = 0; i < count; ++i) {
    std::memcpy(to.data() + i * kPage, base_ + checkpoint_[from + i] * kPage, kPage);
  }
  host_.check_whole();
}

// Pages that follow each other are written in one go.
void Journal::write_batch(size_t from, const std::vector<char>& bytes) {
  space_.check_size();
  const size_t count = batch_size(checkpoint_, from);
  for (size_t i = 0; i < count;) {
    size_t run = 1;
    while (i + run < count && checkpoint_[from + i + run] == checkpoint_[from + i] + run) ++run;
    pool_->write(bytes.data() + i * kPage, run * kPage, checkpoint_[from + i] * kPage);
    i += run;
  }
}

// A page that equals the file's needs no memory of its own: reading it brings the file's.
void Journal::give_back() {
  if (private_.units().size() <= limits_.kept) return;
  Pages pages = private_.units();
  sort_units(pages);
  std::vector<char> buffer(kPage);
  private_.clear();
  for (size_t from = 0; from < pages.size(); from += batch_size(pages, from)) {
    if (!is_quiet([&] { drop_equal(pages, from, buffer); })) return;
  }
}

void Journal::drop_equal(const Pages& pages, size_t from, std::vector<char>& buffer) {
  const size_t count = batch_size(pages, from);
  for (size_t i = 0; i < count; ++i) {
    char* const page = base_ + pages[from + i] * kPage;
    pool_->read(buffer.data(), kPage, pages[from + i] * kPage);
    if (std::memcmp(page, buffer.data(), kPage) == 0) {
      ::madvise(page, kPage, MADV_DONTNEED);
    } else {
      private_.mark_unit(pages[from + i]);
    }
  }
}

// ---- Room on the disk

void Journal::punch_holes() {
  if (!offer_holes()) return;
  uint64_t from = 0;
  while (from != size_ && punch_some(from)) {
  }
}

bool Journal::offer_free_blocks() {
  bool any = false;
  host_.free_blocks(base_, size_,
                    [&](uint64_t begin, uint64_t end) { any |= space_.offer(begin, end); });
  return any;
}

// False if there is nothing to punch out. What is free is so durably when it returns.
bool Journal::offer_holes() {
  Ticket ticket = 0;
  bool any = false;
  const bool offered = is_quiet([&] {
    const Lock lock(mutex_);
    cut_lines(lock);
    ticket = cut_;
    any = offer_free_blocks();
  });
  if (!offered || !any) return false;
  if (holds(Rule::holes_were_durably_free)) wait(ticket, Promise::durable, Back::at_once);
  return true;
}

// A few holes, from there on; false if the pool is closed.
bool Journal::punch_some(uint64_t& from) {
  return is_quiet([&] {
    size_t count = 0;
    uint64_t reached = size_;
    host_.free_blocks(base_, size_, [&](uint64_t begin, uint64_t end) {
      if (begin < from || reached != size_) return;
      if (space_.punch(begin, end) && ++count == kMostHoles) reached = end;
    });
    from = reached;
  });
}

// ---- The end

// Writes all pages that were stored to since the pool's file was last brought up to date. REQUIRES:
// the caller owns the pool, and the thread has ended or never begun.
void Journal::write_all() {
  for (size_t i = checkpointed_; i < checkpoint_.size(); ++i) pages_.mark_unit(checkpoint_[i]);
  checkpoint_ = pages_.take();
  sort_units(checkpoint_);
  leave_out_free_pages();
  write_pages(checkpoint_);
  pool_->sync();
}

void Journal::settle() {
  if (lost_) throw std::bad_alloc();
  mark_missed();
  for (const uint64_t line : lines_.take()) pages_.mark_unit(line * kLine / kPage);
  for (const uint64_t page : direct_.take()) pages_.mark_unit(page);
  fresh_.clear();
  backed_ = 0;
  write_all();
  nameless_ = false;
}

// The records are not needed once all pages are written; a cut before that finds them.
void Journal::finish() {
  stop_thread();
  Ticket ticket = 0;
  {
    const Lock lock(mutex_);
    if (!journal_) return;  // nothing was committed
    cut_lines(lock);
    ticket = cut_;
  }
  wait(ticket, Promise::durable, Back::at_once);
  if (!holds(Rule::the_mark_is_removed_after_the_last_page)) host_.mark(false);
  if (!holds(Rule::the_journal_is_removed_after_the_mark)) remove_disk_file(host_.journal_path);
  write_all();
  if (offer_free_blocks())
    host_.free_blocks(base_, size_, [&](auto begin, auto end) { space_.punch(begin, end); });
  host_.mark(false);
  journal_.reset();
  remove_disk_file(host_.journal_path);
}

}  // namespace nvm::backend::journal
