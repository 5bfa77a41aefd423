// What the functions of the C interface (front.h) have in common: the ways into a pool that answer
// "no" instead of waiting or throwing, and the cells that go in and out.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "capi/front.h"
#include "heap/access.h"
#include "object/value/cell.h"
#include "object/value/value.h"

namespace nvm::capi {

using heap::Offset;
using heap::Operation;
using heap::Pool;
using object::Cell;
using object::Value;

inline constexpr int64_t kDone = 1;
inline constexpr int64_t kNoSize = -1;

// f(handle); `no` if there is none, or if f throws: it has changed nothing then, and the bindings'
// method finds the same, and says so.
template <class F>
int64_t answering(int64_t address, int64_t no, F&& f) noexcept {
  auto* const handle =
      reinterpret_cast<heap::Handle*>(address);  // NOLINT(performance-no-int-to-ptr)
  if (handle == nullptr) return no;
  try {
    return f(*handle);
  } catch (...) {
    return no;
  }
}

// f(pool, offset) under the shared latch, or `no`.
template <class F>
int64_t reading(int64_t address, int64_t no, F&& f) noexcept {
  return answering(address, no, [&](heap::Handle& handle) {
    Pool& pool = handle.pool();
    const std::optional<int64_t> answer = heap::try_read(pool, [&] {
      const Offset offset = handle.offset();
      return offset == 0 ? no : f(pool, offset);
    });
    return answer.value_or(no);
  });
}

// f(operation, offset), whose result is not `no` if it did it, as one operation.
template <class F>
int64_t changing(int64_t address, int64_t no, F&& f) noexcept {
  return answering(address, no, [&](heap::Handle& handle) {
    int64_t answer = no;
    const bool possible = heap::try_mutate(handle.pool(), [&](Operation& op) {
      const Offset offset = handle.offset();
      answer = offset == 0 ? no : f(op, offset);
    });
    return possible ? answer : no;
  });
}

// As a cell is given out: what it tells by itself, kText for a text that is copied out, or kNo.
int64_t answer(Pool& pool, Cell cell);
// The text that a cell refers to, if it is one that is copied out: its length, or kNoSize.
int64_t copy_text(Pool& pool, Cell cell, char* text);

inline bool storable(int64_t cell) noexcept {
  const Cell::Kind kind = Cell(static_cast<uint64_t>(cell)).kind();
  return kind == Cell::Kind::constant || kind == Cell::Kind::integer || kind == Cell::Kind::real;
}

inline Value value_of(int64_t cell) { return Value::of(Cell(static_cast<uint64_t>(cell))); }

// The place that an index means, or nothing.
inline std::optional<uint64_t> place_in(uint64_t size, int64_t index) noexcept {
  const uint64_t place =
      index < 0 ? static_cast<uint64_t>(index) + size : static_cast<uint64_t>(index);
  if (place >= size) return std::nullopt;
  return place;
}

// The places that a slice of step 1 means.
struct Range {
  uint64_t begin;
  uint64_t end;
};
inline Range range_in(uint64_t size, int64_t start, int64_t stop) noexcept {
  const auto clamped = [size](int64_t index) {
    const auto signed_size = static_cast<int64_t>(size);
    if (index < 0) index += signed_size;
    return static_cast<uint64_t>(std::clamp<int64_t>(index, 0, signed_size));
  };
  const uint64_t begin = clamped(start);
  return {begin, std::max(begin, clamped(stop))};
}

}  // namespace nvm::capi
