#include "capi/front.h"

#include <bit>
#include <cstring>

#include "capi/calls.h"
#include "object/record/record.h"
#include "object/value/blob.h"

namespace nvm::capi {
namespace {

namespace blob = object::blob;
namespace record = object::record;

// Whether a value is a text that is copied out; and where it lies.
bool is_plain_text(const blob::View& view) {
  return view.type == blob::BlobType::str && view.width == 1 && view.length <= kMostText;
}

}  // namespace

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

namespace {

constexpr unsigned kSlotShift = 48;

record::Place unpacked(int64_t place) noexcept {
  const auto bits = static_cast<uint64_t>(place);
  return {bits & heap::kMaxOffset, static_cast<int32_t>(bits >> kSlotShift)};
}

Cell record_cell(Pool& pool, Offset offset, int64_t epoch, int64_t place, bool& hit) {
  hit = pool.undo_epoch() == static_cast<uint64_t>(epoch);
  return hit ? record::get_at(pool, offset, unpacked(place), hit) : Cell();
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
                                   entry("list_get_ahead", "iiiia", nvm_list_get_ahead),
                                   entry("list_set", "iiii", nvm_list_set),
                                   entry("list_append", "iii", nvm_list_append),
                                   entry("list_pop", "iii", nvm_list_pop),
                                   entry("list_slice", "iiiiia", nvm_list_slice),
                                   entry("list_splice", "iiiiia", nvm_list_splice),
                                   entry("list_replace", "iiiaa", nvm_list_replace),
                                   entry("dict_size", "ii", nvm_dict_size),
                                   entry("dict_get", "iisi", nvm_dict_get),
                                   entry("dict_get_text", "iisis", nvm_dict_get_text),
                                   entry("dict_get_at", "iii", nvm_dict_get_at),
                                   entry("dict_get_at_text", "iiis", nvm_dict_get_at_text),
                                   entry("dict_has", "iisi", nvm_dict_has),
                                   entry("dict_has_at", "iii", nvm_dict_has_at),
                                   entry("dict_set", "iisii", nvm_dict_set),
                                   entry("dict_set_at", "iiii", nvm_dict_set_at),
                                   entry("dict_delete", "iisi", nvm_dict_delete),
                                   entry("dict_delete_at", "iii", nvm_dict_delete_at),
                                   entry("dict_update", "iiias", nvm_dict_update),
                                   entry("dict_next", "iiiiass", nvm_dict_next),
                                   entry("dict_keys", "iiiais", nvm_dict_keys),
                                   entry("bytes_size", "ii", nvm_bytes_size),
                                   entry("bytes_get", "iii", nvm_bytes_get),
                                   entry("bytes_slice", "iiiiis", nvm_bytes_slice),
                                   entry("bytes_set", "iiii", nvm_bytes_set),
                                   entry("bytes_append", "iii", nvm_bytes_append),
                                   entry("bytes_splice", "iiiisi", nvm_bytes_splice),
                                   entry("bytes_pop", "iii", nvm_bytes_pop),
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
  return changing(handle, kNo, [&](Operation& op, Offset offset) {
    const bool done = op.pool().undo_epoch() == static_cast<uint64_t>(epoch) &&
                      record::set_at(op, offset, unpacked(place), value_of(cell));
    return done ? kDone : kNo;
  });
}

int64_t nvm_cell_of_real(double value) noexcept {
  return Cell::real_fits(value) ? static_cast<int64_t>(Cell::real(value).bits()) : kNo;
}

double nvm_real_of_cell(int64_t cell) noexcept {
  return Cell(static_cast<uint64_t>(cell)).as_real();
}

}  // extern "C"
