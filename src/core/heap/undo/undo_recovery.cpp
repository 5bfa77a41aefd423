// Undoing what the log holds: in this process, or at open after a cut.
#include <algorithm>
#include <new>
#include <string>

#include "heap/file/actions.h"
#include "heap/pool.h"
#include "heap/undo/tx_state.h"
#include "heap/undo/undo_log.h"
#include "heap/undo/undo_slots.h"

namespace nvm::heap {

// ---- Undoing

uint64_t UndoLog::entry_slots(uint64_t index) const {
  switch (slot(index)->tag >> kNumberBits) {
    case kDestination:
      return kRangeSlots;
    case kBatch:
    case kVoid:
      // An entry of a damaged log may have been restored over it.
      if (slot(index)->value > kMaxActions || slot(index)->value >= count_ - index)
        throw_corrupt("undo log: a damaged batch");
      return 1 + slot(index)->value;
    default:
      return 1;
  }
}

// A range need not begin at a word.
char* UndoLog::bytes_at(Offset begin, uint64_t length) const {
  const uint64_t skipped = begin & (sizeof(uint64_t) - 1);
  return pool_.at<char>(begin - skipped, length + skipped) + skipped;
}

bool UndoLog::range_at(uint64_t index, Range& range) const {
  for (uint64_t i = 0; i < kRangeSlots; ++i)
    if (slot(index + i)->tag != tag(kDestination + i)) return false;
  range = {slot(index)->value, slot(index + 1)->value, slot(index + 2)->value,
           slot(index + 3)->value};
  return true;
}

// How many slots hold valid entries: what a recovery may trust.
uint64_t UndoLog::valid_entries() const {
  uint64_t index = 0;
  while (index < capacity_) {
    const Slot* const entry = slot(index);
    if ((entry->tag & kNumberMask) != number()) return index;
    const uint64_t place = entry->tag >> kNumberBits;
    uint64_t slots = 1;
    if (place == kDestination) {
      Range range;
      if (index + kRangeSlots > capacity_ || !range_at(index, range)) return index;
      pool_.at<char>(range.payload, range.length);
      bytes_at(range.destination, range.length);
      if (range.checksum != checksum(range)) return index;
      slots = kRangeSlots;
    } else if (place == kBatch || place == kVoid) {
      if (entry->value > kMaxActions || index + 1 + entry->value > capacity_)
        throw_corrupt("undo log: a damaged batch");
      slots = 1 + entry->value;
    } else if (place >= kFirstPlace) {
      pool_.at<uint64_t>(place * sizeof(uint64_t));
    } else if (place != kFree) {
      return index;  // left over from a batch that was not published
    }
    index += slots;
  }
  return index;
}

// Stores the old content back, newest entry first, down to slot `from`. Each slot says what it is,
// so that those of ranges and batches that are no beginning are passed over.
void UndoLog::restore(uint64_t from) {
  for (uint64_t start = count_; start-- > from;) {
    const uint64_t place = slot(start)->tag >> kNumberBits;
    if (place >= kFirstPlace) {
      uint64_t* const word = pool_.at<uint64_t>(place * sizeof(uint64_t));
      pmem::store(word, slot(start)->value);
      pool_.flush(word, sizeof(uint64_t));
    } else if (Range range;
               place == kDestination && start + kRangeSlots <= count_ && range_at(start, range)) {
      char* const destination = bytes_at(range.destination, range.length);
      pmem::copy(destination, pool_.at<char>(range.payload, range.length), range.length);
      pool_.flush(destination, range.length);
    }
  }
}

void UndoLog::undo_to(uint64_t mark, const std::vector<Offset>& early) {
  restore(mark);
  if (!early.empty()) free_batches(mark, &early);
}

// What was stored there is recorded for nothing where there is no memory for the list.
void UndoLog::forget_allocated() {
  try {
    pool_.forget(allocated());
  } catch (const std::bad_alloc&) {
    return;
  }
}

// The blocks of all batches.
std::vector<Offset> UndoLog::allocated() const {
  std::vector<Offset> blocks;
  for (uint64_t i = 0; i < count_; i += entry_slots(i)) {
    if (slot(i)->tag >> kNumberBits != kBatch) continue;
    for (uint64_t k = 1; k < entry_slots(i); ++k) blocks.push_back(slot(i + k)->value);
  }
  return blocks;
}

// Frees the batches noted from slot `from` on; if `only` is given, those of its blocks.
void UndoLog::free_batches(uint64_t from, const std::vector<Offset>* only) {
  for (uint64_t i = from; i < count_;) {
    const uint64_t slots = entry_slots(i);
    const bool batch = slot(i)->tag >> kNumberBits == kBatch && slots > 1;
    if (batch && (only == nullptr ||
                  std::find(only->begin(), only->end(), slot(i + 1)->value) != only->end()))
      free_batch(i);
    i += slots;
  }
}

void UndoLog::free_batch(uint64_t index) {
  PoolFile& file = pool_.mutable_file();
  const uint64_t count = slot(index)->value;
  if (count >= kMaxActions) throw_corrupt("undo log: a damaged batch");
  Actions actions;
  for (uint64_t i = 0; i < count; ++i) {
    const Slot* const entry = slot(index + 1 + i);
    if (entry->tag != tag(kAllocated) || !file.is_allocated(entry->value))
      throw_corrupt("undo log: it frees no block at offset " + std::to_string(entry->value));
    file.defer_free(actions.add(), entry->value);
  }
  file.set_value(actions.add(), &slot(index)->tag, tag(kVoid));
  file.publish(actions.data(), actions.size());
}

void UndoLog::roll_back() {
  restore(0);
  pool_.drain();
  if (pool_.writable()) {
    forget_allocated();
    free_batches(0, nullptr);
  }
  renew();
  end_generation();
}

void UndoLog::recover() {
  load_chains();
  TxControl& tx = control();
  const uint64_t phase = tx.state & kPhaseMask;
  if (phase > static_cast<uint64_t>(Phase::committed)) throw_corrupt("undo log: unknown phase");
  count_ = number() == 0 ? 0 : valid_entries();
  active_ = true;
  if (phase == static_cast<uint64_t>(Phase::committed)) {
    if (pool_.writable()) finish_frees();
    end_generation();
  } else {
    if (tx.cursor != 0) pmem::store(&tx.cursor, uint64_t{0});  // damage; renew() flushes its line
    roll_back();
  }
}

}  // namespace nvm::heap
