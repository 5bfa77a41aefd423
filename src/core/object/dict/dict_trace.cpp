#include <string>

#include "object/dict/dict.h"
#include "object/dict/dict_table.h"
#include "pmem/store.h"

namespace nvm::object::dict {
namespace {

bool has_slot(const Table& table, const Entry& entry, uint64_t number) {
  const uint32_t hash = hash_of_mark(entry.mark);
  uint64_t* slot = table.slots().first(hash);
  for (uint64_t step = 0; step < table.slots().count; ++step, slot = table.slots().next(slot)) {
    if (*slot == slot_word(hash, number)) return true;
    if (*slot == 0) return false;
  }
  return false;
}

void trace_entry(const Table& table, uint64_t number, bool set, Tracer& tracer) {
  const Entry* const entry = table.entry(number);
  const auto wrong = [&](const char* what) {
    tracer.damage("entry " + std::to_string(number) + what);
  };
  if (entry->mark == 0) return wrong(" has no mark");
  const StoredKey key = stored_key(*entry);
  tracer.cell(table.value(entry), {Slot::Kind::value, number});
  if (key.kind == StoredKey::Kind::cell) tracer.cell(key.cell, {Slot::Kind::key, number});
  if (!tracer.examines()) return;
  if (set && table.value(entry) != Cell::none()) wrong(" of a set has a value");
  if (hash_of(table.pool(), key) != hash_of_mark(entry->mark))
    wrong(" has another hash than its key");
  if (table.large() && !has_slot(table, *entry, number)) wrong(" is not in the index");
}

void trace_blocks(const Table& table, Tracer& tracer) {
  if (!table.has_body()) return;
  tracer.block(table.body());
  if (!table.large()) return;
  tracer.block(table.index());
  for (uint64_t segment = 0; segment < table.room(); ++segment)
    if (const Offset offset = table.segment(segment); offset != 0) tracer.block(offset);
}

}  // namespace

void trace(Pool& pool, Offset dict, Tracer& tracer) {
  const Table table(pool, settled(pool, dict));
  const bool set = pool.type_number(dict) == static_cast<uint64_t>(heap::Type::set);
  trace_blocks(table, tracer);
  uint64_t tombstones = 0;
  for (uint64_t number = 0; number < table.used(); ++number) {
    if (table.value(table.entry(number)).blank()) {
      ++tombstones;
    } else {
      trace_entry(table, number, set, tracer);
    }
  }
  if (tombstones != table.deletions())
    tracer.damage(std::to_string(tombstones) + " entries are deleted, not " +
                  std::to_string(table.deletions()));
}

}  // namespace nvm::object::dict
