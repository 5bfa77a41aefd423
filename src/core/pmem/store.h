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

// Where in our sources a flush or a fence stands. Functions that flush or fence take one last, with
// `= {}`: it is the place of their caller, which the crash tests can leave out. Empty otherwise.
#if NVM_CRASH_HOOKS
struct Site {
  std::source_location location = std::source_location::current();
};
#else
struct Site {};
#endif

// What the crash tests are told, before it happens for flush and drain, after it for stores.
//   hook_store    something was stored to [address, address + length)
//   hook_flush    false: this flush must be left out
//   hook_drain    false: this fence must be left out
//   hook_publish  libpmemobj is about to publish
#if NVM_CRASH_HOOKS
void hook_store(const void* address, size_t length) noexcept;
bool hook_flush(const Site& site) noexcept;
bool hook_drain(const Site& site) noexcept;
void hook_publish() noexcept;

// Who is told; one at a time.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void stored(const void* address, size_t length) noexcept = 0;
  virtual bool may_flush(const Site& site) noexcept = 0;
  virtual bool may_drain(const Site& site) noexcept = 0;
  virtual void publishing() noexcept = 0;
};
// Returns the one before; nullptr: nobody.
Observer* set_observer(Observer* observer) noexcept;
#else
inline void hook_store(const void*, size_t) noexcept {}
inline bool hook_flush(const Site&) noexcept { return true; }
inline bool hook_drain(const Site&) noexcept { return true; }
inline void hook_publish() noexcept {}
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
