// Dicts, and sets, which are laid out as such, in the C interface.
#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

#include "capi/calls.h"
#include "object/dict/dict.h"
#include "object/dict/dict_walk.h"
#include "object/key/key.h"

using namespace nvm::capi;  // NOLINT(google-build-using-namespace): the functions are outside of it

namespace {

using nvm::object::Key;
namespace dict = nvm::object::dict;
namespace object = nvm::object;

Value text_key(const char* key, int64_t length) {
  return Value::str(key, static_cast<uint64_t>(length), 1, true);
}

// Blank if it is not there.
Cell dict_cell(Pool& pool, Offset offset, const Value& key) {
  return dict::get(pool, offset, Key(pool, key));
}

// ---- Entries

struct Given {
  int64_t cell;
  int64_t length;
};

// Gives kNo for what is not plain.
Given give(Pool& pool, Cell cell, char* text) {
  const int64_t given = answer(pool, cell);
  return {given, given == kText ? copy_text(pool, cell, text) : 0};
}

Given give(Pool& pool, const object::StoredKey& key, char* text) {
  if (key.kind == object::StoredKey::Kind::cell) return give(pool, key.cell, text);
  if (key.kind != object::StoredKey::Kind::str || key.width != 1) return {kNo, 0};
  std::memcpy(text, key.data, key.length);
  return {kText, key.length};
}

int64_t next_entry(Pool& pool, Offset offset, DictCursor& cursor, int64_t parts, int64_t* entry,
                   char* key_text, char* value_text) {
  const dict::Walk walk(pool, offset);
  if (walk.size() != cursor.size || walk.body_version() != cursor.version) return kNo;
  uint64_t position = cursor.position;
  dict::Item item;
  if (!walk.next(position, item)) return kNo;
  Given key{kAbsent, 0};
  Given value{kAbsent, 0};
  if ((parts & kKeys) != 0) key = give(pool, walk.key_at(item.number), key_text);
  if ((parts & kValues) != 0) value = give(pool, item.value, value_text);
  if (key.cell == kNo || value.cell == kNo) return kNo;
  cursor.position = position;
  --cursor.remaining;
  entry[0] = key.cell;
  entry[1] = key.length;
  entry[2] = value.cell;
  entry[3] = value.length;
  return kDone;
}

int64_t all_keys(Pool& pool, Offset offset, std::span<int64_t> cells, std::span<char> texts) {
  const dict::Walk walk(pool, offset);
  size_t count = 0;
  size_t used = 0;
  uint64_t position = 0;
  for (dict::Item item; walk.next(position, item);) {
    if (count + 1 == cells.size() || texts.size() - used < kMostText) return kNoSize;
    const Given key = give(pool, walk.key_at(item.number), texts.data() + used);
    if (key.cell == kNo) return kNoSize;
    cells[count++] = key.cell + key.length;
    used += static_cast<size_t>(key.length);
  }
  cells[count] = static_cast<int64_t>(used);
  return static_cast<int64_t>(count);
}

// ---- Dicts, by any key

int64_t dict_get(int64_t handle, const Value& key) noexcept {
  return reading(handle, kNo, [&](Pool& pool, Offset offset) {
    const Cell cell = dict_cell(pool, offset, key);
    return cell.blank() ? kAbsent : answer(pool, cell);
  });
}

int64_t dict_get_text(int64_t handle, const Value& key, char* text) noexcept {
  return reading(handle, kNoSize, [&](Pool& pool, Offset offset) {
    return copy_text(pool, dict_cell(pool, offset, key), text);
  });
}

int64_t dict_has(int64_t handle, const Value& key) noexcept {
  return reading(handle, kNo, [&](Pool& pool, Offset offset) {
    return dict_cell(pool, offset, key).blank() ? kAbsent : kDone;
  });
}

int64_t dict_set(int64_t handle, const Value& key, int64_t cell) noexcept {
  if (!storable(cell)) return kNo;
  return changing(handle, kNo, [&](Operation& op, Offset offset) {
    dict::set(op, offset, Key(op.pool(), key), value_of(cell));
    return kDone;
  });
}

int64_t dict_delete(int64_t handle, const Value& key) noexcept {
  return changing(handle, kNo, [&](Operation& op, Offset offset) {
    return dict::erase(op, offset, Key(op.pool(), key)) ? kDone : kAbsent;
  });
}

// An entry as dict_update is given it.
struct Taken {
  int64_t length;  // of the key's text; negative: the key is `number`
  int64_t number;
  int64_t cell;
};

}  // namespace

extern "C" {

int64_t nvm_dict_size(int64_t handle) noexcept {
  return reading(handle, kNoSize, [](Pool& pool, Offset offset) {
    return static_cast<int64_t>(dict::size(pool, offset));
  });
}

int64_t nvm_dict_get(int64_t handle, const char* key, int64_t length) noexcept {
  return dict_get(handle, text_key(key, length));
}

int64_t nvm_dict_get_text(int64_t handle, const char* key, int64_t length, char* text) noexcept {
  return dict_get_text(handle, text_key(key, length), text);
}

int64_t nvm_dict_get_at(int64_t handle, int64_t key) noexcept {
  return dict_get(handle, Value::integer_of(key));
}

int64_t nvm_dict_get_at_text(int64_t handle, int64_t key, char* text) noexcept {
  return dict_get_text(handle, Value::integer_of(key), text);
}

int64_t nvm_dict_has(int64_t handle, const char* key, int64_t length) noexcept {
  return dict_has(handle, text_key(key, length));
}

int64_t nvm_dict_has_at(int64_t handle, int64_t key) noexcept {
  return dict_has(handle, Value::integer_of(key));
}

int64_t nvm_dict_set(int64_t handle, const char* key, int64_t length, int64_t cell) noexcept {
  return dict_set(handle, text_key(key, length), cell);
}

int64_t nvm_dict_set_at(int64_t handle, int64_t key, int64_t cell) noexcept {
  return dict_set(handle, Value::integer_of(key), cell);
}

int64_t nvm_dict_next(int64_t handle, int64_t cursor, int64_t parts, int64_t* entry, char* key_text,
                      char* value_text) noexcept {
  auto* const place = reinterpret_cast<DictCursor*>(cursor);  // NOLINT(performance-no-int-to-ptr)
  return reading(handle, kNo, [&](Pool& pool, Offset offset) {
    return next_entry(pool, offset, *place, parts, entry, key_text, value_text);
  });
}

int64_t nvm_dict_keys(int64_t handle, int64_t most, int64_t* cells, int64_t room,
                      char* texts) noexcept {
  return reading(handle, kNoSize, [&](Pool& pool, Offset offset) {
    return all_keys(pool, offset, {cells, static_cast<size_t>(most) + 1},
                    {texts, static_cast<size_t>(room)});
  });
}

int64_t nvm_dict_delete(int64_t handle, const char* key, int64_t length) noexcept {
  return dict_delete(handle, text_key(key, length));
}

int64_t nvm_dict_delete_at(int64_t handle, int64_t key) noexcept {
  return dict_delete(handle, Value::integer_of(key));
}

int64_t nvm_dict_update(int64_t handle, int64_t count, const int64_t* entries,
                        const char* texts) noexcept {
  const std::span taken(reinterpret_cast<const Taken*>(entries), static_cast<size_t>(count));
  if (!std::ranges::all_of(taken, [](const Taken& one) { return storable(one.cell); })) return kNo;
  return changing(handle, kNo, [&](Operation& op, Offset offset) {
    std::vector<Key> keys;
    keys.reserve(taken.size());
    const char* text = texts;
    for (const Taken& one : taken) {
      const bool is_text = one.length >= 0;
      keys.emplace_back(op.pool(),
                        is_text ? text_key(text, one.length) : Value::integer_of(one.number));
      if (is_text) text += one.length;
    }
    dict::in_turn(op, offset, keys,
                  [&](size_t i) { dict::set(op, offset, keys[i], value_of(taken[i].cell)); });
    return kDone;
  });
}

}  // extern "C"
