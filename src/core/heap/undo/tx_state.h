// The state word of the undo log: generation << 2 | phase.
#pragma once

#include <cstdint>

#include "heap/format.h"

namespace nvm::heap {

inline constexpr unsigned kPhaseBits = 2;
inline constexpr uint64_t kPhaseMask = (uint64_t{1} << kPhaseBits) - 1;

constexpr uint64_t tx_state(uint64_t generation, Phase phase) {
  return generation << kPhaseBits | static_cast<uint64_t>(phase);
}
constexpr uint64_t generation_of(uint64_t state) { return state >> kPhaseBits; }

}  // namespace nvm::heap
