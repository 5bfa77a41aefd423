#include "heap/file/shared_pages.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>

#include "heap/file/private_mapping.h"
#include "heap/layout/pmdk_layout.h"

namespace nvm::heap {
namespace {

using pmdk::kPage;

}  // namespace

SharedPages::SharedPages(char* base, uint64_t size, const Fd& pool, std::string name)
    : base_(base), size_(size), pool_(pool.get()), name_(std::move(name)) {}

void SharedPages::make_memory() {
  Fd memory(::memfd_create("nvm buffers", MFD_CLOEXEC));
  if (!memory || ::ftruncate(memory.get(), static_cast<off_t>(size_)) != 0)
    throw_error(ErrorKind::buffer, name_, "no memory for buffers", errno);
  memory_ = std::move(memory);
}

Fd SharedPages::memory() const { return Fd(::fcntl(memory_.get(), F_DUPFD_CLOEXEC, 0)); }

std::shared_ptr<const void> SharedPages::take(uint64_t begin, uint64_t size) {
  const uint64_t first = begin / kPage;
  const uint64_t end = (begin + size + kPage - 1) / kPage;
  const std::lock_guard lock(mutex_);
  if (!memory_) make_memory();
  share_new(first, end);
  for (uint64_t page = first; page < end; ++page) ++leases_.at(page);
  try {
    return std::make_shared<const Lease>(shared_from_this(), first, end);
  } catch (...) {
    for (uint64_t page = first; page < end; ++page) --leases_.at(page);
    idle_ = true;
    throw;
  }
}

bool SharedPages::holds(uint64_t begin, uint64_t size) {
  const std::lock_guard lock(mutex_);
  if (leases_.empty()) return false;
  for (uint64_t page = begin / kPage; page * kPage < begin + size; ++page)
    if (leases_.count(page) != 0) return true;
  return false;
}

// Neighbours are moved in one go.
void SharedPages::share_new(uint64_t first, uint64_t end) {
  for (uint64_t page = first; page < end;) {
    if (leases_.count(page) != 0) {
      ++page;
      continue;
    }
    uint64_t next = page + 1;
    while (next < end && leases_.count(next) == 0) ++next;
    move_in(page, next);
    page = next;
  }
}

void SharedPages::move_in(uint64_t first, uint64_t end) {
  char* const place = base_ + first * kPage;
  const uint64_t bytes = (end - first) * kPage;
  const auto offset = static_cast<off_t>(first * kPage);
  for (uint64_t done = 0; done < bytes;) {
    const ssize_t wrote =
        ::pwrite(memory_.get(), place + done, bytes - done, offset + static_cast<off_t>(done));
    if (wrote > 0) done += static_cast<uint64_t>(wrote);
    if (wrote >= 0 || errno == EINTR) continue;
    throw_error(ErrorKind::buffer, name_, "no memory for a buffer", errno);
  }
  try {
    for (uint64_t page = first; page < end; ++page) leases_.emplace(page, 0);
    if (::mmap(place, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memory_.get(),
               offset) == MAP_FAILED)
      throw_error(ErrorKind::buffer, name_, "the bytes cannot be mapped", errno);
  } catch (...) {
    for (uint64_t page = first; page < end; ++page) leases_.erase(page);
    throw;
  }
}

void SharedPages::give_back(uint64_t first, uint64_t end) noexcept {
  const std::lock_guard lock(mutex_);
  for (uint64_t page = first; page < end; ++page) --leases_[page];
  idle_ = true;
}

// A page that equals the file's again takes no memory.
bool SharedPages::move_out(uint64_t first, uint64_t end) noexcept {
  const auto offset = static_cast<off_t>(first * kPage);
  const uint64_t bytes = (end - first) * kPage;
  if (!overlay_privately(base_ + first * kPage, bytes, pool_, first * kPage)) return false;
  std::array<char, kPage> content;
  for (uint64_t page = first; page < end; ++page) {
    char* const place = base_ + page * kPage;
    // Never short: the memory is as long as the pool.
    if (::pread(memory_.get(), content.data(), kPage, static_cast<off_t>(page * kPage)) > 0 &&
        std::memcmp(place, content.data(), kPage) != 0)
      std::memcpy(place, content.data(), kPage);
  }
  static_cast<void>(::fallocate(memory_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset,
                                static_cast<off_t>(bytes)));
  return true;
}

void SharedPages::settle() noexcept try {
  const std::lock_guard lock(mutex_);
  if (!idle_ || base_ == nullptr) return;
  std::vector<uint64_t> pages;
  for (const auto& [page, leases] : leases_) {
    if (leases == 0) pages.push_back(page);
  }
  idle_ = false;
  std::sort(pages.begin(), pages.end());
  for (size_t i = 0; i < pages.size();) {
    size_t next = i + 1;
    while (next < pages.size() && pages[next] == pages[next - 1] + 1) ++next;
    if (move_out(pages[i], pages[next - 1] + 1)) {
      for (; i < next; ++i) leases_.erase(pages[i]);
    } else {
      idle_ = true;
      i = next;
    }
  }
} catch (const std::bad_alloc&) {
  // They stay for now.
}

void SharedPages::detach() noexcept {
  const std::lock_guard lock(mutex_);
  base_ = nullptr;
}

// Another thread, which is not there, may have held the lock.
void SharedPages::forked() noexcept {
  new (&mutex_) std::mutex;
  base_ = nullptr;
}

}  // namespace nvm::heap
