#include "object/key/key.h"

#include <cstring>
#include <string>

#include "object/boxed/boxed.h"
#include "object/key/compare.h"
#include "object/key/hash.h"
#include "object/value/blob.h"

namespace nvm::object {

namespace {

using heap::Pool;

Text text_of(const StoredKey& key) { return {key.data, key.length, key.width}; }

bool same_text(const Text& a, const Text& b) {
  return a.width == b.width && a.length == b.length &&
         (a.length == 0 || std::memcmp(a.data, b.data, a.bytes()) == 0);
}

// The characters of a str, or the bytes of a bytes; an inline key is one of these alone.
bool has_text(const Value& value, StoredKey::Kind kind, Text& text) {
  const bool str = kind == StoredKey::Kind::str;
  if (value.kind == (str ? Value::Kind::str : Value::Kind::bytes)) {
    text = {value.data, value.length, value.width};
    return true;
  }
  const Cell cell(value.bits);
  if (value.kind != Value::Kind::cell) return false;
  if (cell.kind() != (str ? Cell::Kind::str : Cell::Kind::bytes)) return false;
  text = {&value.bits, cell.short_length(), 1};
  return true;
}

// Most keys are texts or integers of 48 bits, which are their own hashes modulo 2^61 - 1.
uint64_t hash_of_value(const Pool& pool, const Value& value) {
  Text text{};
  if (has_text(value, StoredKey::Kind::str, text)) return hash_of_str(text);
  if (const Cell cell(value.bits);
      value.kind == Value::Kind::cell && cell.kind() == Cell::Kind::integer)
    return static_cast<uint64_t>(cell.as_integer());
  return hash_of(pool, Term::of(pool, value));
}

// Only hashable values become keys, so what is not is damage.
uint64_t hash_of_stored(const Pool& pool, Cell cell) {
  try {
    return hash_of(pool, Term::of(pool, cell));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::type) throw;
    throw_corrupt(std::string("a stored key is damaged: ") + error.what());
  }
}

bool is_boxed(const Value& value) {
  return value.kind == Value::Kind::node && value.node->type == heap::Type::boxed;
}

const Value& compared(const Value& value) {
  const bool transparent = is_boxed(value) && boxed::is_transparent(*value.node);
  return transparent ? value.node->items[boxed::kKey] : value;
}

// REQUIRES: the value has been hashed.
bool equal_hashed(const Pool& pool, const Value& value, Cell stored) {
  if (value.kind == Value::Kind::cell && value.bits == stored.bits()) return true;
  return compare(pool, Term::of(pool, value), Term::of(pool, stored)) == 0;
}

}  // namespace

Key::Key(const Pool& pool, const Value& value)
    : value_(value),
      compared_(compared(value)),
      boxed_(is_boxed(value)),
      hash_(folded(pool, hash_of_value(pool, compared_))) {}

bool Key::equals(const Pool& pool, const StoredKey& stored) const {
  if (stored.kind == StoredKey::Kind::cell) return equal_hashed(pool, compared_, stored.cell);
  Text text{};
  return has_text(compared_, stored.kind, text) && same_text(text, text_of(stored));
}

uint32_t hash_of(const Pool& pool, const StoredKey& key) {
  switch (key.kind) {
    case StoredKey::Kind::str:
      return folded(pool, hash_of_str(text_of(key)));
    case StoredKey::Kind::bytes:
      return folded(pool, hash_of_bytes(text_of(key)));
    case StoredKey::Kind::cell:
      break;
  }
  return folded(pool, hash_of_stored(pool, key.cell));
}

Value value_of(const Pool& pool, const StoredKey& key) {
  switch (key.kind) {
    case StoredKey::Kind::str:
      return Value::str(key.data, key.length, key.width, key.ascii);
    case StoredKey::Kind::bytes:
      return Value::bytes_of(key.data, key.length);
    case StoredKey::Kind::cell:
      break;
  }
  if (key.cell.kind() == Cell::Kind::object) return Value::object_at(key.cell.offset());
  if (key.cell.kind() != Cell::Kind::blob) return Value::of(key.cell);
  return blob::value_of(blob::view(pool, key.cell.offset()));
}

int compare(const Pool& pool, const StoredKey& a, const StoredKey& b) {
  return compare(pool, Term::of(pool, value_of(pool, a)), Term::of(pool, value_of(pool, b)));
}

bool equal(const Pool& pool, const Value& value, Cell stored) {
  // An integer that fits a cell has no other form.
  if (value.kind == Value::Kind::cell && stored.kind() == Cell::Kind::integer &&
      Cell(value.bits).kind() == Cell::Kind::integer)
    return value.bits == stored.bits();
  const Term term = Term::of(pool, value);
  if (term.is_container()) hash_of(pool, term);
  return compare(pool, term, Term::of(pool, stored)) == 0;
}

}  // namespace nvm::object
