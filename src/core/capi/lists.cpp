// Lists in the C interface.
#include <algorithm>
#include <span>
#include <vector>

#include "capi/calls.h"
#include "object/list/list.h"

using namespace nvm::capi;  // NOLINT(google-build-using-namespace): the functions are outside of it

namespace {

namespace list = nvm::object::list;

// Blank if it is not there.
Cell list_cell(Pool& pool, Offset offset, int64_t index) {
  const auto place = place_in(list::size(pool, offset), index);
  return place ? list::get(pool, offset, *place) : Cell();
}

// Of one word from another.
int64_t distance(const void* from, const void* to) noexcept {
  constexpr auto word = static_cast<int64_t>(sizeof(int64_t));
  return (reinterpret_cast<int64_t>(to) - reinterpret_cast<int64_t>(from)) / word;
}

// Up to where a cell does not tell its value by itself. Nothing in a transaction: the caller may
// share it with other threads.
void look_ahead(Pool& pool, std::span<const uint64_t> cells, int64_t most, Ahead& ahead) {
  if (!pool.plain()) return;
  const void* const words = &pool.latch().times_locked_word();
  ahead.words = reinterpret_cast<int64_t>(words);
  ahead.times_locked = static_cast<int64_t>(pool.latch().times_locked());
  ahead.state = distance(words, pool.state_word());
  for (const uint64_t bits : cells) {
    const Cell cell(bits);
    const int64_t given = cell.kind() == Cell::Kind::blob ? kNo : answer(pool, cell);
    if (ahead.count == most || given == kNo) return;
    ahead.cells[ahead.count++] = given;
  }
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

// What takes cells, if all of them can be stored.
std::vector<Value> values_of(std::span<const int64_t> cells) {
  std::vector<Value> values;
  if (!std::ranges::all_of(cells, storable)) return values;
  values.reserve(cells.size());
  for (const int64_t cell : cells) values.push_back(value_of(cell));
  return values;
}

std::span<const int64_t> span_of(const int64_t* cells, int64_t count) noexcept {
  return {cells, static_cast<size_t>(count)};
}

}  // namespace

namespace nvm::capi {

int64_t replace_items(Operation& op, Offset offset, int64_t count, const int64_t* before,
                      const int64_t* after) {
  const std::vector<Value> values = values_of(span_of(after, count));
  if (values.size() != static_cast<size_t>(count)) return kNo;
  const auto same = [](uint64_t bits, int64_t cell) { return static_cast<int64_t>(bits) == cell; };
  if (!std::ranges::equal(list::cells(op.pool(), offset), span_of(before, count), same))
    return kAbsent;
  if (!std::ranges::equal(span_of(before, count), span_of(after, count)))
    list::set_strided(op, offset, 0, 1, values);
  return kDone;
}

}  // namespace nvm::capi

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

int64_t nvm_list_get_ahead(int64_t handle, int64_t index, int64_t most, int64_t* ahead) noexcept {
  Ahead& found = *reinterpret_cast<Ahead*>(ahead);
  found.count = 0;
  const int64_t answered = reading(handle, kNo, [&](Pool& pool, Offset offset) {
    const std::span<const uint64_t> cells = list::cells(pool, offset);
    const auto place = place_in(cells.size(), index);
    if (!place) return kNo;
    look_ahead(pool, cells.subspan(*place), most, found);
    return answer(pool, Cell(cells[*place]));
  });
  if (answered == kNo) found.count = 0;  // of a file that is not all there
  return answered;
}

int64_t nvm_list_get_text(int64_t handle, int64_t index, char* text) noexcept {
  return reading(handle, kNoSize, [&](Pool& pool, Offset offset) {
    return copy_text(pool, list_cell(pool, offset, index), text);
  });
}

int64_t nvm_list_set(int64_t handle, int64_t index, int64_t cell) noexcept {
  if (!storable(cell)) return kNo;
  return changing(handle, kNo, [&](Operation& op, Offset offset) {
    const auto place = place_in(list::size(op.pool(), offset), index);
    if (!place) return kNo;
    list::set(op, offset, *place, value_of(cell));
    return kDone;
  });
}

int64_t nvm_list_append(int64_t handle, int64_t cell) noexcept {
  if (!storable(cell)) return kNo;
  return changing(handle, kNo, [&](Operation& op, Offset offset) {
    list::append(op, offset, value_of(cell));
    return kDone;
  });
}

int64_t nvm_list_slice(int64_t handle, int64_t start, int64_t stop, int64_t most,
                       int64_t* cells) noexcept {
  return reading(handle, kNoSize, [&](Pool& pool, Offset offset) {
    const std::span<const uint64_t> all = list::cells(pool, offset);
    const auto [begin, end] = range_in(all.size(), start, stop);
    if (end - begin > static_cast<uint64_t>(most)) return kNoSize;
    return copy_cells(pool, all.subspan(begin, end - begin), cells);
  });
}

int64_t nvm_list_pop(int64_t handle, int64_t index) noexcept {
  return changing(handle, kNo, [&](Operation& op, Offset offset) {
    const uint64_t size = list::size(op.pool(), offset);
    const auto place = place_in(size, index);
    if (!place) return kNo;
    const int64_t popped = answer(op.pool(), list::get(op.pool(), offset, *place));
    if (popped == kNo || popped == kText) return kNo;
    if (*place + 1 == size) {
      list::pop(op, offset);
    } else {
      list::splice(op, offset, *place, *place + 1, {});
    }
    return popped;
  });
}

int64_t nvm_list_splice(int64_t handle, int64_t start, int64_t stop, int64_t count,
                        const int64_t* cells) noexcept {
  return changing(handle, kNo, [&](Operation& op, Offset offset) {
    const std::vector<Value> values = values_of(span_of(cells, count));
    if (values.size() != static_cast<size_t>(count)) return kNo;
    const auto [begin, end] = range_in(list::size(op.pool(), offset), start, stop);
    if (!values.empty() || begin != end) list::splice(op, offset, begin, end, values);
    return kDone;
  });
}

int64_t nvm_list_replace(int64_t handle, int64_t count, const int64_t* before,
                         const int64_t* after) noexcept {
  return changing(handle, kNo, [&](Operation& op, Offset offset) {
    return replace_items(op, offset, count, before, after);
  });
}

}  // extern "C"
