// What the slots of the undo log mean (undo_log.h).
#pragma once

#include <cstdint>

#include "heap/file/pool_file.h"

namespace nvm::heap {

inline constexpr unsigned kNumberBits = 20;
inline constexpr uint64_t kNumberMask = (uint64_t{1} << kNumberBits) - 1;

// What a slot is, where its tag's place is no word's.
enum SlotKind : uint64_t {
  kDestination = 1,  // of a range; the three that follow belong to it
  kLength = 2,
  kPayload = 3,
  kChecksum = 4,
  kBatch = 5,      // value: how many kAllocated slots follow; counts once its publish is done
  kAllocated = 6,  // a block published before the end of its transaction
  kVoid = 7,       // a batch whose blocks have been freed again
  kFree = 8,       // a block to free once the transaction is committed
  kFirstPlace = 512,
};
inline constexpr uint64_t kRangeSlots = 4;
// Room that is always left, so that a batch of reservations can be noted without allocating.
inline constexpr uint64_t kSpareSlots = kMaxActions + 2;

}  // namespace nvm::heap
