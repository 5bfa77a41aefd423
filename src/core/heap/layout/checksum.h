// Fletcher's checksum as PMDK computes it, over little-endian 32-bit words (its src/core/util.c).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace nvm::heap {

// Goes on from `sum` over `length` bytes, a multiple of 4.
inline uint64_t fletcher64(const void* data, size_t length, uint64_t sum = 0) noexcept {
  auto low = static_cast<uint32_t>(sum);
  auto high = static_cast<uint32_t>(sum >> 32);
  const auto* bytes = static_cast<const unsigned char*>(data);
  for (size_t i = 0; i + sizeof(uint32_t) <= length; i += sizeof(uint32_t)) {
    uint32_t word = 0;
    std::memcpy(&word, bytes + i, sizeof word);
    low += word;
    high += low;
  }
  return uint64_t{high} << 32 | low;
}

// Of `length` bytes of which those at `hole` (8 of them, the checksum itself) count as zero, as do
// all from `covered` on.
inline uint64_t fletcher64_around(const void* data, size_t length, size_t hole,
                                  size_t covered) noexcept {
  constexpr uint64_t zeros = 0;
  const auto* bytes = static_cast<const unsigned char*>(data);
  uint64_t sum = 0;
  size_t i = 0;
  while (i < length) {
    const bool zero = i == hole || i >= covered;
    sum = fletcher64(zero ? reinterpret_cast<const unsigned char*>(&zeros) : bytes + i,
                     sizeof zeros, sum);
    i += sizeof zeros;
  }
  return sum;
}

}  // namespace nvm::heap
