#include "heap/handles.h"

#include <utility>

#include "heap/room.h"

namespace nvm::heap {

Handles::~Handles() {
  for (const auto& [offset, handle] : table_) delete handle;
  while (released_ != nullptr) delete std::exchange(released_, released_->next_);
}

Handle* Handles::pin(Offset offset) {
  std::lock_guard lock(mutex_);
  auto [place, fresh] = table_.try_emplace(offset, nullptr);
  if (fresh) {
    try {
      place->second = new Handle;
    } catch (...) {
      table_.erase(place);
      throw;
    }
    place->second->offset_.store(offset, std::memory_order_relaxed);
    place->second->pool_ = &pool_;
  }
  ++place->second->pins_;
  return place->second;
}

void Handles::pin_again(Handle* handle) noexcept {
  std::lock_guard lock(mutex_);
  ++handle->pins_;
}

void Handles::unpin(Handle* handle) noexcept {
  std::lock_guard lock(mutex_);
  if (--handle->pins_ != 0) return;
  const Offset offset = handle->offset();
  if (offset != 0) {
    table_.erase(offset);
    if (handle->on_limbo_) {
      handle->next_ = std::exchange(released_, handle);
      ++released_count_;
      any_released_.store(true, std::memory_order_relaxed);
      return;
    }
  }
  delete handle;
}

bool Handles::is_pinned(Offset offset) const {
  std::lock_guard lock(mutex_);
  return table_.count(offset) != 0;
}

void Handles::set_on_limbo(Offset offset, bool on_limbo) {
  std::lock_guard lock(mutex_);
  const auto found = table_.find(offset);
  if (found != table_.end()) found->second->on_limbo_ = on_limbo;
}

void Handles::clear_limbo_marks() {
  std::lock_guard lock(mutex_);
  for (const auto& [offset, handle] : table_) handle->on_limbo_ = false;
}

void Handles::make_stale(Offset offset) {
  std::lock_guard lock(mutex_);
  const auto found = table_.find(offset);
  if (found == table_.end()) return;
  found->second->offset_.store(0, std::memory_order_relaxed);
  found->second->on_limbo_ = false;
  table_.erase(found);  // its pins delete it
}

void Handles::take_released(std::vector<Offset>& objects) {
  std::lock_guard lock(mutex_);
  make_room_for(objects, released_count_);
  while (released_ != nullptr) {
    objects.push_back(released_->offset());
    delete std::exchange(released_, released_->next_);
  }
  released_count_ = 0;
  any_released_.store(false, std::memory_order_relaxed);
}

std::vector<Offset> Handles::all() const {
  std::lock_guard lock(mutex_);
  std::vector<Offset> offsets;
  offsets.reserve(table_.size());
  for (const auto& [offset, handle] : table_) offsets.push_back(offset);
  return offsets;
}

}  // namespace nvm::heap
