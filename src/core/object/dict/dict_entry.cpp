#include "object/dict/dict_entry.h"

#include <string>

#include "object/store.h"
#include "pmem/error.h"
#include "pmem/store.h"

namespace nvm::object::dict {
namespace {

constexpr unsigned kMetaShift = 32;  // of the byte with kind and length
constexpr unsigned kLengthShift = 3;

constexpr uint64_t mark_of(uint32_t hash, EntryKind kind, uint64_t length) {
  return hash | (static_cast<uint64_t>(kind) | length << kLengthShift) << kMetaShift;
}
constexpr EntryKind kind_of(const Entry& entry) {
  return static_cast<EntryKind>((entry.mark >> kMetaShift) & 7);
}
constexpr uint64_t length_of(const Entry& entry) {
  return (entry.mark >> (kMetaShift + kLengthShift)) & 31;
}

// Cells that only an equal key has, unless that is a boxed value: no number is among them, nor what
// lies in a blob.
bool is_exact(Cell cell) {
  switch (cell.kind()) {
    case Cell::Kind::str:
    case Cell::Kind::bytes:
      return true;
    case Cell::Kind::constant:
      return cell == Cell::none() || cell == Cell::ellipsis();
    default:
      return false;
  }
}

}  // namespace

EntryKey::EntryKey(const Key& key) : key_(&key) {
  const Value& value = key.value();
  if (value.kind == Value::Kind::str && value.width < 4 && value.length <= kMaxText / value.width) {
    const EntryKind kind = value.width == 2 ? EntryKind::wide
                           : value.ascii    ? EntryKind::ascii
                                            : EntryKind::latin1;
    take_text(kind, value.data, value.length, value.length * value.width);
  } else if (value.kind == Value::Kind::bytes && value.length <= kMaxText) {
    take_text(EntryKind::bytes, value.data, value.length, value.length);
  } else {
    take_cell(value);
  }
}

void EntryKey::take_text(EntryKind kind, const void* text, uint64_t length, uint64_t bytes) {
  Entry entry{};
  entry.mark = mark_of(key_->hash(), kind, length);
  const size_t at = kind == EntryKind::wide ? kWideTextAt : kTextAt;
  std::memcpy(reinterpret_cast<char*>(&entry) + at, text, bytes);
  kind_ = kind;
  exact_ = true;
  mark_ = entry.mark;
  low_ = entry.low;
  high_ = entry.high;
}

void EntryKey::take_cell(const Value& value) {
  mark_ = mark_of(key_->hash(), EntryKind::cell, 0);
  if (value.kind != Value::Kind::cell) return;
  low_ = value.bits;
  exact_ = is_exact(Cell(value.bits));
}

bool EntryKey::matches(heap::Pool& pool, const Entry& entry) const {
  if (entry.mark == mark_ && entry.low == low_ && entry.high == high_) return true;
  const bool is_cell = kind_of(entry) == EntryKind::cell;
  if (!is_cell && !key_->boxed()) return false;
  if (exact_ && Cell(entry.low).kind() != Cell::Kind::object) return false;
  return key_->equals(pool, stored_key(entry));
}

void EntryKey::store(heap::Operation& op, Entry* entry, Cell value) const {
  const uint64_t low = plain() ? low_ : make_cell(op, key_->value()).bits();
  pmem::store(&entry->value, value.bits());
  pmem::store(&entry->low, low);
  pmem::store(&entry->high, high_);
  pmem::store(&entry->mark, mark_);
  op.written(entry, sizeof(Entry));
}

StoredKey stored_key(const Entry& entry) {
  const char* const bytes = reinterpret_cast<const char*>(&entry);
  const uint64_t length = length_of(entry);
  StoredKey key{};
  key.length = static_cast<uint8_t>(length);
  key.data = bytes + kTextAt;
  switch (kind_of(entry)) {
    case EntryKind::cell:
      key.kind = StoredKey::Kind::cell;
      key.cell = Cell(entry.low);
      return key;
    case EntryKind::ascii:
      key.ascii = true;
      [[fallthrough]];
    case EntryKind::latin1:
      key.kind = StoredKey::Kind::str;
      if (length <= kMaxText) return key;
      break;
    case EntryKind::wide:
      key.kind = StoredKey::Kind::str;
      key.width = 2;
      key.data = bytes + kWideTextAt;
      if (length <= kMaxWide) return key;
      break;
    case EntryKind::bytes:
      key.kind = StoredKey::Kind::bytes;
      if (length <= kMaxText) return key;
      break;
  }
  throw_corrupt("a dict's entry is damaged: its mark is " + std::to_string(entry.mark));
}

Cell key_cell(const Entry& entry) {
  return kind_of(entry) == EntryKind::cell ? Cell(entry.low) : Cell();
}

}  // namespace nvm::object::dict
