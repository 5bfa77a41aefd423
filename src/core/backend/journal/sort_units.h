// Sorts numbers of lines or pages.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace nvm::backend {

// A radix sort, the lowest byte first (Knuth, The Art of Computer Programming, volume 3, 5.2.5),
// without the bytes that are the same in all. What one commit stores to in a hash table and beside
// it is a worst case of std::sort's, which takes four times as long.
inline void sort_units(std::vector<uint64_t>& units) {
  constexpr size_t few = 64;
  constexpr unsigned digit_bits = 8;
  constexpr uint64_t digits = uint64_t{1} << digit_bits;
  if (units.size() <= few) return std::sort(units.begin(), units.end());
  uint64_t varying = 0;
  for (const uint64_t unit : units) varying |= unit ^ units.front();
  std::vector<uint64_t> sorted(units.size());
  for (unsigned shift = 0; shift < 64; shift += digit_bits) {
    const auto digit_of = [shift](uint64_t unit) { return unit >> shift & (digits - 1); };
    if (digit_of(varying) == 0) continue;
    std::array<size_t, digits> places{};
    for (const uint64_t unit : units) ++places[digit_of(unit)];
    size_t before = 0;
    for (size_t& place : places) before += std::exchange(place, before);
    for (const uint64_t unit : units) sorted[places[digit_of(unit)]++] = unit;
    units.swap(sorted);
  }
}

}  // namespace nvm::backend
