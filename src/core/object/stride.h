// The places of an extended slice.
#pragma once

#include <cstdint>
#include <optional>

namespace nvm::object {

// Places begin, begin + step, ... of a sequence, in ascending order.
struct Stride {
  uint64_t first = 0;
  uint64_t step = 1;
  uint64_t count = 0;
  bool descending = false;

  uint64_t at(uint64_t k) const { return first + k * step; }
  uint64_t last() const { return at(count - 1); }

  // Nothing unless all of its places are in a sequence of this size.
  static std::optional<Stride> within(uint64_t size, uint64_t begin, int64_t step, uint64_t count) {
    if (count == 0) return Stride{};
    const bool descending = step < 0;
    const uint64_t width =
        descending ? 0 - static_cast<uint64_t>(step) : static_cast<uint64_t>(step);
    if (begin >= size || (width == 0 && count > 1)) return std::nullopt;
    const uint64_t room = descending ? begin : size - 1 - begin;
    if (count > 1 && (count - 1) > room / width) return std::nullopt;
    const uint64_t first = descending ? begin - (count - 1) * width : begin;
    return Stride{first, width, count, descending};
  }
};

}  // namespace nvm::object
