#include "crash/lines.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "crash/mix.h"

namespace nvm::crash {
namespace {

uint64_t hash_line(uint64_t line, const char* bytes) {
  uint64_t hash = mix(line + 1);
  for (uint64_t i = 0; i < kLineSize; i += kWordSize) {
    uint64_t word = 0;
    std::memcpy(&word, bytes + i, kWordSize);
    hash = mix(hash + word);
  }
  return hash;
}

}  // namespace

void Lines::store(const Event& event) {
  const uint64_t line = event.offset - event.offset % kLineSize;
  OpenLine& open = open_[line];
  if (open.contents.empty()) {
    open.before = durable_stores_[line];
    std::memcpy(open.contents.emplace_back().data(), scratch_.at(line), kLineSize);
  }
  LineBytes bytes = open.contents.back();
  std::memcpy(bytes.data() + event.offset % kLineSize, &event.value, event.length);
  open.contents.push_back(bytes);
  open.stored_since_fence = true;
}

void Lines::flush(const Event& event) {
  const uint64_t end = event.offset + event.value * kLineSize;
  for (auto line = open_.lower_bound(event.offset); line != open_.end() && line->first < end;
       ++line) {
    flushed_[event.thread][line->first] = line->second.before + line->second.contents.size() - 1;
  }
}

void Lines::fence(const Event& event) {
  for (const auto& [line, stores] : flushed_[event.thread]) make_durable(line, stores);
  flushed_.erase(event.thread);
  for (auto& [line, open] : open_) open.stored_since_fence = false;
}

void Lines::resize(const Event& event) {
  scratch_.resize(event.value);
  durable_hash_ ^= mix(event.value);
}

uint64_t Lines::hash_change(uint64_t line, const LineBytes& bytes) const {
  return hash_line(line, scratch_.at(line)) ^ hash_line(line, bytes.data());
}

void Lines::make_durable(uint64_t line, uint64_t stores) {
  const auto found = open_.find(line);
  if (found == open_.end() || stores <= found->second.before) return;
  OpenLine& open = found->second;
  const auto kept = open.contents.begin() + static_cast<ptrdiff_t>(stores - open.before);
  durable_hash_ ^= hash_change(line, *kept);
  scratch_.write(line, kept->data(), kLineSize);
  open.contents.erase(open.contents.begin(), kept);
  open.before = stores;
  durable_stores_[line] = stores;
  if (open.contents.size() == 1) open_.erase(found);
}

}  // namespace nvm::crash
