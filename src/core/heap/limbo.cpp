#include "heap/limbo.h"

#include <algorithm>
#include <string>
#include <utility>

#include "heap/pool.h"
#include "heap/room.h"

namespace nvm::heap {

void Limbo::rescan() {
  slot_of_.clear();
  free_.clear();
  const uint64_t most = pool_.file().size() / sizeof(LimboSegment);
  uint64_t seen = 0;
  for (Offset at = pool_.root().limbo; at != 0;) {
    const auto* segment = pool_.at<LimboSegment>(at);
    if (segment->capacity != kSegmentSlots || ++seen > most)
      throw_corrupt("limbo list: a damaged segment at offset " + std::to_string(at));
    const auto* slots =
        pool_.at<LimboSegment>(at, sizeof(LimboSegment) + kSegmentSlots * sizeof(Offset))->slots;
    for (uint64_t i = 0; i < kSegmentSlots; ++i) {
      const Offset slot = pool_.offset_of(slots + i);
      if (slots[i] == 0) {
        free_.push_back(slot);
      } else {
        slot_of_.emplace(slots[i], slot);
      }
    }
    at = segment->next;
  }
}

std::vector<Offset> Limbo::segments() const {
  std::vector<Offset> blocks;
  for (Offset at = pool_.root().limbo; at != 0; at = pool_.at<LimboSegment>(at)->next)
    blocks.push_back(at);
  return blocks;
}

std::vector<Offset> Limbo::objects() const {
  std::vector<Offset> objects;
  objects.reserve(slot_of_.size());
  for (const auto& [object, slot] : slot_of_) objects.push_back(object);
  return objects;
}

Offset Limbo::free_slot(size_t nth) const noexcept {
  return nth < free_.size() ? free_[free_.size() - 1 - nth] : 0;
}

Offset Limbo::slot_of(Offset object) const {
  const auto found = slot_of_.find(object);
  return found == slot_of_.end() ? 0 : found->second;
}

void Limbo::make_room(size_t taken, size_t freed) {
  make_room_for(free_, freed);
  if (taken == 0) return;
  const size_t needed = slot_of_.size() + taken;
  const auto most = static_cast<float>(slot_of_.bucket_count()) * slot_of_.max_load_factor();
  // The one bucket of a new map is replaced by the first insertion.
  if (slot_of_.bucket_count() == 1 || static_cast<float>(needed) > most)
    slot_of_.reserve(2 * needed);
  make_room_for(spare_, taken);
  while (spare_.size() < taken) {
    nursery_.emplace(0, 0);
    spare_.push_back(nursery_.extract(nursery_.begin()));
  }
}

void Limbo::add_free(Offset slot) noexcept { free_.push_back(slot); }

void Limbo::taken(Offset object, Offset slot) noexcept {
  // Slots are taken from the end.
  const auto place = std::find(free_.rbegin(), free_.rend(), slot);
  if (place != free_.rend()) free_.erase(std::next(place).base());
  const auto known = slot_of_.find(object);
  if (known != slot_of_.end()) {
    known->second = slot;
    return;
  }
  Slots::node_type node = std::move(spare_.back());
  spare_.pop_back();
  node.key() = object;
  node.mapped() = slot;
  slot_of_.insert(std::move(node));
}

void Limbo::released(Offset object) noexcept {
  const auto found = slot_of_.find(object);
  if (found == slot_of_.end()) return;
  free_.push_back(found->second);
  slot_of_.erase(found);
}

}  // namespace nvm::heap
