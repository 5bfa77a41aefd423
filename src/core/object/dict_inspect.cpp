#include <string>

#include "object/dict.h"
#include "object/dict_table.h"
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

void inspect_entry(const Table& table, uint64_t number, Contents& contents) {
  const Entry* const entry = table.entry(number);
  const auto wrong = [&](const char* what) {
    contents.findings.push_back("entry " + std::to_string(number) + what);
  };
  if (entry->mark == 0) return wrong(" has no mark");
  const Cell cell = key_cell(*entry);
  contents.cells.push_back(table.value(entry));
  if (!cell.blank()) contents.cells.push_back(cell);
  if (hash_of(table.pool(), stored_key(*entry)) != hash_of_mark(entry->mark))
    wrong(" has another hash than its key");
  if (table.large() && !has_slot(table, *entry, number)) wrong(" is not in the index");
}

void list_blocks(const Table& table, Contents& contents) {
  if (!table.has_body()) return;
  contents.blocks.push_back(table.body());
  if (!table.large()) return;
  contents.blocks.push_back(table.index());
  for (uint64_t segment = 0; segment < table.room(); ++segment)
    if (const Offset offset = table.segment(segment); offset != 0)
      contents.blocks.push_back(offset);
}

}  // namespace

Contents inspect(Pool& pool, Offset dict) {
  const Table table(pool, settled(pool, dict));
  Contents contents;
  list_blocks(table, contents);
  uint64_t tombstones = 0;
  for (uint64_t number = 0; number < table.used(); ++number) {
    if (table.value(table.entry(number)).blank()) {
      ++tombstones;
    } else {
      inspect_entry(table, number, contents);
    }
  }
  if (tombstones != table.deletions())
    contents.findings.push_back("it has " + std::to_string(tombstones) + " tombstones and says " +
                                std::to_string(table.deletions()));
  return contents;
}

}  // namespace nvm::object::dict
