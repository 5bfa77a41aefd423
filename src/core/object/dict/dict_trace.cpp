// What a dict or set owns and refers to, and whether its entries and its index are sound; and how
// they are made so.
#include <algorithm>
#include <string>
#include <vector>

#include "object/dict/dict.h"
#include "object/dict/dict_body.h"
#include "object/dict/dict_table.h"
#include "object/value/blob.h"
#include "pmem/error.h"
#include "pmem/store.h"

namespace nvm::object::dict {
namespace {

// Looks at the entries one by one, then at what they are only together: each has a slot that
// counts, and no two have equal keys. Takes a bounded time for any bytes.
class Examination {
 public:
  Examination(Pool& pool, const Table& table, bool set, Tracer& tracer)
      : pool_(pool), table_(table), set_(set), tracer_(tracer) {}

  void entry(uint64_t number) {
    const Entry* const entry = table_.entry(number);
    if (entry->mark == 0) return wrong(number, " has no mark");
    const StoredKey key = stored_key(*entry);
    tracer_.cell(table_.value(entry), {Slot::Kind::value, number});
    if (key.kind == StoredKey::Kind::cell) tracer_.cell(key.cell, {Slot::Kind::key, number});
    if (!tracer_.examines()) return;
    if (set_ && table_.value(entry) != Cell::none()) wrong(number, " of a set has a value");
    if (key_is_sound(*entry, key, number))
      live_.push_back(uint64_t{hash_of_mark(entry->mark)} << 32 | number);
  }

  void all() {
    if (!tracer_.examines()) return;
    if (table_.large()) examine_index();
    examine_equality();
  }

 private:
  void wrong(uint64_t number, const char* what, Flaw flaw = Flaw::other) {
    tracer_.damage("entry " + std::to_string(number) + what, {Slot::Kind::value, number}, flaw);
  }

  // An entry must be what a look-up of its key compares it with.
  bool key_is_sound(const Entry& entry, const StoredKey& stored, uint64_t number) {
    try {
      const Key key(pool_, value_of(pool_, stored));
      if (key.hash() != hash_of_mark(entry.mark)) {
        wrong(number, " has another hash than its key");
        return false;
      }
      if (EntryKey(key).has_form_of(entry)) return true;
      wrong(number, "'s key is not in its shortest form");
    } catch (const Error& error) {
      wrong(number, (std::string("'s key is none: ") + error.what()).c_str());
    }
    return false;
  }

  // ---- The index

  uint64_t count_before(uint64_t slot) const {  // slots in use right before the first
    uint64_t before = 0;
    while (before < table_.slots().count &&
           slots()[(slot + table_.slots().count - 1 - before) % table_.slots().count] != 0)
      ++before;
    return before;
  }
  const uint64_t* slots() const { return table_.slots().begin; }

  void examine_index() {
    const uint64_t count = table_.slots().count;
    std::vector<bool> found(table_.used());
    uint64_t run = count_before(0);  // slots in use that a probe passes to get here
    for (uint64_t slot = 0; slot < count; ++slot) {
      const uint64_t word = slots()[slot];
      if (word == 0) {
        run = 0;
        continue;
      }
      const auto home = static_cast<uint64_t>(table_.slots().first(static_cast<uint32_t>(word)) -
                                              table_.slots().begin);
      const uint64_t steps = slot >= home ? slot - home : slot + count - home;
      if (steps <= run && table_.counts(word)) found[number_of_slot(word)] = true;
      run = std::min(run + 1, count);
    }
    for (const uint64_t entry : live_)
      if (!found[entry & 0xFFFFFFFF])
        wrong(entry & 0xFFFFFFFF, " is not in the index", Flaw::index);
  }

  // ---- Equality

  StoredKey key_of(uint64_t entry) const { return stored_key(*table_.entry(entry & 0xFFFFFFFF)); }

  void examine_equality() {
    std::sort(live_.begin(), live_.end());
    for (auto begin = live_.begin(); begin != live_.end();) {
      const auto end = std::find_if(begin, live_.end(),
                                    [&](uint64_t entry) { return entry >> 32 != *begin >> 32; });
      if (end - begin > 1) examine_same_hash({begin, end});
      begin = end;
    }
  }

  void examine_same_hash(std::vector<uint64_t> entries) {
    std::sort(entries.begin(), entries.end(),
              [this](uint64_t a, uint64_t b) { return compare(pool_, key_of(a), key_of(b)) < 0; });
    for (size_t i = 1; i < entries.size(); ++i)
      if (compare(pool_, key_of(entries[i - 1]), key_of(entries[i])) == 0)
        wrong(entries[i] & 0xFFFFFFFF, " has a key that another one has");
  }

  Pool& pool_;
  const Table& table_;
  const bool set_;
  Tracer& tracer_;
  std::vector<uint64_t> live_;  // entries that are sound by themselves: hash << 32 | number
};

bool trace_blocks(const Table& table, Tracer& tracer) {
  if (!table.has_body()) return true;
  if (!table.large()) return tracer.block(table.body(), inline_bytes(table.room()));
  bool whole = tracer.block(table.body(), directory_bytes(table.room()));
  whole &= tracer.block(table.index(), table.slots().count * sizeof(uint64_t));
  for (uint64_t segment = 0; whole && segment < table.room(); ++segment) {
    const Offset offset = table.segment(segment);
    if (offset == 0) continue;
    const uint64_t gap = align_entry(offset) - offset;
    whole = tracer.block(offset, gap + segment_entries(segment) * kEntryBytes);
  }
  return whole;
}

bool is_tombstone(const Table& table, uint64_t number) {
  return table.value(table.entry(number)).blank();
}

}  // namespace

void trace(Pool& pool, Offset dict, Tracer& tracer) {
  const Table table(pool, settled(pool, dict));
  if (!trace_blocks(table, tracer)) return;
  const bool set = pool.type_number(dict) == static_cast<uint64_t>(heap::Type::set);
  Examination examination(pool, table, set, tracer);
  uint64_t deleted = 0;
  for (uint64_t number = 0; number < table.used(); ++number) {
    if (is_tombstone(table, number)) {
      ++deleted;
    } else {
      examination.entry(number);
    }
  }
  if (deleted != table.deletions())
    tracer.damage(
        std::to_string(deleted) + " entries are deleted, not " + std::to_string(table.deletions()),
        {}, Flaw::length);
  examination.all();
}

void renew_index(Operation& op, Offset dict) {
  Table table(op, settled(op.pool(), dict));
  if (table.large())
    renew_index(op, table, std::max(table.index_log2(), index_for(table.used() + 1)));
}

void count_deletions(Operation& op, Offset dict) {
  Table table(op, settled(op.pool(), dict));
  uint64_t deleted = 0;
  for (uint64_t number = 0; number < table.used(); ++number)
    deleted += is_tombstone(table, number) ? 1 : 0;
  table.set_deleted(deleted, 0);  // none that is still to be completed
}

}  // namespace nvm::object::dict
