#include "object/dict/dict_table.h"

#include <string>

#include "pmem/error.h"
#include "pmem/store.h"

namespace nvm::object::dict {

Table::Table(Pool& pool, Operation* op, Header* header, bool fresh)
    : pool_(pool), op_(op), header_(header), fresh_dict_(fresh) {
  read_body();
}

void Table::read_body() {
  offset_ = load(&header_->body);
  body_ = nullptr;
  fresh_body_ = false;
  used_ = deleted_ = 0;
  if (offset_ == 0) return;
  fresh_body_ = fresh_dict_ || (op_ != nullptr && offset_ != pmem::load(&header_->body));
  body_ = pool_.at<Body>(offset_);
  used_ = load(&body_->used);
  deleted_ = load(&body_->deleted);
  const uint64_t room = load(&body_->room);
  large_ = (room & kLarge) != 0;
  room_ = room & ~kLarge;
  if (large_) {
    if (room_ != kSmallDirectory && room_ != kLargeDirectory) damaged("directory");
    pool_.at<Body>(offset_, directory_bytes(room_));
    if (used_ > kMaxEntries) damaged("number of entries");
    read_index(load(&body_->index));
  } else {
    if (room_ > kLargestInline || used_ > room_) damaged("number of entries");
    pool_.at<Body>(offset_, inline_bytes(room_));
  }
  if (deletions() > used_) damaged("number of deletions");
}

void Table::read_index(uint64_t word) {
  index_log2_ = static_cast<unsigned>(word >> kIndexShift);
  index_offset_ = word & heap::kMaxOffset;
  if (index_log2_ < kSmallestIndex || index_log2_ > kLargestIndex) damaged("index");
  slots_.count = slots_of(index_log2_);
  slots_.begin = pool_.at<uint64_t>(index_offset_, slots_.count * sizeof(uint64_t));
}

Entry* Table::entry(uint64_t number) const {
  if (large_) return large_entry(number);
  if (number >= room_) damaged("entry number");
  return reinterpret_cast<Entry*>(body_ + 1) + number;
}

Entry* Table::large_entry(uint64_t number) const {
  const Place place = place_of(number);
  if (place.segment >= room_) damaged("entry number");
  uint64_t entry = place.entry;
  if (spills(place.segment)) {
    if (entry == 0) {
      const Offset spilled = spilled_at(offset_, room_);
      return pool_.at<Entry>(spilled + (place.segment - kFirstSpilled) * kEntryBytes);
    }
    --entry;
  }
  return pool_.at<Entry>(align_entry(segment(place.segment)) + entry * kEntryBytes);
}

// ---- Lookup

Probe Table::find(const EntryKey& key) const {
  if (!has_body()) return {};
  if (!large_) return find_inline(key);
  Probe probe;
  const uint32_t hash = key.hash();
  uint64_t* place = slots_.first(hash);
  for (; probe.steps < slots_.count; ++probe.steps, place = slots_.next(place)) {
    const uint64_t word = pmem::load(place);
    if (word == 0) {
      probe.blank = place;
      return probe;
    }
    const uint64_t number = number_of_slot(word);
    if (number >= used_) {
      if (probe.stale == nullptr) probe.stale = place;
      continue;
    }
    if (static_cast<uint32_t>(word) != hash) continue;
    Entry* const found = entry(number);
    if (hash_of_mark(found->mark) != hash || value(found).blank() || !key.matches(pool_, *found))
      continue;
    probe.entry = found;
    probe.number = number;
    return probe;
  }
  return probe;
}

void Table::prefetch(std::span<const Key> keys) const {
  if (!large_) return;
  for (const Key& key : keys) slots_.prefetch(key.hash());
  for (const Key& key : keys) {
    const uint64_t word = pmem::load(slots_.first(key.hash()));
    if (static_cast<uint32_t>(word) != key.hash()) continue;
    if (const uint64_t number = number_of_slot(word); number < used_)
      __builtin_prefetch(entry(number), 1);
  }
}

Probe Table::find_inline(const EntryKey& key) const {
  Probe probe;
  auto* const entries = reinterpret_cast<Entry*>(body_ + 1);
  for (uint64_t number = 0; number < used_; ++number) {
    Entry* const found = entries + number;
    if (hash_of_mark(found->mark) != key.hash() || value(found).blank() ||
        !key.matches(pool_, *found))
      continue;
    probe.entry = found;
    probe.number = number;
    break;
  }
  return probe;
}

bool Table::counts(uint64_t slot) const {
  const uint64_t number = number_of_slot(slot);
  return number < used_ && hash_of_mark(entry(number)->mark) == static_cast<uint32_t>(slot);
}

// ---- Changes

void Table::assign(uint64_t* word, uint64_t value, bool at_once) {
  if (!at_once) {
    op_->set(word, value);
    return;
  }
  pmem::store(word, value);
  op_->written(word, sizeof(uint64_t));
}

void Table::set_body(Offset body) {
  assign(&header_->body, body, fresh_dict_);
  read_body();
}

void Table::set_used(uint64_t used) {
  assign(&body_->used, used, fresh_body_);
  used_ = used;
}

void Table::set_deleted(uint64_t deletions, uint64_t noted) {
  deleted_ = deletions << 32 | noted;
  assign(&body_->deleted, deleted_, fresh_body_);
}

void Table::set_index(Offset index, unsigned log2) {
  const uint64_t word = index | uint64_t{log2} << kIndexShift;
  assign(&body_->index, word, fresh_body_);
  read_index(word);
}

void Table::set_segment(uint64_t segment, Offset offset) {
  assign(&pointers()[segment], offset, fresh_body_);
}

// A large body that is fresh may have taken over segments that are not.
void Table::set_value(Entry* entry, Cell value) {
  assign(&entry->value, value.bits(), fresh_dict_ || (fresh_body_ && !large_));
}

bool Table::careful() const {
  if (fresh_dict_) return false;
  return op_->in_transaction() || fresh_body_ || used_ != pmem::load(&body_->used);
}

void Table::damaged(const char* what) const {
  throw_corrupt("the dict at offset " + std::to_string(pool_.offset_of(header_)) +
                " is damaged: its " + what + " is wrong");
}

}  // namespace nvm::object::dict
