#include "object/trace.h"

#include <string>

#include "object/dict.h"
#include "object/dict_table.h"
#include "object/list_body.h"
#include "object/record.h"
#include "object/tuple.h"

namespace nvm::object {

namespace {

using heap::Pool;
using heap::Type;

void trace_list(Pool& pool, Offset list, Tracer& tracer) {
  list::settled(pool, list);
  const list::Contents contents = list::contents(pool, list);
  if (contents.body != 0) tracer.block(contents.body);
  for (const uint64_t bits : contents.part(0, contents.size)) {
    if (bits == 0) tracer.damage("a list with a blank element");
    tracer.cell(Cell(bits));
  }
}

void trace_tuple(Pool& pool, Offset tuple, Tracer& tracer) {
  for (const uint64_t bits : tuple::cells(pool, tuple)) {
    if (bits == 0) tracer.damage("a tuple with a blank element");
    tracer.cell(Cell(bits));
  }
}

void trace_dict_blocks(const dict::Table& table, Tracer& tracer) {
  tracer.block(table.body());
  if (!table.large()) return;
  if (table.index() != 0) tracer.block(table.index());
  for (uint64_t i = 0; i < table.room(); ++i)
    if (const Offset segment = table.segment(i); segment != 0) tracer.block(segment);
}

// The rule of slots must lead to every entry.
bool found_by_index(const dict::Table& table, uint64_t number) {
  if (!table.large()) return true;
  const uint32_t hash = dict::hash_of_mark(table.entry(number)->mark);
  const uint64_t wanted = dict::slot_word(hash, number);
  const dict::Slots& slots = table.slots();
  uint64_t* slot = slots.first(hash);
  for (uint64_t step = 0; step < slots.count; ++step, slot = slots.next(slot)) {
    if (*slot == wanted) return true;
    if (*slot == 0) return false;
  }
  return false;
}

void trace_dict(Pool& pool, Offset dict, Tracer& tracer) {
  const dict::Table table(pool, dict::settled(pool, dict));
  if (!table.has_body()) return;
  trace_dict_blocks(table, tracer);
  uint64_t live = 0;
  for (uint64_t number = 0; number < table.used(); ++number) {
    const dict::Entry* const entry = table.entry(number);
    if (entry->mark == 0) tracer.damage("a dict with an entry that has no key");
    if (entry->value == 0) continue;
    ++live;
    tracer.cell(Cell(entry->value));
    if (const Cell key = dict::key_cell(*entry); !key.blank()) tracer.cell(key);
    if (!found_by_index(table, number)) tracer.damage("a dict whose index misses an entry");
  }
  if (live != table.live())
    tracer.damage("a dict that counts " + std::to_string(table.live()) + " entries and has " +
                  std::to_string(live));
}

}  // namespace

void trace(Pool& pool, Offset object, Tracer& tracer) {
  switch (static_cast<Type>(pool.type_number(object))) {
    case Type::list:
      return trace_list(pool, object, tracer);
    case Type::dict:
      return trace_dict(pool, object, tracer);
    case Type::tuple:
    case Type::frozenset:
      return trace_tuple(pool, object, tracer);
    case Type::record:
      return record::trace(pool, object, tracer);
    default:
      tracer.damage("an object of an unknown type");
  }
}

}  // namespace nvm::object
