#include "capi/front.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

#include "heap/access.h"
#include "object/dict/dict.h"
#include "object/key/key.h"
#include "object/list/list.h"
#include "object/record/record.h"
#include "object/value/blob.h"
#include "object/value/cell.h"
#include "object/value/value.h"

namespace nvm::capi {
namespace {

using heap::Offset;
using heap::Operation;
using heap::Pool;
using object::Cell;
using object::Key;
using object::Value;
namespace blob = object::blob;
namespace dict = object::dict;
namespace list = object::list;
namespace record = object::record;

constexpr int64_t kDone = 1;
constexpr int64_t kNoSize = -1;

heap::Handle* handle_at(int64_t address) noexcept {
  return reinterpret_cast<heap::Handle*>(address);  // NOLINT(performance-no-int-to-ptr)
}

// f(pool, offset) under the shared latch, or `no`.
template <class F>
int64_t reading(int64_t address, int64_t no, F&& f) noexcept {
  heap::Handle* const handle = handle_at(address);
  if (handle == nullptr) return no;
  try {
    Pool& pool = handle->pool();
    const std::optional<int64_t> answer = heap::try_read(pool, [&] {
      const Offset offset = handle->offset();
      return offset == 0 ? no : f(pool, offset);
    });
    return answer.value_or(no);
  } catch (...) {
    return no;  // the bindings' method finds the same, and says so
  }
}

// f(operation, offset), which returns whether it did, as one operation.
template <class F>
int64_t changing(int64_t address, F&& f) noexcept {
  heap::Handle* const handle = handle_at(address);
  if (handle == nullptr) return kNo;
  try {
    bool done = false;
    const bool possible = heap::try_mutate(handle->pool(), [&](Operation& op) {
      const Offset offset = handle->offset();
      done = offset != 0 && f(op, offset);
    });
    return possible && done ? kDone : kNo;
  } catch (...) {
    return kNo;  // nothing has changed
  }
}

// Whether a value is a text that is copied out; and where it lies.
bool is_plain_text(const blob::View& view) {
  return view.type == blob::BlobType::str && view.width == 1 && view.length <= kMostText;
}

// As it is given out: what a cell tells by itself.
int64_t answer(Pool& pool, Cell cell) {
  switch (cell.kind()) {
    case Cell::Kind::str:
    case Cell::Kind::bytes:
      return cell.short_length() <= Cell::kShortMax ? static_cast<int64_t>(cell.bits()) : kNo;
    case Cell::Kind::constant:
    case Cell::Kind::integer:
    case Cell::Kind::real:
      return static_cast<int64_t>(cell.bits());
    case Cell::Kind::blob:
      return is_plain_text(blob::view(pool, cell.offset())) ? kText : kNo;
    default:
      return kNo;
  }
}

int64_t copy_text(Pool& pool, Cell cell, char* text) {
  if (cell.kind() != Cell::Kind::blob) return kNoSize;
  const blob::View view = blob::view(pool, cell.offset());
  if (!is_plain_text(view)) return kNoSize;
  std::memcpy(text, view.data, view.length);
  return static_cast<int64_t>(view.length);
}

bool storable(int64_t cell) noexcept {
  const Cell::Kind kind = Cell(static_cast<uint64_t>(cell)).kind();
  return kind == Cell::Kind::constant || kind == Cell::Kind::integer || kind == Cell::Kind::real;
}

Value value_of(int64_t cell) { return Value::of(Cell(static_cast<uint64_t>(cell))); }

// ---- What is read; blank if it is not there

// The place that an index means, or nothing.
std::optional<uint64_t> place_in(Pool& pool, Offset offset, int64_t index) {
  const uint64_t size = list::size(pool, offset);
  const uint64_t place =
      index < 0 ? static_cast<uint64_t>(index) + size : static_cast<uint64_t>(index);
  if (place >= size) return std::nullopt;
  return place;
}

Cell list_cell(Pool& pool, Offset offset, int64_t index) {
  const auto place = place_in(pool, offset, index);
  return place ? list::get(pool, offset, *place) : Cell();
}

Value text_key(const char* key, int64_t length) {
  return Value::str(key, static_cast<uint64_t>(length), 1, true);
}

Cell dict_cell(Pool& pool, Offset offset, const Value& key) {
  return dict::get(pool, offset, Key(pool, key));
}

constexpr unsigned kSlotShift = 48;

record::Place unpacked(int64_t place) noexcept {
  const auto bits = static_cast<uint64_t>(place);
  return {bits & heap::kMaxOffset, static_cast<int32_t>(bits >> kSlotShift)};
}

Cell record_cell(Pool& pool, Offset offset, int64_t epoch, int64_t place, bool& hit) {
  hit = pool.undo_epoch() == static_cast<uint64_t>(epoch);
  return hit ? record::get_at(pool, offset, unpacked(place), hit) : Cell();
}

// ---- Slices

uint64_t clamped(int64_t index, uint64_t size) noexcept {
  const auto signed_size = static_cast<int64_t>(size);
  if (index < 0) index += signed_size;
  return static_cast<uint64_t>(std::clamp<int64_t>(index, 0, signed_size));
}

// All of them as they are given out, or -1.
int64_t copy_cells(Pool& pool, std::span<const uint64_t> cells, int64_t* to) {
  for (const uint64_t bits : cells) {
    const int64_t given = answer(pool, Cell(bits));
    if (given == kNo || given == kText) return kNoSize;
    *to++ = given;
  }
  return static_cast<int64_t>(cells.size());
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
  if (dict::size(pool, offset) != cursor.size || dict::body_version(pool, offset) != cursor.version)
    return kNo;
  uint64_t position = cursor.position;
  dict::Item item;
  if (!dict::next(pool, offset, position, item)) return kNo;
  Given key{kAbsent, 0};
  Given value{kAbsent, 0};
  if ((parts & kKeys) != 0) key = give(pool, dict::key_at(pool, offset, item.number), key_text);
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
  return changing(handle, [&](Operation& op, Offset offset) {
    dict::set(op, offset, Key(op.pool(), key), value_of(cell));
    return true;
  });
}

template <class F>
Function entry(const char* name, const char* signature, F* function) noexcept {
  return {name, signature, std::bit_cast<int64_t>(function)};
}

}  // namespace

int64_t packed_place(uint64_t shape, int32_t slot) noexcept {
  if (shape == 0 || slot < 0) return kNo;
  return static_cast<int64_t>(shape | static_cast<uint64_t>(slot) << kSlotShift);
}

const Function* functions() noexcept {
  static const Function table[] = {entry("list_size", "ii", nvm_list_size),
                                   entry("list_get", "iii", nvm_list_get),
                                   entry("list_get_text", "iiis", nvm_list_get_text),
                                   entry("list_set", "iiii", nvm_list_set),
                                   entry("list_append", "iii", nvm_list_append),
                                   entry("list_slice", "iiiiia", nvm_list_slice),
                                   entry("dict_size", "ii", nvm_dict_size),
                                   entry("dict_get", "iisi", nvm_dict_get),
                                   entry("dict_get_text", "iisis", nvm_dict_get_text),
                                   entry("dict_get_at", "iii", nvm_dict_get_at),
                                   entry("dict_get_at_text", "iiis", nvm_dict_get_at_text),
                                   entry("dict_has", "iisi", nvm_dict_has),
                                   entry("dict_has_at", "iii", nvm_dict_has_at),
                                   entry("dict_set", "iisii", nvm_dict_set),
                                   entry("dict_set_at", "iiii", nvm_dict_set_at),
                                   entry("dict_next", "iiiiass", nvm_dict_next),
                                   entry("record_get", "iiii", nvm_record_get),
                                   entry("record_get_text", "iiiis", nvm_record_get_text),
                                   entry("record_set", "iiiii", nvm_record_set),
                                   entry("cell_of_real", "id", nvm_cell_of_real),
                                   entry("real_of_cell", "di", nvm_real_of_cell),
                                   {nullptr, nullptr, 0}};
  return table;
}

}  // namespace nvm::capi

using namespace nvm::capi;  // NOLINT(google-build-using-namespace): the functions are outside of it

extern "C" {

int64_t nvm_list_size(int64_t handle) noexcept {
  return reading(handle, kNoSize, [](Pool& pool, Offset offset) {
    return static_cast<int64_t>(list::size(pool, offset));
  });
}

int64_t nvm_list_get(int64_t handle, int64_t index) noexcept {
  return reading(handle, kNo, [&](Pool& pool, Offset offset) {
    return answer(pool, list_cell(pool, offset, index));
  });
}

int64_t nvm_list_get_text(int64_t handle, int64_t index, char* text) noexcept {
  return reading(handle, kNoSize, [&](Pool& pool, Offset offset) {
    return copy_text(pool, list_cell(pool, offset, index), text);
  });
}

int64_t nvm_list_set(int64_t handle, int64_t index, int64_t cell) noexcept {
  if (!storable(cell)) return kNo;
  return changing(handle, [&](Operation& op, Offset offset) {
    const auto place = place_in(op.pool(), offset, index);
    if (place) list::set(op, offset, *place, value_of(cell));
    return place.has_value();
  });
}

int64_t nvm_list_append(int64_t handle, int64_t cell) noexcept {
  if (!storable(cell)) return kNo;
  return changing(handle, [&](Operation& op, Offset offset) {
    list::append(op, offset, value_of(cell));
    return true;
  });
}

int64_t nvm_list_slice(int64_t handle, int64_t start, int64_t stop, int64_t most,
                       int64_t* cells) noexcept {
  return reading(handle, kNoSize, [&](Pool& pool, Offset offset) {
    const std::span<const uint64_t> all = list::cells(pool, offset);
    const uint64_t begin = clamped(start, all.size());
    const uint64_t end = std::max(begin, clamped(stop, all.size()));
    if (end - begin > static_cast<uint64_t>(most)) return kNoSize;
    return copy_cells(pool, all.subspan(begin, end - begin), cells);
  });
}

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

int64_t nvm_record_get(int64_t handle, int64_t epoch, int64_t place) noexcept {
  return reading(handle, kNo, [&](Pool& pool, Offset offset) {
    bool hit = false;
    const Cell cell = record_cell(pool, offset, epoch, place, hit);
    return hit ? answer(pool, cell) : kAbsent;
  });
}

int64_t nvm_record_get_text(int64_t handle, int64_t epoch, int64_t place, char* text) noexcept {
  return reading(handle, kNoSize, [&](Pool& pool, Offset offset) {
    bool hit = false;
    return copy_text(pool, record_cell(pool, offset, epoch, place, hit), text);
  });
}

int64_t nvm_record_set(int64_t handle, int64_t epoch, int64_t place, int64_t cell) noexcept {
  if (!storable(cell)) return kNo;
  return changing(handle, [&](Operation& op, Offset offset) {
    return op.pool().undo_epoch() == static_cast<uint64_t>(epoch) &&
           record::set_at(op, offset, unpacked(place), value_of(cell));
  });
}

int64_t nvm_cell_of_real(double value) noexcept {
  return Cell::real_fits(value) ? static_cast<int64_t>(Cell::real(value).bits()) : kNo;
}

double nvm_real_of_cell(int64_t cell) noexcept {
  return Cell(static_cast<uint64_t>(cell)).as_real();
}

}  // extern "C"
