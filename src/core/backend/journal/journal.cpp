// Commits: lines are remembered, cut into records, written and synced. Checkpoints are in
// checkpoint.cpp.
#include "backend/journal/journal.h"

#include <algorithm>
#include <cerrno>
#include <new>

namespace nvm::backend::journal {
namespace {

constexpr unsigned kLineShift = 6;
constexpr unsigned kPageShift = 12;
constexpr unsigned kGranuleShift = 18;
constexpr uint64_t kGranule = uint64_t{1} << kGranuleShift;
// Of a record for each line: the line, and at most one word of the table.
constexpr uint64_t kLineCost = kLine + sizeof(uint64_t);
// Stored to and not in the pool's file: memory that only a checkpoint gives back.
constexpr size_t kMostDirtyPages = size_t{64} << 10;

}  // namespace

Journal::Journal(std::unique_ptr<DiskFile> pool, Host host)
    : pool_(std::move(pool)), host_(std::move(host)), fresh_(host_.fresh) {}

Journal::~Journal() { stop_thread(); }

// ---- Lines

void Journal::attached(const void* base, size_t length) noexcept {
  base_ = static_cast<char*>(const_cast<void*>(base));
  size_ = length;
  for (const auto& [address, bytes] : std::exchange(early_, {})) flush(address, bytes);
}

void Journal::flush(const void* address, size_t length) noexcept try {
  if (base_ == nullptr) {
    early_.emplace_back(address, length);
    return;
  }
  const auto begin = static_cast<uint64_t>(static_cast<const char*>(address) - base_);
  if (begin >= size_ || length > size_ - begin) return;  // an answer to another pool's opening
  const uint64_t end = begin + length;
  if (end <= host_.first_byte) return;
  const uint64_t from = std::max(begin, host_.first_byte);
  lines_.mark(from, end - from);
} catch (const std::bad_alloc&) {
  lost_ = true;
}

// A line that the block shares with another one stays.
void Journal::forget(const void* address, size_t length) noexcept {
  const auto begin = static_cast<uint64_t>(static_cast<const char*>(address) - base_);
  const uint64_t first = (begin + kLine - 1) / kLine;
  const uint64_t end = (begin + length) / kLine;
  if (first >= end) return;
  lines_.remove(first, end - 1);
  backed_ = 0;
}

// ---- Room

void Journal::open_journal() {
  journal_ = std::make_unique<JournalFile>(host_.journal_path, host_.identity, host_.mode);
  try {
    host_.mark(true);
  } catch (...) {
    journal_.reset();
    remove_disk_file(host_.journal_path);
    throw;
  }
  start_thread();
}

// Checkpoints must not find the disk full: what they will write has its blocks before it counts.
void Journal::back_granules() {
  const std::vector<uint64_t>& lines = lines_.units();
  for (; backed_ < lines.size(); ++backed_) {
    const uint64_t granule = lines[backed_] >> (kGranuleShift - kLineShift);
    if (granules_.contains(granule)) continue;
    const uint64_t begin = granule << kGranuleShift;
    pool_->allocate(begin, std::min(kGranule, size_ - begin));
    granules_.mark_unit(granule);
  }
}

void Journal::reserve(uint64_t more_lines) {
  if (fresh_) return;
  const Lock lock(mutex_);
  check_not_failed(lock);
  if (!journal_) open_journal();
  back_granules();
  journal_->reserve((lines_.units().size() + more_lines) * kLineCost);
}

// ---- Commits

void Journal::check_not_failed(const Lock&) const {
  if (failed_) throw Error(*failed_);
}

void Journal::fail(const Error& error) noexcept {
  if (!failed_) {
    failed_.emplace(ErrorKind::os,
                    std::string(error.what()) +
                        ": the pool takes no more changes before it is opened again, which "
                        "recovers all that was committed",
                    error.error_number() != 0 ? error.error_number() : EIO, error.file());
  }
  changed_.notify_all();
}

Ticket Journal::cut() {
  const Lock lock(mutex_);
  return cut_lines(lock);
}

Ticket Journal::cut_lines(const Lock& lock) {
  check_not_failed(lock);
  if (lines_.empty() && !lost_) return 0;
  try {
    if (lost_)
      throw Error(ErrorKind::os, "'" + pool_->path() + "': no memory to note a change", ENOMEM,
                  pool_->path());
    if (!journal_) open_journal();
    back_granules();
    std::vector<uint64_t> lines = lines_.take();
    backed_ = 0;
    std::sort(lines.begin(), lines.end());
    for (const uint64_t line : lines) pages_.mark_unit(line >> (kPageShift - kLineShift));
    cut_ = journal_->append(lines, base_, pending_);
  } catch (const Error& error) {
    fail(error);
    throw Error(*failed_);
  } catch (const std::bad_alloc&) {
    fail(Error(ErrorKind::os, "'" + pool_->path() + "': no memory for a commit", ENOMEM,
               pool_->path()));
    throw Error(*failed_);
  }
  if (!due_ && (journal_->used() > journal_->half_bytes() / 2 || journal_->has_away() ||
                pages_.units().size() > kMostDirtyPages)) {
    due_ = true;
    changed_.notify_all();
  }
  return cut_;
}

// Lets nobody else write to the journal meanwhile. Called and left with the mutex held; `write`
// runs without it. False: it has failed, and so has the journal.
bool Journal::write_alone(Lock& lock, const std::function<void(DiskFile&)>& write) {
  writing_ = true;
  DiskFile& disk = journal_->disk();
  lock.unlock();
  std::optional<Error> error;
  try {
    write(disk);
  } catch (const Error& caught) {
    error.emplace(caught);
  }
  lock.lock();
  writing_ = false;
  if (error) fail(*error);
  changed_.notify_all();
  return !error;
}

// Writes what is pending, for all who wait for it, and syncs if that was promised.
void Journal::lead(Lock& lock, Promise promise) {
  const std::vector<Write> writes = std::exchange(pending_, {});
  const uint64_t target = cut_;
  const bool done = write_alone(lock, [&](DiskFile& disk) {
    for (const Write& write : writes)
      disk.write(write.bytes.data(), write.bytes.size(), write.offset);
    if (promise == Promise::durable) disk.sync();
  });
  if (!done) return;
  written_ = target;
  if (promise == Promise::durable) durable_ = target;
}

void Journal::wait(Ticket ticket, Promise promise) {
  if (ticket == 0) return;
  Lock lock(mutex_);
  const uint64_t& reached = promise == Promise::durable ? durable_ : written_;
  while (reached < ticket) {
    check_not_failed(lock);
    if (writing_) {
      changed_.wait(lock);
    } else {
      lead(lock, promise);
    }
  }
}

}  // namespace nvm::backend::journal
