#include "heap/undo/undo_log.h"

#include <algorithm>
#include <string>

#include <xxhash.h>

#include "heap/file/actions.h"
#include "heap/pool.h"
#include "heap/room.h"
#include "heap/undo/tx_state.h"
#include "heap/undo/undo_slots.h"

namespace nvm::heap {

namespace {

uint64_t align_up(uint64_t value, uint64_t to) { return (value + to - 1) / to * to; }

}  // namespace

TxControl& UndoLog::control() const { return pool_.root().tx; }
uint64_t UndoLog::generation() const { return generation_of(control().state); }
bool UndoLog::idle() const { return (control().state & kPhaseMask) == 0; }
uint64_t UndoLog::number() const { return generation() & kNumberMask; }

// ---- Slots

UndoLog::Slot* UndoLog::slot(uint64_t index) const {
  auto segment = segments_.rbegin();
  while (index < segment->first) ++segment;
  auto* header = pool_.at<SegmentHeader>(segment->offset);
  return reinterpret_cast<Slot*>(header + 1) + (index - segment->first);
}

void UndoLog::put(uint64_t index, uint64_t value, uint64_t place) {
  Slot* const entry = slot(index);
  pmem::store(&entry->value, value);
  pmem::store(&entry->tag, tag(place));
  pool_.flush_undo(entry, sizeof(Slot));
  unsealed_ = true;
}

void UndoLog::seal() {
  if (!unsealed_) return;
  pool_.drain();
  unsealed_ = false;
}

// ---- Room

void UndoLog::create() {
  add_segment(kFirstSlots);
  add_payload(kPayloadBytes);  // so that a full pool can still be changed by what frees
}

void UndoLog::make_room(uint64_t slots) {
  while (count_ + slots + kSpareSlots > capacity_)
    add_segment(std::min(std::max(capacity_, kFirstSlots), kMostSlots));
}

void UndoLog::add_segment(uint64_t slots) {
  PoolFile& file = pool_.mutable_file();
  const uint64_t bytes = sizeof(SegmentHeader) + slots * sizeof(Slot);
  make_room_for(segments_, 1);
  Action actions[2];
  const Offset offset = file.reserve(bytes, {false, Type::blob}, actions[0]);
  if (offset == 0) throw Error(ErrorKind::full, "no room for the undo log", ENOMEM, pool_.path());
  auto* const header = pool_.at<SegmentHeader>(offset, bytes);
  pmem::zero(header, bytes);
  pmem::store(&header->slots, slots);
  pool_.flush(header, bytes);
  Offset* link = &control().first_segment;
  if (!segments_.empty()) link = &pool_.at<SegmentHeader>(segments_.back().offset)->next;
  file.set_value(actions[1], link, offset);
  file.publish(actions, 2);
  segments_.push_back({offset, slots, capacity_});
  capacity_ += slots;
}

// A place for the content of a range, in the payload block in use or a new one.
Offset UndoLog::payload_room(size_t length) {
  const uint64_t needed = align_up(length, 8);
  for (; payload_ < payloads_.size(); ++payload_, payload_used_ = 0) {
    const Payload& block = payloads_[payload_];
    if (needed > block.bytes - payload_used_) continue;
    const Offset place = block.offset + sizeof(PayloadHeader) + payload_used_;
    payload_used_ += needed;
    return place;
  }
  add_payload(std::max(needed, kPayloadBytes));
  payload_ = payloads_.size() - 1;
  payload_used_ = needed;
  return payloads_.back().offset + sizeof(PayloadHeader);
}

void UndoLog::add_payload(uint64_t bytes) {
  PoolFile& file = pool_.mutable_file();
  make_room_for(payloads_, 1);
  Action actions[2];
  const Offset offset =
      file.reserve(sizeof(PayloadHeader) + bytes, {false, Type::blob}, actions[0]);
  if (offset == 0) throw Error(ErrorKind::full, "no room for the undo log", ENOMEM, pool_.path());
  auto* const header = pool_.at<PayloadHeader>(offset);
  pmem::store(&header->next, Offset{0});
  pmem::store(&header->bytes, bytes);
  pool_.flush(header, sizeof(PayloadHeader));
  Offset* link = &control().first_payload;
  if (!payloads_.empty()) link = &pool_.at<PayloadHeader>(payloads_.back().offset)->next;
  file.set_value(actions[1], link, offset);
  file.publish(actions, 2);
  payloads_.push_back({offset, bytes});
}

void UndoLog::load_chains() {
  segments_.clear();
  payloads_.clear();
  capacity_ = 0;
  const uint64_t most = pool_.file().size() / kPayloadBytes + pool_.file().size() / kFirstSlots;
  for (Offset at = control().first_segment; at != 0;) {
    const auto* header = pool_.at<SegmentHeader>(at);
    if (header->slots == 0 || header->slots > pool_.file().size() / sizeof(Slot) ||
        segments_.size() > most)
      throw_corrupt("undo log: a damaged segment at offset " + std::to_string(at));
    pool_.at<SegmentHeader>(at, sizeof(SegmentHeader) + header->slots * sizeof(Slot));
    segments_.push_back({at, header->slots, capacity_});
    capacity_ += header->slots;
    at = header->next;
  }
  if (segments_.empty()) throw_corrupt("undo log: it has no segment");
  for (Offset at = control().first_payload; at != 0;) {
    const auto* header = pool_.at<PayloadHeader>(at);
    if (header->bytes > pool_.file().size() || payloads_.size() > most)
      throw_corrupt("undo log: a damaged payload block at offset " + std::to_string(at));
    pool_.at<PayloadHeader>(at, sizeof(PayloadHeader) + header->bytes);
    payloads_.push_back({at, header->bytes});
    at = header->next;
  }
}

// Gives back all but the first segment and a first payload block of ordinary size.
void UndoLog::trim() {
  payload_ = 0;
  payload_used_ = 0;
  if (!pool_.writable()) return;
  if (segments_.size() > 1) {
    release_chain(&pool_.at<SegmentHeader>(segments_.front().offset)->next, segments_, 1);
    capacity_ = segments_.front().slots;
  }
  const size_t keep = !payloads_.empty() && payloads_.front().bytes == kPayloadBytes ? 1 : 0;
  if (payloads_.size() <= keep) return;
  release_chain(keep == 1 ? &pool_.at<PayloadHeader>(payloads_.front().offset)->next
                          : &control().first_payload,
                payloads_, keep);
}

// Frees the blocks from `keep` on, linked in this order from `link`, in publishes that each cut the
// chain's end. Throws Error(corrupt) if one is none: a file may lie about where its log goes on.
template <class Block>
void UndoLog::release_chain(Offset* link, std::vector<Block>& blocks, size_t keep) {
  PoolFile& file = pool_.mutable_file();
  while (blocks.size() > keep) {
    const size_t count = std::min<size_t>(blocks.size() - keep, kMaxActions - 1);
    Actions actions;
    const size_t kept = blocks.size() - count;
    for (size_t i = kept; i < blocks.size(); ++i) {
      const Offset block = blocks[i].offset;
      if (!file.is_allocated(block))
        throw_corrupt("undo log: there is no block at offset " + std::to_string(block));
      file.defer_free(actions.add(), block);
    }
    // `next` is the first word of either kind of block.
    Offset* const cut = kept == keep ? link : pool_.at<Offset>(blocks[kept - 1].offset);
    file.set_value(actions.add(), cut, 0);
    file.publish(actions.data(), actions.size());
    blocks.erase(blocks.begin() + static_cast<ptrdiff_t>(kept), blocks.end());
  }
}

std::vector<Offset> UndoLog::blocks() const {
  std::vector<Offset> blocks;
  blocks.reserve(segments_.size() + payloads_.size());
  for (const Segment& segment : segments_) blocks.push_back(segment.offset);
  for (const Payload& payload : payloads_) blocks.push_back(payload.offset);
  return blocks;
}

// ---- Logging

void UndoLog::begin() {
  if (active_) return;
  if (number() == 0) {
    wipe();
    renew();
  }
  active_ = true;
  count_ = 0;
}

bool UndoLog::cached(Offset word) {
  Offset& place = logged_words_[(word >> 3) % logged_words_.size()];
  if (place == word) return true;
  place = word;
  return false;
}

void UndoLog::log_word(uint64_t* word) {
  const Offset offset = pool_.offset_of(word);
  make_room(1);
  if (cached(offset)) return;
  append(*word, offset / sizeof(uint64_t));
}

void UndoLog::log_range(const void* begin, size_t length) {
  if (length == 0) return;
  make_room(kRangeSlots);
  Range range{pool_.offset_of(begin), length, payload_room(length), 0};
  void* const payload = pool_.at<char>(range.payload, length);
  pmem::copy(payload, begin, length);
  pool_.flush_undo(payload, length);
  range.checksum = checksum(range);
  append(range.destination, kDestination);
  append(range.length, kLength);
  append(range.payload, kPayload);
  append(range.checksum, kChecksum);
}

uint64_t UndoLog::checksum(const Range& range) const {
  const uint64_t head[] = {range.destination, range.length, range.payload, generation()};
  const uint64_t seed = XXH3_64bits(head, sizeof head);
  return XXH3_64bits_withSeed(pool_.at<char>(range.payload, range.length), range.length, seed);
}

void UndoLog::publish_early(std::vector<Action>& allocations, std::vector<Offset>& blocks) {
  PoolFile& file = pool_.mutable_file();
  while (!blocks.empty()) {
    const size_t count = std::min<size_t>(blocks.size(), kMaxActions - 1);
    make_room(0);
    const uint64_t header = count_;
    for (size_t i = 0; i < count; ++i) put(header + 1 + i, blocks[i], kAllocated);
    Slot* const entry = slot(header);
    pmem::store(&entry->value, uint64_t{count});
    pool_.flush_undo(entry, sizeof(Slot));
    Actions actions;
    for (size_t i = 0; i < count; ++i) actions.add(allocations[i]);
    file.set_value(actions.add(), &entry->tag, tag(kBatch));
    allocations.erase(allocations.begin(), allocations.begin() + count);
    blocks.erase(blocks.begin(), blocks.begin() + count);
    file.publish(actions.data(), actions.size());
    count_ = header + 1 + count;
  }
  unsealed_ = false;  // a publish begins with a drain
}

// ---- Commit

void UndoLog::commit(std::vector<Action>& allocations, std::vector<Offset>& blocks,
                     std::vector<Offset>& frees) {
  PoolFile& file = pool_.mutable_file();
  TxControl& tx = control();
  const uint64_t next = tx_state(generation() + 1, Phase::idle);
  if (allocations.size() + frees.size() + 1 > kMaxActions) publish_early(allocations, blocks);
  if (allocations.empty() && frees.empty()) {
    pool_.drain();
    if (count_ == 0 && !unsealed_) return end_generation();  // nothing was logged
    pmem::store(&tx.state, next);
    pool_.flush(&tx.state, sizeof tx.state);
    pool_.drain();
  } else if (allocations.size() + frees.size() + 1 <= kMaxActions) {
    Actions actions;
    for (const Action& action : allocations) actions.add(action);
    for (const Offset block : frees) file.defer_free(actions.add(), block);
    file.set_value(actions.add(), &tx.state, next);
    allocations.clear();  // a publish that fails has cancelled them
    file.publish(actions.data(), actions.size());
  } else {
    note_frees(frees);
    seal();
    pool_.drain();
    pmem::store(&tx.state, tx_state(generation(), Phase::committed));
    pool_.flush(&tx.state, sizeof tx.state);
    pool_.drain();
    finish_frees();
  }
  allocations.clear();
  blocks.clear();
  frees.clear();
  end_generation();
}

void UndoLog::note_frees(const std::vector<Offset>& frees) {
  make_room(frees.size());
  for (const Offset block : frees) append(block, kFree);
}

// The next slot from there on that notes a free, or the end.
uint64_t UndoLog::next_free(uint64_t index) const {
  while (index < count_ && slot(index)->tag >> kNumberBits != kFree) index += entry_slots(index);
  return std::min(index, count_);
}

// Frees what a committed transaction noted, from the cursor on; the last batch ends it.
void UndoLog::finish_frees() {
  PoolFile& file = pool_.mutable_file();
  TxControl& tx = control();
  uint64_t done = tx.cursor;
  uint64_t index = next_free(0);
  for (uint64_t passed = 0; passed < done; ++passed) {
    if (index == count_) throw_corrupt("undo log: its cursor is beyond its end");
    index = next_free(index + 1);
  }
  for (bool last = false; !last;) {
    Actions actions;
    while (index != count_ && actions.size() < kMaxActions - 2) {
      const Offset block = slot(index)->value;
      if (!file.is_allocated(block))
        throw_corrupt("undo log: it frees no block at offset " + std::to_string(block));
      file.defer_free(actions.add(), block);
      index = next_free(index + 1);
    }
    done += actions.size();
    last = index == count_;
    file.set_value(actions.add(), &tx.cursor, last ? 0 : done);
    if (last) file.set_value(actions.add(), &tx.state, tx_state(generation() + 1, Phase::idle));
    file.publish(actions.data(), actions.size());
  }
}

// ---- Generations

void UndoLog::renew() {
  TxControl& tx = control();
  pmem::store(&tx.state, tx_state(generation() + 1, Phase::idle));
  pool_.flush(&tx.state, sizeof tx.state);
  pool_.drain();
}

void UndoLog::wipe() {
  for (const Segment& segment : segments_) {
    auto* const slots = pool_.at<SegmentHeader>(segment.offset) + 1;
    pmem::zero(slots, segment.slots * sizeof(Slot));
    pool_.flush(slots, segment.slots * sizeof(Slot));
  }
  pool_.drain();
}

void UndoLog::end_generation() {
  active_ = false;
  unsealed_ = false;
  if (count_ != 0) logged_words_.fill(0);
  count_ = 0;
  trim();
}

}  // namespace nvm::heap
