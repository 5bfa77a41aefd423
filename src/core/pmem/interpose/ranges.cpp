// A fixed table of ranges. Each slot is guarded by a sequence number whose last two bits say what
// the slot is going through; readers take what they read only if the number is the same afterwards.
#include "pmem/interpose/ranges.h"

#include <atomic>

namespace nvm::pmem::interpose {
namespace {

enum SlotState : uint64_t { kFree = 0, kAttaching = 1, kInUse = 2, kDetaching = 3 };
constexpr uint64_t kStateMask = 3;

struct Slot {
  std::atomic<uint64_t> sequence;
  std::atomic<uintptr_t> base;
  std::atomic<size_t> length;
  std::atomic<const Operations*> operations;
  std::atomic<void*> context;
};

// Zero-initialized: all slots are free.
constinit Slot slots[kMaxRanges];
// Slots at and beyond it have never been used.
constinit std::atomic<uint32_t> slots_used;

struct ThreadState {
  Target opening;
  Place undrained;
  uint32_t recent_slot;  // tried first
};
constinit thread_local ThreadState thread_state{};

SlotState state_of(uint64_t sequence) { return static_cast<SlotState>(sequence & kStateMask); }

// Claims the slot for a change if it is in state `from`; the caller stores sequence + 1 when done.
bool claim(Slot& slot, SlotState from, uint64_t& sequence) {
  sequence = slot.sequence.load(std::memory_order_acquire);
  if (state_of(sequence) != from) return false;
  if (!slot.sequence.compare_exchange_strong(sequence, sequence + 1)) return false;
  ++sequence;
  return true;
}

void raise_slots_used(uint32_t count) {
  uint32_t used = slots_used.load(std::memory_order_relaxed);
  while (used < count && !slots_used.compare_exchange_weak(used, count)) {
  }
}

// Reads the slot if it is in use, and whole.
bool read(uint32_t index, Found& found, uintptr_t& base, size_t& length) {
  const Slot& slot = slots[index];
  const uint64_t sequence = slot.sequence.load(std::memory_order_acquire);
  if (state_of(sequence) != kInUse) return false;
  base = slot.base.load(std::memory_order_acquire);
  length = slot.length.load(std::memory_order_acquire);
  found.target.operations = slot.operations.load(std::memory_order_acquire);
  found.target.context = slot.context.load(std::memory_order_acquire);
  found.place = {Place::Kind::range, index, sequence};
  return slot.sequence.load(std::memory_order_relaxed) == sequence;
}

bool read_if_holding(uint32_t index, const void* address, Found& found) {
  uintptr_t base = 0;
  size_t length = 0;
  return read(index, found, base, length) && reinterpret_cast<uintptr_t>(address) - base < length;
}

// What `place` still stands for.
Target resolve(const Place& place) {
  if (place.kind == Place::Kind::opening) return thread_state.opening;
  if (place.kind == Place::Kind::none) return {};
  Found found;
  uintptr_t base = 0;
  size_t length = 0;
  if (!read(place.slot, found, base, length)) return {};
  return found.place.sequence == place.sequence ? found.target : Target{};
}

bool same(const Place& a, const Place& b) {
  return a.kind == b.kind && a.slot == b.slot && a.sequence == b.sequence;
}

// This thread now leaves flushes at `place`; those it left elsewhere are drained.
void remember(const Place& place) {
  ThreadState& state = thread_state;
  if (same(state.undrained, place)) return;
  const Target earlier = resolve(state.undrained);
  state.undrained = place;
  if (earlier.operations != nullptr) earlier.operations->drain(earlier.context);
}

}  // namespace

Found find(const void* address) noexcept {
  ThreadState& state = thread_state;
  Found found;
  if (read_if_holding(state.recent_slot, address, found)) return found;
  const uint32_t used = slots_used.load(std::memory_order_acquire);
  for (uint32_t index = 0; index < used; ++index) {
    if (read_if_holding(index, address, found)) {
      state.recent_slot = index;
      return found;
    }
  }
  if (state.opening.operations == nullptr) return {};
  return {state.opening, {Place::Kind::opening, 0, 0}};
}

Target find_to_flush(const void* address) noexcept {
  const Found found = find(address);
  if (found.place.kind != Place::Kind::none) remember(found.place);
  return found.target;
}

Target take_undrained() noexcept {
  const Target target = resolve(thread_state.undrained);
  thread_state.undrained = {};
  return target;
}

bool attach(const void* base, size_t length, Target target) noexcept {
  for (uint32_t index = 0; index < kMaxRanges; ++index) {
    Slot& slot = slots[index];
    uint64_t sequence = 0;
    if (!claim(slot, kFree, sequence)) continue;
    slot.base.store(reinterpret_cast<uintptr_t>(base), std::memory_order_release);
    slot.length.store(length, std::memory_order_release);
    slot.operations.store(target.operations, std::memory_order_release);
    slot.context.store(target.context, std::memory_order_release);
    slot.sequence.store(sequence + 1, std::memory_order_release);
    raise_slots_used(index + 1);
    return true;
  }
  return false;
}

Target detach(const void* base) noexcept {
  const uint32_t used = slots_used.load(std::memory_order_acquire);
  for (uint32_t index = 0; index < used; ++index) {
    Slot& slot = slots[index];
    if (slot.base.load(std::memory_order_acquire) != reinterpret_cast<uintptr_t>(base)) continue;
    uint64_t sequence = 0;
    if (!claim(slot, kInUse, sequence)) continue;
    const Target target{slot.operations.load(std::memory_order_relaxed),
                        slot.context.load(std::memory_order_relaxed)};
    slot.base.store(0, std::memory_order_release);
    slot.length.store(0, std::memory_order_release);
    slot.operations.store(nullptr, std::memory_order_release);
    slot.context.store(nullptr, std::memory_order_release);
    slot.sequence.store(sequence + 1, std::memory_order_release);
    return target;
  }
  return {};
}

Target set_opening(Target target) noexcept {
  ThreadState& state = thread_state;
  const Target before = state.opening;
  // What was flushed under the old opening is drained while we still know where.
  if (state.undrained.kind == Place::Kind::opening) remember({});
  state.opening = target;
  return before;
}

void note_flush(const void* address) noexcept { find_to_flush(address); }

}  // namespace nvm::pmem::interpose
