#include "heap/exports.h"

#include <algorithm>

#include "heap/layout/heap_walk.h"
#include "heap/pool.h"

namespace nvm::heap {

namespace {

char nothing = 0;  // what an export of no bytes points to

}  // namespace

Export* Exports::open(Offset block, Offset begin, uint64_t size) {
  auto exported = std::make_unique<Export>();
  exported->block_ = block;
  exported->begin_ = begin;
  exported->size_ = size;
  if (size == 0) {
    exported->data_ = &nothing;
  } else if (pool_.writable()) {
    exported->mapping_ = pool_.file().share(begin, size);
    exported->data_ = exported->mapping_.data();
  } else {
    const char* const bytes = pool_.file().base() + begin;
    exported->copy_.assign(bytes, bytes + size);
    exported->data_ = exported->copy_.data();
  }
  const std::lock_guard lock(mutex_);
  return exports_.emplace_back(std::move(exported)).get();
}

void Exports::close(Export* exported) noexcept {
  const std::lock_guard lock(mutex_);
  if (flush(*exported)) pool_.drain();
  std::erase_if(exports_, [=](const auto& known) { return known.get() == exported; });
}

bool Exports::exported(Offset block) {
  const std::lock_guard lock(mutex_);
  return std::any_of(exports_.begin(), exports_.end(),
                     [=](const auto& known) { return known->block_ == block; });
}

std::optional<Offset> Exports::place_of(const void* data, uint64_t size) {
  const std::lock_guard lock(mutex_);
  for (const auto& known : exports_) {
    const auto skipped =
        reinterpret_cast<uintptr_t>(data) - reinterpret_cast<uintptr_t>(known->data_);
    if (known->mapping_.attached() && skipped <= known->size_ && size <= known->size_ - skipped)
      return known->begin_ + skipped;
  }
  return std::nullopt;
}

bool Exports::flush(const Export& exported) noexcept {
  if (!exported.mapping_.attached()) return false;
  // By the pool's own address of these bytes, which is what a backend knows.
  pool_.flush(pool_.file().base() + exported.begin_, exported.size_);
  return true;
}

void Exports::flush() noexcept {
  const std::lock_guard lock(mutex_);
  flush_all();
}

void Exports::flush_all() noexcept {
  bool flushed = false;
  for (const auto& exported : exports_) flushed |= flush(*exported);
  if (flushed) pool_.drain();
}

void Exports::detach_freed() noexcept {
  const std::lock_guard lock(mutex_);
  for (const auto& exported : exports_) {
    if (!exported->mapping_.attached() ||
        quick_block_at(pool_.file().base(), pool_.file().size(), exported->block_))
      continue;
    // Private pages show what others do to the file until they are stored to.
    const std::vector<char> content(exported->data_, exported->data_ + exported->size_);
    exported->mapping_.detach();
    std::copy(content.begin(), content.end(), exported->data_);
  }
}

void Exports::detach_all() noexcept {
  const std::lock_guard lock(mutex_);
  flush_all();
  for (const auto& exported : exports_) exported->mapping_.detach();
}

// Another thread, which is not there, may have held the lock.
void Exports::forked() noexcept {
  for (const auto& exported : exports_) exported->mapping_.detach();
}

}  // namespace nvm::heap
