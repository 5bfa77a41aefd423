#include "object/dict/dict_body.h"

#include <string>

#include "object/store.h"
#include "pmem/error.h"
#include "pmem/store.h"

namespace nvm::object::dict {
namespace {

constexpr uint64_t kLongProbe = 64;
constexpr uint64_t kFewEntries = 32;  // not worth a rebuild
constexpr uint64_t kAhead = 16;       // entries whose slots are being fetched

// A fresh block of zeros, to be told to written() when it is filled.
Offset allocate_zeroed(Operation& op, uint64_t bytes) {
  const Offset offset = op.allocate_blob(bytes);
  pmem::zero(op.at<char>(offset, bytes), bytes);
  return offset;
}

void require_aligned(bool aligned) {
  if (!aligned) throw Error(ErrorKind::internal, "a dict's entries would not be aligned");
}

uint64_t index_bytes(unsigned log2) { return slots_of(log2) * sizeof(uint64_t); }

Offset make_index(Operation& op, unsigned log2) {
  const uint64_t bytes = index_bytes(log2);
  const Offset offset = allocate_zeroed(op, bytes);
  op.written(op.at<char>(offset, bytes), bytes);
  return offset;
}

Offset make_inline(Operation& op, uint64_t entries) {
  const Offset offset = allocate_zeroed(op, inline_bytes(entries));
  require_aligned(offset == align_entry(offset));
  auto* const body = op.at<Body>(offset);
  pmem::store(&body->room, entries);
  op.written(body, inline_bytes(entries));
  return offset;
}

Offset make_directory(Operation& op, uint64_t pointers, uint64_t index) {
  const Offset offset = allocate_zeroed(op, directory_bytes(pointers));
  auto* const body = op.at<Body>(offset);
  pmem::store(&body->index, index);
  pmem::store(&body->room, kLarge | pointers);
  op.written(body, directory_bytes(pointers));
  return offset;
}

uint64_t pointers_for(uint64_t entries) {
  const uint64_t last = entries == 0 ? 0 : entries - 1;
  return place_of(last).segment < kSmallDirectory ? kSmallDirectory : kLargeDirectory;
}

uint64_t index_word(Offset index, unsigned log2) { return index | uint64_t{log2} << kIndexShift; }

void add_segment(Operation& op, Table& table, uint64_t segment) {
  const uint64_t bytes = segment_entries(segment) * kEntryBytes;
  const Offset offset = allocate_zeroed(op, with_gap(bytes));
  require_aligned(align_entry(offset) + bytes <= offset + with_gap(bytes));
  op.written(op.at<char>(offset, with_gap(bytes)), with_gap(bytes));
  table.set_segment(segment, offset);
}

// The same segments under a larger directory.
void widen(Operation& op, Table& table) {
  const Table before = table;
  const uint64_t index = index_word(before.index(), before.index_log2());
  table.set_body(make_directory(op, kLargeDirectory, index));
  for (uint64_t segment = 0; segment < before.room(); ++segment)
    table.set_segment(segment, before.segment(segment));
  table.set_deleted(before.deletions(), before.noted());
  table.set_used(before.used());
  op.free(before.body());
}

uint64_t* blank_slot(const Slots& slots, uint32_t hash) {
  uint64_t* slot = slots.first(hash);
  for (uint64_t step = 0; *slot != 0; slot = slots.next(slot))
    if (++step == slots.count) throw_corrupt("a dict has more entries than it says");
  return slot;
}

// Returns the slot, to be told to written().
uint64_t* put_slot(const Slots& slots, uint32_t hash, uint64_t number) {
  uint64_t* const slot = blank_slot(slots, hash);
  pmem::store(slot, slot_word(hash, number));
  return slot;
}

// The slots of entries that follow each other lie anywhere: those to come are fetched meanwhile.
void prefetch_ahead(const Slots& slots, const Table& entries, uint64_t number) {
  if (number + kAhead < entries.used())
    slots.prefetch(hash_of_mark(entries.entry(number + kAhead)->mark));
}

// Entries move with their keys and values, in order and without the tombstones.
void rebuild(Operation& op, Table& table, uint64_t expected) {
  const Table before = table;
  table.set_body(make_body(op, expected));
  uint64_t number = 0;
  for (uint64_t old = 0; old < before.used(); ++old) {
    if (table.large()) prefetch_ahead(table.slots(), before, old);
    const Entry* const source = before.entry(old);
    const Cell value = before.value(source);
    if (value.blank()) continue;
    if (table.large()) {
      const uint64_t segment = place_of(number).segment;
      if (table.segment(segment) == 0) add_segment(op, table, segment);
      op.written(put_slot(table.slots(), hash_of_mark(source->mark), number), sizeof(uint64_t));
    }
    Entry* const entry = table.entry(number++);
    pmem::copy(entry, source, sizeof(Entry));
    pmem::store(&entry->value, value.bits());
    op.written(entry, sizeof(Entry));
  }
  table.set_used(number);
  free_body(op, before);
}

// Room for half as many again, so that a dict whose entries come and go is seldom rebuilt.
uint64_t comfortable(const Table& table) { return table.live() + table.live() / 2 + 1; }

bool worn_out(const Table& table) {
  if (!table.large()) return table.used() >= table.room();
  if (table.used() >= kMaxEntries) return table.deletions() != 0;
  return table.deletions() > table.live() && table.used() >= kFewEntries;
}

// Whether most slots of a long probe are what aborted inserts left.
bool clogged(const Table& table, uint32_t hash, const Probe& probe) {
  if (probe.blank == nullptr && probe.stale == nullptr) return true;
  if (probe.steps < kLongProbe) return false;
  uint64_t counting = 0;
  uint64_t* slot = table.slots().first(hash);
  for (uint64_t step = 0; step < kLongProbe; ++step, slot = table.slots().next(slot))
    counting += table.counts(*slot) ? 1 : 0;
  return counting < kLongProbe / 2;
}

void store_slot(Operation& op, Table& table, uint32_t hash, Probe probe, bool careful) {
  if (clogged(table, hash, probe)) {
    renew_index(op, table, index_for(table.used() + 1));
    probe = {.blank = blank_slot(table.slots(), hash)};
  }
  const bool avoid_log = careful && probe.blank != nullptr;
  uint64_t* const slot = avoid_log || probe.stale == nullptr ? probe.blank : probe.stale;
  if (careful && *slot != 0) op.change(slot, sizeof(uint64_t));
  pmem::store(slot, slot_word(hash, table.used()));
  op.written(slot, sizeof(uint64_t));
}

}  // namespace

Offset make_body(Operation& op, uint64_t expected) {
  if (expected <= kLargestInline) return make_inline(op, inline_room(expected));
  const unsigned log2 = index_for(expected);
  return make_directory(op, pointers_for(expected), index_word(make_index(op, log2), log2));
}

bool make_room(Operation& op, Table& table) {
  if (!table.has_body()) {
    table.set_body(make_body(op, 1));
    return true;
  }
  bool moved = worn_out(table);
  if (moved) rebuild(op, table, comfortable(table));
  if (!table.large()) return moved;
  if (table.used() >= kMaxEntries)
    throw Error(ErrorKind::value,
                "a dict holds at most " + std::to_string(kMaxEntries) + " entries");
  const uint64_t segment = place_of(table.used()).segment;
  if (segment >= table.room()) widen(op, table);
  if (table.segment(segment) == 0) add_segment(op, table, segment);
  if (table.used() < index_holds(table.index_log2())) return moved;
  renew_index(op, table, index_for(table.used() + 1));
  return true;
}

void make_room_for(Operation& op, Table& table, uint64_t additional) {
  if (additional > kMaxEntries - table.used()) return;  // the inserts will say so
  if (!table.has_body()) return table.set_body(make_body(op, additional));
  const uint64_t expected = table.used() + additional;
  if (!table.large()) {
    if (expected > table.room()) rebuild(op, table, table.live() + additional);
    return;
  }
  if (pointers_for(expected) > table.room()) widen(op, table);
  if (index_holds(table.index_log2()) < expected) renew_index(op, table, index_for(expected));
}

void renew_index(Operation& op, Table& table, unsigned log2) {
  const Offset before = table.index();
  const uint64_t bytes = index_bytes(log2);
  const Offset index = allocate_zeroed(op, bytes);
  table.set_index(index, log2);
  for (uint64_t number = 0; number < table.used(); ++number) {
    prefetch_ahead(table.slots(), table, number);
    const Entry* const entry = table.entry(number);
    if (!table.value(entry).blank()) put_slot(table.slots(), hash_of_mark(entry->mark), number);
  }
  op.written(op.at<char>(index, bytes), bytes);
  op.free(before);
}

void append(Operation& op, Table& table, const EntryKey& key, Cell value, const Probe& probe) {
  const uint64_t number = table.used();
  const bool careful = table.careful();
  const bool one_word = !careful && key.plain() && plain(value);
  Entry* const entry = table.entry(number);
  if (entry->mark != 0) {  // of an insert that was undone, or of an entry that was erased
    if (careful) {
      op.change(entry, sizeof(Entry));
    } else if (one_word) {
      pmem::store(&entry->mark, uint64_t{0});
      op.written(entry, sizeof(Entry));
      op.fence();
    }
  }
  key.store(op, entry, value);
  if (table.large()) store_slot(op, table, key.hash(), probe, careful);
  table.set_used(number + 1);
  if (one_word) op.one_fence();
}

void free_body(Operation& op, const Table& table) {
  if (!table.has_body()) return;
  if (table.large()) {
    for (uint64_t segment = 0; segment < table.room(); ++segment)
      if (const Offset offset = table.segment(segment); offset != 0) op.free(offset);
    op.free(table.index());
  }
  op.free(table.body());
}

}  // namespace nvm::object::dict
