#include "object/set/set.h"

#include <algorithm>
#include <vector>

#include "object/dict/dict.h"

namespace nvm::object::set {

namespace {

// Which entries a bulk change is about, by their numbers.
using Marks = std::vector<bool>;

Marks marks_for(Operation& op, Offset set) { return Marks(dict::used(op.pool(), set)); }

// Marks the key's entry. False if there is none.
bool mark(Operation& op, Offset set, const Key& key, Marks& marks) {
  const auto found = dict::find(op.pool(), set, key);
  if (found) marks[found->number] = true;
  return found.has_value();
}

// Discards the elements that are marked, or all others. From the end on, because an entry at the
// end leaves no tombstone.
void discard_where(Operation& op, Offset set, const Marks& marks, bool marked) {
  const uint64_t live = dict::size(op.pool(), set);
  const auto found = static_cast<uint64_t>(std::count(marks.begin(), marks.end(), true));
  if (found == (marked ? live : 0)) return dict::clear(op, set);
  uint64_t position = marks.size();
  dict::Item item{};
  while (dict::previous(op.pool(), set, position, item))
    if (marks[item.number] == marked) dict::erase_entry(op, set, item.number);
}

}  // namespace

Offset create(Operation& op, uint64_t expected) {
  return dict::create(op, expected, heap::Type::set);
}

void fill_fresh(Operation& op, Offset set, const Key& element) {
  dict::fill_fresh(op, set, element, Cell::none());
}

uint64_t size(Pool& pool, Offset set) { return dict::size(pool, set); }

bool contains(Pool& pool, Offset set, const Key& element) {
  return !dict::get(pool, set, element).blank();
}

bool next(Pool& pool, Offset set, uint64_t& position, StoredKey& element) {
  dict::Item item{};
  if (!dict::next(pool, set, position, item)) return false;
  element = dict::key_at(pool, set, item.number);
  return true;
}

bool last(Pool& pool, Offset set, StoredKey& element) {
  uint64_t position = dict::used(pool, set);
  dict::Item item{};
  if (!dict::previous(pool, set, position, item)) return false;
  element = dict::key_at(pool, set, item.number);
  return true;
}

bool add(Operation& op, Offset set, const Key& element) {
  return dict::insert(op, set, element, Value::of(Cell::none()));
}

bool discard(Operation& op, Offset set, const Key& element) {
  return dict::erase(op, set, element);
}

bool pop(Operation& op, Offset set) {
  uint64_t position = dict::used(op.pool(), set);
  dict::Item item{};
  if (!dict::previous(op.pool(), set, position, item)) return false;
  dict::erase_entry(op, set, item.number);
  return true;
}

void clear(Operation& op, Offset set) { dict::clear(op, set); }

void update(Operation& op, Offset set, Keys keys) {
  dict::in_turn(op, set, keys, [&](size_t i) { add(op, set, keys[i]); });
}

void difference_update(Operation& op, Offset set, Keys keys) {
  Marks gone = marks_for(op, set);
  dict::in_turn(op, set, keys, [&](size_t i) { mark(op, set, keys[i], gone); });
  discard_where(op, set, gone, true);
}

void intersection_update(Operation& op, Offset set, Keys keys) {
  Marks kept = marks_for(op, set);
  dict::in_turn(op, set, keys, [&](size_t i) { mark(op, set, keys[i], kept); });
  discard_where(op, set, kept, false);
}

void symmetric_difference_update(Operation& op, Offset set, Keys keys) {
  Marks gone = marks_for(op, set);
  std::vector<const Key*> fresh;
  dict::in_turn(op, set, keys, [&](size_t i) {
    if (!mark(op, set, keys[i], gone)) fresh.push_back(&keys[i]);
  });
  discard_where(op, set, gone, true);
  for (const Key* key : fresh) add(op, set, *key);
}

}  // namespace nvm::object::set
