// Stores to persistent memory.
//
// Every store of ours to a pool goes through these functions. They are plain stores; in the build
// for the crash tests (NVM_CRASH_HOOKS) each also tells the recorder what was stored, so that the
// media which a power cut could leave are enumerated from the order of the real code.
//
// A store of 8 aligned bytes is never torn. Stores to one cache line reach the medium in program
// order (x86-64), so a cut leaves a prefix of them; lines are independent until flushed and fenced.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <source_location>

#ifndef NVM_CRASH_HOOKS
#define NVM_CRASH_HOOKS 0
#endif

namespace nvm::pmem {

inline constexpr size_t kCacheLine = 64;

// Where in our code a flush or fence stands, so that the crash tests can leave it out.
#if NVM_CRASH_HOOKS
struct Site {
  std::source_location location;
  Site(std::source_location here = std::source_location::current()) : location(here) {}
};
#else
struct Site {};
#endif

#if NVM_CRASH_HOOKS
void hook_store(const void* address, size_t length) noexcept;
#else
inline void hook_store(const void*, size_t) noexcept {}
#endif

// Stores one aligned word of 1, 2, 4 or 8 bytes; readers under the latch may see it at once.
template <class T>
inline void store(T* destination, T value) noexcept {
  static_assert(sizeof(T) <= 8);
  __atomic_store(destination, &value, __ATOMIC_RELEASE);
  hook_store(destination, sizeof(T));
}

template <class T>
inline T load(const T* source) noexcept {
  T value;
  __atomic_load(const_cast<T*>(source), &value, __ATOMIC_ACQUIRE);
  return value;
}

inline void copy(void* destination, const void* source, size_t length) noexcept {
  if (length == 0) return;
  std::memcpy(destination, source, length);
  hook_store(destination, length);
}

// Like memmove: the ranges may overlap.
inline void move(void* destination, const void* source, size_t length) noexcept {
  if (length == 0) return;
  std::memmove(destination, source, length);
  hook_store(destination, length);
}

inline void zero(void* destination, size_t length) noexcept {
  if (length == 0) return;
  std::memset(destination, 0, length);
  hook_store(destination, length);
}

}  // namespace nvm::pmem
