#include "power/ledger.h"

#include <string>

#include "heap/access.h"
#include "object/dict/dict.h"
#include "object/key/key.h"
#include "object/list/list.h"
#include "object/store.h"

namespace nvm::power {
namespace {

namespace dict = object::dict;
namespace list = object::list;
using heap::Offset;
using heap::Operation;
using heap::Pool;
using object::Cell;
using object::Key;
using object::Node;
using object::Value;

enum Place : uint64_t { kRecords, kIndex, kCount, kNotes };

constexpr uint64_t kMostRecords = 120;
constexpr uint64_t kMostNotes = 60;
constexpr uint64_t kLongestText = 2000;
constexpr uint64_t kLargeText = 300'000;  // no half of the smallest journal has room for it
constexpr uint64_t kLargeEvery = 64;

// splitmix64: one random number for each number (Steele, Lea, Flood, OOPSLA 2014).
uint64_t mix(uint64_t number) {
  uint64_t z = number * 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

std::string text_of(uint64_t number, uint64_t length) {
  std::string text = std::to_string(number) + ':';
  while (text.size() < length) text += static_cast<char>('a' + mix(number + text.size()) % 26);
  return text;
}

Value integer(uint64_t number) { return Value::integer_of(static_cast<int64_t>(number)); }
Value value_of(const std::string& text) { return Value::str(text.data(), text.size(), 1, true); }

Offset root_of(Pool& pool) { return Cell(pool.root().root).offset(); }
Offset part(Pool& pool, Place place) { return list::get(pool, root_of(pool), place).offset(); }
uint64_t size_of(Pool& pool, Place place) {
  return heap::read(pool, [&] { return list::size(pool, part(pool, place)); });
}

void make_root(Pool& pool) {
  object::Graph graph;
  const auto container = [&](heap::Type type, std::vector<Value> items = {}) {
    return Value::of(&graph.nodes.emplace_back(Node{type, std::move(items)}));
  };
  const Value records = container(heap::Type::list);
  const Value index = container(heap::Type::dict);
  const Value notes = container(heap::Type::list);
  const Value root = container(heap::Type::list, {records, index, integer(0), notes});
  heap::mutate(pool, [&](Operation& op) {
    object::forget(graph);
    object::replace(op, &op.pool().root().root, root);
  });
}

// ---- Records: the list and the dict together

void put_in_index(Pool& pool, uint64_t place, const std::string& text) {
  heap::mutate(pool, [&](Operation& op) {
    dict::set(op, part(pool, kIndex), Key(pool, integer(place)), value_of(text));
  });
}

void add_record(Pool& pool, const std::string& text) {
  const uint64_t place = size_of(pool, kRecords);
  heap::mutate(pool,
               [&](Operation& op) { list::append(op, part(pool, kRecords), value_of(text)); });
  put_in_index(pool, place, text);
}

void replace_record(Pool& pool, uint64_t place, const std::string& text) {
  heap::mutate(pool,
               [&](Operation& op) { list::set(op, part(pool, kRecords), place, value_of(text)); });
  put_in_index(pool, place, text);
}

void remove_record(Pool& pool) {
  const uint64_t place = size_of(pool, kRecords) - 1;
  heap::mutate(pool, [&](Operation& op) { list::pop(op, part(pool, kRecords)); });
  heap::mutate(
      pool, [&](Operation& op) { dict::erase(op, part(pool, kIndex), Key(pool, integer(place))); });
}

// ---- Commits

enum class Kind { add, replace, remove, fill, shrink, large, note, amend };

Kind kind_of(uint64_t number, uint64_t records) {
  if (number % kLargeEvery == kLargeEvery - 2) return Kind::large;
  if (records == 0) return Kind::add;
  if (number % kLargeEvery == kLargeEvery - 1) return Kind::remove;  // the large one
  if (records > kMostRecords) return Kind::shrink;
  constexpr Kind kinds[] = {Kind::add,    Kind::add,  Kind::add,  Kind::replace, Kind::replace,
                            Kind::remove, Kind::fill, Kind::note, Kind::note,    Kind::amend};
  return kinds[mix(number) % std::size(kinds)];
}

void change_records(Pool& pool, Kind kind, uint64_t number) {
  constexpr uint64_t many = 8;
  const uint64_t records = size_of(pool, kRecords);
  const std::string text = text_of(number, mix(~number) % kLongestText);
  switch (kind) {
    case Kind::replace:
      return replace_record(pool, mix(number + 1) % records, text);
    case Kind::remove:
      return remove_record(pool);
    case Kind::fill:
      for (uint64_t i = 0; i < many; ++i) add_record(pool, text_of(number + i, i * many));
      return;
    case Kind::shrink:
      for (uint64_t i = 0; i < many; ++i) remove_record(pool);
      return;
    case Kind::large:
      return add_record(pool, text_of(number, kLargeText));
    default:
      return add_record(pool, text);
  }
}

void change_together(Pool& pool, Kind kind, uint64_t number) {
  change_records(pool, kind, number);
  heap::mutate(pool, [&](Operation& op) { list::set(op, root_of(pool), kCount, integer(number)); });
}

void change_note(Pool& pool, Kind kind, uint64_t number) {
  const uint64_t notes = size_of(pool, kNotes);
  const std::string text = text_of(number, mix(number) % kLargeEvery);
  heap::mutate(pool, [&](Operation& op) {
    const Offset all = part(pool, kNotes);
    if (notes > kMostNotes) return list::pop(op, all);
    if (kind == Kind::amend && notes != 0)
      return list::set(op, all, number % notes, value_of(text));
    list::append(op, all, number % 2 == 0 ? integer(number) : value_of(text));
  });
}

}  // namespace

void commit(Pool& pool, uint64_t number) {
  if (number == 1) return make_root(pool);
  const Kind kind = kind_of(number, size_of(pool, kRecords));
  if (kind == Kind::note || kind == Kind::amend) return change_note(pool, kind, number);
  if (without_transactions) return change_together(pool, kind, number);
  pool.begin();
  change_together(pool, kind, number);
  pool.commit();
}

void abort_one(Pool& pool, uint64_t number) {
  pool.begin();
  change_together(pool, Kind::fill, number);
  pool.abort();
  pool.end_failed();
}

}  // namespace nvm::power
