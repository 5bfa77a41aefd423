#include "object/dict/dict.h"

#include <string>

#include "object/dict/dict_body.h"
#include "object/dict/dict_table.h"
#include "object/dict/dict_walk.h"
#include "object/store.h"
#include "pmem/error.h"
#include "pmem/store.h"

namespace nvm::object::dict {
namespace {

Table table_of(Pool& pool, Offset dict) { return {pool, settled(pool, dict)}; }
Table table_of(Operation& op, Offset dict) { return {op, settled(op.pool(), dict)}; }

// Finds the key's entry, or makes a place for it.
Probe find_or_make_room(Operation& op, Table& table, const EntryKey& key) {
  Probe probe = table.find(key);
  if (probe.entry == nullptr && make_room(op, table)) probe = table.find(key);
  return probe;
}

// Lowers `used` to the entry, and past the tombstones right before it.
void trim(Table& table, uint64_t number) {
  uint64_t used = number;
  while (used != 0 && table.value(table.entry(used - 1)).blank()) --used;
  if (used != number) table.set_deleted(table.deletions() - (number - used), 0);
  table.set_used(used);
}

void erase_at(Operation& op, Table& table, uint64_t number) {
  Entry* const entry = table.entry(number);
  release(op, table.value(entry));
  release(op, key_cell(*entry));
  if (number + 1 == table.used()) return trim(table, number);
  table.set_deleted(table.deletions() + 1, number + 1);
  op.then_fence();
  table.set_value(entry, Cell());
}

}  // namespace

Offset create(Operation& op, uint64_t expected, heap::Type type) {
  const Offset dict = op.allocate_object(type, sizeof(Header));
  auto* const header = op.at<Header>(dict);
  pmem::zero(&header->body, sizeof(Header) - sizeof(heap::Counted));
  pmem::store(&header->session, op.pool().session());
  if (expected != 0) pmem::store(&header->body, make_body(op, expected));
  op.written(header, sizeof(Header));
  return dict;
}

uint64_t size(Pool& pool, Offset dict) { return table_of(pool, dict).live(); }

Cell get(Pool& pool, Offset dict, const Key& key) {
  const Table table = table_of(pool, dict);
  const Probe probe = table.find(EntryKey(key));
  return probe.entry == nullptr ? Cell() : table.value(probe.entry);
}

std::optional<Item> find(Pool& pool, Offset dict, const Key& key) {
  const Table table = table_of(pool, dict);
  const Probe probe = table.find(EntryKey(key));
  if (probe.entry == nullptr) return std::nullopt;
  return Item{probe.number, table.value(probe.entry)};
}

bool next(Pool& pool, Offset dict, uint64_t& position, Item& item) {
  return Walk(pool, dict).next(position, item);
}

bool previous(Pool& pool, Offset dict, uint64_t& position, Item& item) {
  return Walk(pool, dict).previous(position, item);
}

uint64_t used(Pool& pool, Offset dict) { return Walk(pool, dict).used(); }

uint64_t body_version(Pool& pool, Offset dict) { return Walk(pool, dict).body_version(); }

StoredKey key_at(Pool& pool, Offset dict, uint64_t number) {
  return Walk(pool, dict).key_at(number);
}

bool set(Operation& op, Offset dict, const Key& key, const Value& value) {
  Table table = table_of(op, dict);
  const EntryKey wanted(key);
  const Probe probe = find_or_make_room(op, table, wanted);
  if (probe.entry == nullptr) {
    append(op, table, wanted, make_cell(op, value), probe);
  } else if (table.body_is_fresh()) {
    const Cell old = table.value(probe.entry);
    table.set_value(probe.entry, make_cell(op, value));
    release(op, old);
  } else {
    replace(op, &probe.entry->value, value);
  }
  return probe.entry == nullptr;
}

bool insert(Operation& op, Offset dict, const Key& key, const Value& value) {
  Table table = table_of(op, dict);
  const EntryKey wanted(key);
  const Probe probe = find_or_make_room(op, table, wanted);
  if (probe.entry == nullptr) append(op, table, wanted, make_cell(op, value), probe);
  return probe.entry == nullptr;
}

void prefetch(Operation& op, Offset dict, std::span<const Key> keys) {
  if (keys.size() > 1) table_of(op, dict).prefetch(keys);
}

void reserve(Operation& op, Offset dict, uint64_t additional) {
  Table table = table_of(op, dict);
  make_room_for(op, table, additional);
}

void fill_fresh(Operation& op, Offset dict, const Key& key, Cell value) {
  Table table = Table::fresh(op, header_of(op.pool(), dict));
  const EntryKey wanted(key);
  const Probe probe = find_or_make_room(op, table, wanted);
  if (probe.entry == nullptr) return append(op, table, wanted, value, probe);
  const Cell old = table.value(probe.entry);
  table.set_value(probe.entry, value);
  release(op, old);
}

bool erase(Operation& op, Offset dict, const Key& key) {
  Table table = table_of(op, dict);
  const Probe probe = table.find(EntryKey(key));
  if (probe.entry == nullptr) return false;
  erase_at(op, table, probe.number);
  return true;
}

void erase_entry(Operation& op, Offset dict, uint64_t number) {
  Table table = table_of(op, dict);
  if (number >= table.used() || table.value(table.entry(number)).blank())
    throw Error(ErrorKind::index, "a dict has no entry of number " + std::to_string(number));
  erase_at(op, table, number);
}

}  // namespace nvm::object::dict
