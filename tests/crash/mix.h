// Hashes of media are sums and exclusive ors of mixed words.
#pragma once

#include <cstdint>

namespace nvm::crash {

// The finalizer of MurmurHash3 (public domain).
inline uint64_t mix(uint64_t value) {
  value = (value ^ (value >> 33)) * 0xff51afd7ed558ccdULL;
  value = (value ^ (value >> 33)) * 0xc4ceb9fe1a85ec53ULL;
  return value ^ (value >> 33);
}

}  // namespace nvm::crash
