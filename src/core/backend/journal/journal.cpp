// Lines are remembered and cut into records. How these are written and synced is in
// group_commit.cpp, checkpoints are in checkpoint.cpp.
#include "backend/journal/journal.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <new>

#include "backend/journal/sort_units.h"
#include "backend/memory_limit.h"
#include "backend/read_ahead.h"

namespace nvm::backend::journal {
namespace {

constexpr unsigned kLineShift = 6;
constexpr unsigned kPageShift = 12;
// Of a record for each line: the line, and at most one word of the table.
constexpr uint64_t kLineCost = kLine + sizeof(uint64_t);
// Stored to and not in the pool's file: memory that only a checkpoint gives back.
constexpr size_t kMostDirtyPages = size_t{64} << 10;
// Memory of their own that written pages may keep: those that are stored to again need no copy.
constexpr size_t kMostPrivatePages = size_t{16} << 10;
// Whose memory the set of lines keeps from one record to the next.
constexpr size_t kMostKeptLines = size_t{64} << 10;
constexpr size_t kSpareMemory = size_t{512} << 10;
constexpr const char* kFinal =
    ": the pool takes no more changes before it is opened again, which recovers all that was "
    "committed";
// New blocks that are known to be new: each is filled as soon as it is made.
constexpr size_t kMostFresh = 8;

Error without_memory(const std::string& path) {
  return {ErrorKind::os, "'" + path + "': no memory for a commit" + kFinal, ENOMEM, path};
}

}  // namespace

Journal::Journal(std::unique_ptr<DiskFile> pool, Host host)
    : pool_(std::move(pool)),
      host_(std::move(host)),
      no_memory_(without_memory(pool_->path())),
      space_(*pool_, host_.first_zone),
      ballast_(host_.journal_path),
      nameless_(host_.fresh) {}

Journal::~Journal() { stop_thread(); }

// Where memory is short, shares of it.
Journal::Limits Journal::limits() {
  const size_t pages = memory_limit() / kPage;
  return {.kept = std::min(kMostPrivatePages, pages / 8),
          .dirty = std::min(kMostDirtyPages, pages / 8),
          .most = pages / 4,
          .touched = pages / 4};
}

// ---- Lines

void Journal::attached(const void* base, size_t length) {
  base_ = static_cast<char*>(const_cast<void*>(base));
  size_ = length;
  space_.set_size(length);
  offer_free_blocks();
  limit_read_ahead(base_, size_, pool_->used());
  for (const auto& [address, bytes] : std::exchange(early_, {})) flush(address, bytes);
  if (lost_) throw std::bad_alloc();
}

void Journal::flush(const void* address, size_t length) noexcept {
  if (base_ == nullptr) return flush_early(address, length);
  const auto begin = static_cast<uint64_t>(static_cast<const char*>(address) - base_);
  if (begin >= size_ || length > size_ - begin) return;  // an answer to another pool's opening
  const uint64_t end = begin + length;
  if (end <= host_.first_byte) return;
  try {
    mark_lines(std::max(begin, host_.first_byte), end);
  } catch (const std::bad_alloc&) {
    miss(std::max(begin, host_.first_byte), end);
  }
}

void Journal::flush_early(const void* address, size_t length) noexcept try {
  early_.emplace_back(address, length);
} catch (const std::bad_alloc&) {
  lost_ = true;
}

void Journal::miss(uint64_t begin, uint64_t end) noexcept {
  if (missed_count_ == missed_.size()) {
    lost_ = true;
    return;
  }
  missed_[missed_count_++] = {begin, end};
}

void Journal::mark_missed() {
  for (; missed_count_ != 0; --missed_count_)
    mark_lines(missed_[missed_count_ - 1].first, missed_[missed_count_ - 1].second);
}

// Whole pages of new blocks are kept apart.
void Journal::mark_lines(uint64_t begin, uint64_t end) {
  touched_.mark(begin, end - begin);
  for (const auto& [fresh_begin, fresh_end] : fresh_) {
    const uint64_t first = (std::max(begin, fresh_begin) + kPage - 1) / kPage;
    const uint64_t last = std::min(end, fresh_end) / kPage;
    if (first >= last) continue;
    lines_.mark(begin, first * kPage - begin);
    for (uint64_t page = first; page < last; ++page) direct_.mark_unit(page);
    begin = last * kPage;
    break;
  }
  lines_.mark(begin, end - begin);
}

void Journal::fresh(const void* address, size_t length) noexcept try {
  const auto begin = static_cast<uint64_t>(static_cast<const char*>(address) - base_);
  if (fresh_.size() == kMostFresh) fresh_.erase(fresh_.begin());
  fresh_.emplace_back(begin, begin + length);
} catch (const std::bad_alloc&) {
  // It is recorded as anything else is.
}

void Journal::admit() {
  if (touched_.units().size() <= limits_.touched) return;
  throw Error(ErrorKind::os,
              "'" + pool_->path() + "': the transaction changes more than " +
                  std::to_string(limits_.touched * kPage >> 20) +
                  " MiB, a quarter of the memory there is: make it several",
              ENOMEM, pool_->path());
}

// A line or page that a block shares with what is beside it stays.
void Journal::forget(const std::vector<Bytes>& blocks) noexcept {
  const auto lies_in_one = [&](const char* begin, size_t length) {
    const auto after =
        std::upper_bound(blocks.begin(), blocks.end(), begin,
                         [](const char* place, const Bytes& block) { return place < block.begin; });
    if (after == blocks.begin()) return false;
    const Bytes& block = *std::prev(after);
    return begin + length <= block.begin + block.length;
  };
  lines_.remove_if([&](uint64_t line) { return lies_in_one(base_ + line * kLine, kLine); });
  backed_ = 0;
  direct_.remove_if([&](uint64_t page) { return lies_in_one(base_ + page * kPage, kPage); });
  std::erase_if(fresh_, [&](const auto& range) {
    return lies_in_one(base_ + range.first, range.second - range.first);
  });
  for (const Bytes& block : blocks) {
    const auto begin = static_cast<uint64_t>(block.begin - base_);
    space_.vacate(begin, begin + block.length);
  }
}

// ---- Room

void Journal::open_journal() {
  journal_ = std::make_unique<JournalFile>(host_.journal_path, host_.identity, host_.mode);
  try {
    if (holds(Rule::the_mark_is_set_before_the_first_record)) host_.mark(true);
  } catch (...) {
    journal_.reset();
    remove_disk_file(host_.journal_path);
    throw;
  }
  ballast_.hold();
}

// Checkpoints must not find the disk full: what they will write has its blocks before it counts.
void Journal::back_lines() {
  const std::vector<uint64_t>& lines = lines_.units();
  for (; backed_ < lines.size(); ++backed_) space_.back(lines[backed_] << kLineShift);
}

// What a commit that was undone leaves (libpmemobj keeps a run that it has made), on a disk that is
// full: there is room at least for the pages.
void Journal::back_pages() {
  const std::vector<uint64_t>& lines = lines_.units();
  while (backed_ < lines.size()) {
    try {
      space_.back_page(lines[backed_] << kLineShift);
      ++backed_;
    } catch (const Error& error) {
      if (!is_full(error) || !ballast_.release()) throw;
    }
  }
}

void Journal::reserve(uint64_t more_lines) {
  if (nameless_) return;
  Lock lock(mutex_);
  if (lost_) fail_without_memory();
  check_not_failed(lock);
  mark_missed();
  keep_spare_memory();
  if (!journal_) open_journal();
  start_thread();
  if (journal_->is_exhausted()) {
    throw Error(
        ErrorKind::os,
        "'" + pool_->path() +
            "': no room in the journal before a checkpoint is written, which other threads' "
            "transactions hold up",
        ENOSPC, pool_->path());
  }
  if (!direct_.empty()) write_direct(lock);
  back_lines();
  journal_->reserve((lines_.units().size() + more_lines) * kLineCost);
}

// ---- New blocks

// A run that has become free chunks since the last cut is still one in the last durable commit,
// with a header that must stay: being free by now is not enough.
bool Journal::may_be_direct(uint64_t page) const {
  return space_.is_free(page * kPage) && !pages_.contains(page) && !living_.contains(page);
}

bool Journal::is_fresh(uint64_t begin, uint64_t end) const noexcept {
  return std::any_of(fresh_.begin(), fresh_.end(), [&](const auto& range) {
    return range.first <= begin && end <= range.second;
  });
}

// A disk that is full undoes the change, one that fails ends them all. REQUIRES: the mutex is not
// held.
void Journal::write_new(const std::function<void()>& write) {
  try {
    write();
  } catch (const Error& error) {
    const Lock lock(mutex_);
    // The caller's memory may not be there.
    if (!is_full(error) && error.error_number() != EFAULT) fail(error);
    throw;
  }
  const Lock lock(mutex_);
  pool_unsynced_ = true;
}

// Pages without memory of their own show what is in the file.
bool Journal::fill(void* to, const void* from, size_t length) {
  const auto begin = static_cast<uint64_t>(static_cast<char*>(to) - base_);
  if (nameless_ || !is_fresh(begin, begin + length)) return false;
  {
    const Lock lock(mutex_);
    if (failed_ || durable_ != cut_) return false;
    if (!journal_) open_journal();
  }
  for (uint64_t page = begin / kPage; page != (begin + length) / kPage; ++page)
    if (!may_be_direct(page)) return false;
  if (::madvise(to, length, MADV_DONTNEED) != 0) return false;  // it is locked in memory
  write_new([&] {
    host_.check_whole();
    space_.check_size();
    space_.occupy(begin, begin + length);
    pool_->write(from, length, begin);
  });
  pool_->begin_sync(begin, length);
  return true;
}

// Writes new blocks' pages to the pool's file before the commit that they are part of is decided;
// those that must not go there are recorded. The mutex is let go meanwhile.
void Journal::write_direct(Lock& lock) {
  const bool all_durable = durable_ == cut_;
  Pages pages = direct_.units();
  sort_units(pages);
  std::erase_if(pages, [&](uint64_t page) {
    if (all_durable && may_be_direct(page)) return false;
    lines_.mark(page * kPage, kPage);
    return true;
  });
  if (pages.empty()) return direct_.clear();
  lock.unlock();
  write_new([&] {
    for (const uint64_t page : pages) space_.back(page * kPage);
    written_directly_.reserve(written_directly_.size() + pages.size());
    write_pages(pages);
  });
  written_directly_.insert(written_directly_.end(), pages.begin(), pages.end());
  direct_.clear();
  lock.lock();
}

// Pages that follow each other are written in one go.
void Journal::write_pages(const Pages& pages) {
  host_.check_whole();
  space_.check_size();
  for (size_t i = 0; i < pages.size();) {
    size_t next = i + 1;
    while (next < pages.size() && pages[next] == pages[next - 1] + 1) ++next;
    pool_->write(base_ + pages[i] * kPage, (next - i) * kPage, pages[i] * kPage);
    i = next;
  }
}

// ---- Commits

void Journal::check_not_failed(const Lock&) const {
  if (failed_) throw Error(*failed_);
}

void Journal::fail(const Error& error) noexcept {
  if (!failed_) {
    try {
      failed_.emplace(ErrorKind::os, std::string(error.what()) + kFinal,
                      error.error_number() != 0 ? error.error_number() : EIO, error.file());
    } catch (const std::bad_alloc&) {
      return fail_without_memory();
    }
  }
  changed_.notify_all();
  call_waiters(Promise::durable);
}

void Journal::fail_without_memory() noexcept {
  if (!failed_) failed_.emplace(no_memory_);
  changed_.notify_all();
  call_waiters(Promise::durable);
}

Ticket Journal::cut() {
  const Lock lock(mutex_);
  return cut_lines(lock);
}

// The lines are in a record, or still to be recorded if this throws.
void Journal::record_lines() {
  mark_missed();
  for (const uint64_t page : direct_.units()) lines_.mark(page * kPage, kPage);
  direct_.clear();
  if (!journal_) {
    open_journal();
    start_thread();
  }
  try {
    back_lines();
  } catch (const Error& error) {
    if (!is_full(error)) throw;
    back_pages();
  }
  std::vector<uint64_t> lines = lines_.units();
  sort_units(lines);
  for (const uint64_t line : lines) pages_.mark_unit(line >> (kPageShift - kLineShift));
  cut_ = journal_->append(lines, base_, pending_);
  if (lines.size() > kMostKeptLines) {
    lines_.take();
  } else {
    lines_.clear();
  }
  backed_ = 0;
  touched_.clear();
  space_.settle();
}

void Journal::keep_spare_memory() noexcept {
  if (!spare_memory_) spare_memory_.reset(new (std::nothrow) char[kSpareMemory]);
}

Ticket Journal::cut_lines(const Lock& lock) {
  check_not_failed(lock);
  fresh_.clear();
  try {
    if (lost_) throw std::bad_alloc();
    if (lines_.empty() && direct_.empty() && missed_count_ == 0) return 0;
    try {
      record_lines();
    } catch (const std::bad_alloc&) {
      if (!spare_memory_) throw;
      spare_memory_.reset();
      record_lines();
    }
    host_.check_whole();
  } catch (const Error& error) {
    fail(error);
    throw Error(*failed_);
  } catch (const std::bad_alloc&) {
    fail_without_memory();
    throw Error(*failed_);
  }
  const size_t next_dirty = pages_.units().size() + written_directly_.size();
  dirty_ = next_dirty + living_.units().size();
  if (!due_ && wants_checkpoint(next_dirty)) {
    due_ = true;
    changed_.notify_all();
  }
  return cut_;
}

// Of what was committed since the last one began, so many pages. REQUIRES: the mutex is held.
bool Journal::wants_checkpoint(size_t dirty) const noexcept {
  return journal_->used() > journal_->half_bytes() / 2 || journal_->has_away() ||
         dirty > limits_.dirty;
}

}  // namespace nvm::backend::journal
