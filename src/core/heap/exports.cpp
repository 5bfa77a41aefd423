#include "heap/exports.h"

#include <xxhash.h>

#include <algorithm>
#include <new>

#include "heap/layout/heap_walk.h"
#include "heap/layout/pmdk_layout.h"
#include "heap/pool.h"

namespace nvm::heap {

namespace {

char nothing = 0;  // what an export of no bytes points to

// Calls visit(number, begin, size) for each page's part of `size` bytes from `begin` on.
template <class F>
void for_each_page(Offset begin, uint64_t size, F&& visit) {
  const Offset end = begin + size;
  for (size_t number = 0; begin < end; ++number) {
    const Offset next = std::min(end, (begin / pmdk::kPage + 1) * pmdk::kPage);
    visit(number, begin, next - begin);
    begin = next;
  }
}

std::array<uint64_t, 2> checksum(const char* bytes, uint64_t size) noexcept {
  const XXH128_hash_t hash = XXH3_128bits(bytes, size);
  return {hash.low64, hash.high64};
}

}  // namespace

// Shows the bytes in the place that was brought.
char* Exports::show(Export& exported, char* place) {
  if (exported.mapping_.attached()) {
    exported.mapping_.mirror(place);
    return exported.mapping_.mirrored();
  }
  char* const shown = place + exported.begin_ % pmdk::kPage;
  std::copy_n(exported.data_, exported.size_, shown);
  return shown;
}

uint64_t Exports::room_for(Offset begin, uint64_t size) noexcept {
  return (begin % pmdk::kPage + size + pmdk::kPage - 1) / pmdk::kPage * pmdk::kPage;
}

Export* Exports::open(Offset block, Offset begin, uint64_t size, char* place) {
  auto exported = std::make_unique<Export>();
  exported->block_ = block;
  exported->begin_ = begin;
  exported->size_ = size;
  if (size == 0) {
    exported->data_ = &nothing;
  } else if (pool_.writable()) {
    exported->mapping_ = pool_.file().share(begin, size);
    exported->data_ = exported->mapping_.data();
    if (pool_.records()) {
      for_each_page(begin, size, [&](size_t, Offset from, uint64_t bytes) {
        exported->checksums_.push_back(checksum(exported->data_ + (from - begin), bytes));
      });
    }
  } else {
    const char* const bytes = pool_.file().base() + begin;
    exported->copy_.assign(bytes, bytes + size);
    exported->data_ = exported->copy_.data();
  }
  exported->place_ = place;
  exported->shown_ = place == nullptr ? exported->data_ : show(*exported, place);
  const std::lock_guard lock(mutex_);
  closed_.reserve(closed_.size() + exports_.size() + 1);
  return exports_.emplace_back(std::move(exported)).get();
}

void Exports::close(Export* exported) noexcept {
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(exports_.begin(), exports_.end(),
                                    [=](const auto& known) { return known.get() == exported; });
    std::unique_ptr<Export> closing = std::move(*found);
    exports_.erase(found);
    closing->mapping_.release_mirror();
    if (!pool_.records() || !closing->mapping_.attached()) {
      if (flush(*closing)) pool_.drain();
      return;
    }
    closed_.push_back(std::move(closing));
  }
  pool_.take_over_exports();
}

Export* Exports::at(const char* place) {
  const std::lock_guard lock(mutex_);
  for (const auto& known : exports_) {
    if (known->place_ == place) return known.get();
  }
  return nullptr;
}

bool Exports::exported(Offset block) {
  const std::lock_guard lock(mutex_);
  return std::any_of(exports_.begin(), exports_.end(),
                     [=](const auto& known) { return known->block_ == block; });
}

bool Exports::any_detached() {
  const std::lock_guard lock(mutex_);
  return std::any_of(exports_.begin(), exports_.end(),
                     [](const auto& known) { return !known->mapping_.attached(); });
}

std::optional<Offset> Exports::place_of(const void* data, uint64_t size) {
  const std::lock_guard lock(mutex_);
  for (const auto& known : exports_) {
    const auto skipped =
        reinterpret_cast<uintptr_t>(data) - reinterpret_cast<uintptr_t>(known->shown_);
    if (known->mapping_.attached() && skipped <= known->size_ && size <= known->size_ - skipped)
      return known->begin_ + skipped;
  }
  return std::nullopt;
}

bool Exports::flush(Export& exported) noexcept {
  if (!exported.mapping_.attached() || pool_.file().base() == nullptr) return false;
  if (pool_.records()) {
    flush_changed(exported);
    return true;
  }
  // By the pool's own address of these bytes, which is what a backend knows.
  pool_.flush(pool_.file().base() + exported.begin_, exported.size_);
  return true;
}

void Exports::flush_changed(Export& exported) noexcept {
  for_each_page(exported.begin_, exported.size_, [&](size_t number, Offset from, uint64_t bytes) {
    const auto now = checksum(exported.data_ + (from - exported.begin_), bytes);
    if (now == exported.checksums_[number]) return;
    exported.checksums_[number] = now;
    pool_.flush(pool_.file().base() + from, bytes);
  });
}

void Exports::flush() noexcept {
  const std::lock_guard lock(mutex_);
  flush_all();
}

void Exports::flush_all() noexcept {
  bool flushed = false;
  for (const auto& exported : exports_) flushed |= flush(*exported);
  for (const auto& exported : closed_) flushed |= flush(*exported);
  closed_.clear();
  if (flushed) pool_.drain();
}

void Exports::detach_freed() noexcept {
  const std::lock_guard lock(mutex_);
  for (const auto& exported : exports_) {
    if (!exported->mapping_.attached() ||
        quick_block_at(pool_.file().base(), pool_.file().size(), exported->block_))
      continue;
    exported->mapping_.detach();
    // Private pages show what others do to the file until they are stored to.
    for_each_page(exported->begin_, exported->size_, [&](size_t, Offset from, uint64_t) {
      volatile char* const byte = exported->shown_ + (from - exported->begin_);
      *byte = *byte;
    });
  }
}

void Exports::detach_all() noexcept {
  const std::lock_guard lock(mutex_);
  flush_all();
  for (const auto& exported : exports_) exported->mapping_.detach();
}

// Another thread, which is not there, may have held the lock.
void Exports::forked() noexcept {
  new (&mutex_) std::mutex;
  for (const auto& exported : exports_) exported->mapping_.detach();
}

}  // namespace nvm::heap
