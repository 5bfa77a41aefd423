// Allocations by operator new that fail when a test says so. failing_memory.cpp replaces the
// operators of the whole executable; without a FailingMemory they are as ever.
#pragma once

#include <cstdint>

namespace nvm::testing {

// While one lives, allocations throw std::bad_alloc: the nth one (1: the next), and, if
// `from_then`, all that come after it.
class FailingMemory {
 public:
  enum class Which { once, from_then };
  // Whose: the thread's that makes it, or all others'.
  enum class Whose { mine, others };
  FailingMemory(uint64_t nth, Which which, Whose whose = Whose::mine);
  ~FailingMemory();
  FailingMemory(const FailingMemory&) = delete;
  FailingMemory& operator=(const FailingMemory&) = delete;

  // How many have failed.
  static uint64_t failed();
};

}  // namespace nvm::testing
