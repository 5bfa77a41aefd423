// A fixed table of slots. Each is guarded by a sequence number whose last two bits say what the
// slot is going through; readers take what they read only if the number is the same afterwards. The
// opening of a thread is a slot of its own that holds every address.
#include "pmem/interpose/ranges.h"

#include <atomic>
#include <cstdint>

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

// One attachment of a slot: once it is detached, the number is another.
struct Place {
  const Slot* slot;
  uint64_t sequence;

  bool operator==(const Place&) const = default;
};

// Zero-initialized: all are free.
constinit Slot slots[kMaxRanges];
// Those at and beyond it have never been used.
constinit std::atomic<size_t> slots_used;

struct ThreadState {
  const Slot* recent;  // tried first; null at first
  Place undrained;     // slot null: none
  Slot opening;
};
constinit thread_local ThreadState thread_state{};

bool in_use(uint64_t sequence) { return (sequence & kStateMask) == kInUse; }

// Reads the target of a slot that is in use and holds `address`. Stays at the same attachment: what
// was read counts only if the number has not moved.
inline bool read(const Slot& slot, uintptr_t address, Target& target, Place& place) {
  const uint64_t sequence = slot.sequence.load(std::memory_order_acquire);
  const uintptr_t base = slot.base.load(std::memory_order_acquire);
  const size_t length = slot.length.load(std::memory_order_acquire);
  target.operations = slot.operations.load(std::memory_order_acquire);
  target.context = slot.context.load(std::memory_order_acquire);
  place = {&slot, sequence};
  return address - base < length && in_use(sequence) &&
         slot.sequence.load(std::memory_order_relaxed) == sequence;
}

bool search(ThreadState& state, uintptr_t address, Target& target, Place& place) {
  const size_t used = slots_used.load(std::memory_order_acquire);
  for (size_t index = 0; index < used; ++index) {
    if (read(slots[index], address, target, place)) {
      state.recent = &slots[index];
      return true;
    }
  }
  return read(state.opening, address, target, place);
}

inline bool lookup(ThreadState& state, const void* address, Target& target, Place& place) {
  const auto value = reinterpret_cast<uintptr_t>(address);
  if (state.recent != nullptr && read(*state.recent, value, target, place)) return true;
  return search(state, value, target, place);
}

// The target of a place, none if it is attached no longer.
Target resolve(const Place& place) {
  if (place.slot == nullptr) return {};
  Target target;
  Place now{};
  const uintptr_t address = place.slot->base.load(std::memory_order_acquire);
  return read(*place.slot, address, target, now) && now == place ? target : Target{};
}

// From now on this thread's flushes are at `place`; those it left elsewhere are drained.
inline void turn_to(ThreadState& state, const Place& place) {
  if (state.undrained.slot == nullptr) {
    state.undrained = place;
    return;
  }
  const Target earlier = resolve(state.undrained);
  state.undrained = place;
  if (earlier.operations != nullptr) earlier.operations->drain(earlier.context);
}

void fill(Slot& slot, uintptr_t base, size_t length, Target target) {
  slot.base.store(base, std::memory_order_release);
  slot.length.store(length, std::memory_order_release);
  slot.operations.store(target.operations, std::memory_order_release);
  slot.context.store(target.context, std::memory_order_release);
}

// Moves the slot from state `from` to the next one, where it belongs to the caller, who moves it on
// with advance().
bool claim(Slot& slot, SlotState from) {
  uint64_t sequence = slot.sequence.load(std::memory_order_acquire);
  return (sequence & kStateMask) == from &&
         slot.sequence.compare_exchange_strong(sequence, sequence + 1);
}

void advance(Slot& slot) { slot.sequence.fetch_add(1, std::memory_order_release); }

}  // namespace

Target find(const void* address) noexcept {
  Target target;
  Place place{};
  return lookup(thread_state, address, target, place) ? target : Target{};
}

Target find_to_flush(const void* address) noexcept {
  ThreadState& state = thread_state;
  Target target;
  Place place{};
  if (!lookup(state, address, target, place)) return {};
  if (!(state.undrained == place)) turn_to(state, place);
  return target;
}

Target find_to_persist(const void* address) noexcept {
  ThreadState& state = thread_state;
  Target target;
  Place place{};
  if (!lookup(state, address, target, place)) return {};
  if (state.undrained == place) state.undrained = {};
  return target;
}

Target take_undrained() noexcept {
  ThreadState& state = thread_state;
  const Target target = resolve(state.undrained);
  state.undrained = {};
  return target;
}

void note_flush(const void* address) noexcept { find_to_flush(address); }

bool attach(const void* base, size_t length, Target target) noexcept {
  for (size_t index = 0; index < kMaxRanges; ++index) {
    Slot& slot = slots[index];
    if (!claim(slot, kFree)) continue;
    fill(slot, reinterpret_cast<uintptr_t>(base), length, target);
    advance(slot);
    size_t used = slots_used.load(std::memory_order_relaxed);
    while (used <= index && !slots_used.compare_exchange_weak(used, index + 1)) {
    }
    return true;
  }
  return false;
}

Target detach(const void* base) noexcept {
  const size_t used = slots_used.load(std::memory_order_acquire);
  for (size_t index = 0; index < used; ++index) {
    Slot& slot = slots[index];
    if (slot.base.load(std::memory_order_acquire) != reinterpret_cast<uintptr_t>(base)) continue;
    if (!claim(slot, kInUse)) continue;
    const Target target{slot.operations.load(std::memory_order_relaxed),
                        slot.context.load(std::memory_order_relaxed)};
    fill(slot, 0, 0, {});
    advance(slot);
    return target;
  }
  return {};
}

Target set_opening(Target target) noexcept {
  ThreadState& state = thread_state;
  Slot& slot = state.opening;
  // What was flushed under the old opening is drained while it is still known where.
  if (state.undrained.slot == &slot) turn_to(state, {});
  const Target before{slot.operations.load(std::memory_order_relaxed),
                      slot.context.load(std::memory_order_relaxed)};
  if (claim(slot, kInUse)) {
    fill(slot, 0, 0, {});
    advance(slot);
  }
  if (target.operations != nullptr && claim(slot, kFree)) {
    fill(slot, 0, SIZE_MAX, target);
    advance(slot);
  }
  return before;
}

}  // namespace nvm::pmem::interpose
