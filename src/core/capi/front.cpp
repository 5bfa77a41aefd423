#include "capi/front.h"

#include <bit>

#include "heap/access.h"
#include "object/dict/dict.h"
#include "object/key/key.h"
#include "object/list/list.h"
#include "object/record/record.h"
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

// As it is given out: what a cell tells by itself.
int64_t answer(Cell cell) {
  switch (cell.kind()) {
    case Cell::Kind::str:
    case Cell::Kind::bytes:
      return cell.short_length() <= Cell::kShortMax ? static_cast<int64_t>(cell.bits()) : kNo;
    case Cell::Kind::constant:
    case Cell::Kind::integer:
    case Cell::Kind::real:
      return static_cast<int64_t>(cell.bits());
    default:
      return kNo;
  }
}

bool storable(int64_t cell) noexcept {
  const Cell::Kind kind = Cell(static_cast<uint64_t>(cell)).kind();
  return kind == Cell::Kind::constant || kind == Cell::Kind::integer || kind == Cell::Kind::real;
}

Value value_of(int64_t cell) { return Value::of(Cell(static_cast<uint64_t>(cell))); }

// The place that an index means, or nothing.
std::optional<uint64_t> place_in(Pool& pool, Offset offset, int64_t index) {
  const uint64_t size = list::size(pool, offset);
  const uint64_t place =
      index < 0 ? static_cast<uint64_t>(index) + size : static_cast<uint64_t>(index);
  if (place >= size) return std::nullopt;
  return place;
}

Value text_key(const char* key, int64_t length) {
  return Value::str(key, static_cast<uint64_t>(length), 1, true);
}

int64_t dict_get(int64_t handle, const Value& key) noexcept {
  return reading(handle, kNo, [&](Pool& pool, Offset offset) {
    const Cell cell = dict::get(pool, offset, Key(pool, key));
    return cell.blank() ? kAbsent : answer(cell);
  });
}

int64_t dict_has(int64_t handle, const Value& key) noexcept {
  return reading(handle, kNo, [&](Pool& pool, Offset offset) {
    return dict::get(pool, offset, Key(pool, key)).blank() ? kAbsent : kDone;
  });
}

int64_t dict_set(int64_t handle, const Value& key, int64_t cell) noexcept {
  if (!storable(cell)) return kNo;
  return changing(handle, [&](Operation& op, Offset offset) {
    dict::set(op, offset, Key(op.pool(), key), value_of(cell));
    return true;
  });
}

constexpr unsigned kSlotShift = 48;

record::Place unpacked(int64_t place) noexcept {
  const auto bits = static_cast<uint64_t>(place);
  return {bits & heap::kMaxOffset, static_cast<int32_t>(bits >> kSlotShift)};
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
                                   entry("list_set", "iiii", nvm_list_set),
                                   entry("list_append", "iii", nvm_list_append),
                                   entry("dict_size", "ii", nvm_dict_size),
                                   entry("dict_get_text", "iisi", nvm_dict_get_text),
                                   entry("dict_get_integer", "iii", nvm_dict_get_integer),
                                   entry("dict_has_text", "iisi", nvm_dict_has_text),
                                   entry("dict_has_integer", "iii", nvm_dict_has_integer),
                                   entry("dict_set_text", "iisii", nvm_dict_set_text),
                                   entry("dict_set_integer", "iiii", nvm_dict_set_integer),
                                   entry("record_get", "iiii", nvm_record_get),
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
    const auto place = place_in(pool, offset, index);
    return place ? answer(list::get(pool, offset, *place)) : kNo;
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

int64_t nvm_dict_size(int64_t handle) noexcept {
  return reading(handle, kNoSize, [](Pool& pool, Offset offset) {
    return static_cast<int64_t>(dict::size(pool, offset));
  });
}

int64_t nvm_dict_get_text(int64_t handle, const char* key, int64_t length) noexcept {
  return dict_get(handle, text_key(key, length));
}

int64_t nvm_dict_get_integer(int64_t handle, int64_t key) noexcept {
  return dict_get(handle, Value::integer_of(key));
}

int64_t nvm_dict_has_text(int64_t handle, const char* key, int64_t length) noexcept {
  return dict_has(handle, text_key(key, length));
}

int64_t nvm_dict_has_integer(int64_t handle, int64_t key) noexcept {
  return dict_has(handle, Value::integer_of(key));
}

int64_t nvm_dict_set_text(int64_t handle, const char* key, int64_t length, int64_t cell) noexcept {
  return dict_set(handle, text_key(key, length), cell);
}

int64_t nvm_dict_set_integer(int64_t handle, int64_t key, int64_t cell) noexcept {
  return dict_set(handle, Value::integer_of(key), cell);
}

int64_t nvm_record_get(int64_t handle, int64_t epoch, int64_t place) noexcept {
  return reading(handle, kNo, [&](Pool& pool, Offset offset) {
    if (pool.undo_epoch() != static_cast<uint64_t>(epoch)) return kAbsent;
    bool hit = false;
    const Cell cell = record::get_at(pool, offset, unpacked(place), hit);
    return hit ? answer(cell) : kAbsent;
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
