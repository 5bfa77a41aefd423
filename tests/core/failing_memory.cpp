#include "core/failing_memory.h"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace nvm::testing {
namespace {

std::atomic<bool> armed{false};
std::atomic<bool> for_others{false};
std::atomic<bool> all_later{false};
std::atomic<int64_t> left{0};  // until the first that fails
std::atomic<uint64_t> failures{0};
thread_local bool mine = false;

bool fails() {
  if (!armed.load(std::memory_order_relaxed) || mine == for_others.load()) return false;
  const int64_t number = left.fetch_sub(1);
  if (number > 1 || (number < 1 && !all_later.load())) return false;
  failures.fetch_add(1);
  return true;
}

}  // namespace

FailingMemory::FailingMemory(uint64_t nth, Which which, Whose whose) {
  mine = true;
  for_others.store(whose == Whose::others);
  all_later.store(which == Which::from_then);
  left.store(static_cast<int64_t>(nth));
  failures.store(0);
  armed.store(true);
}

FailingMemory::~FailingMemory() {
  armed.store(false);
  mine = false;
}

uint64_t FailingMemory::failed() { return failures.load(); }

}  // namespace nvm::testing

namespace {

void* allocated(size_t size, size_t alignment = 0) noexcept {
  if (nvm::testing::fails()) return nullptr;
  if (alignment <= alignof(std::max_align_t)) return std::malloc(size == 0 ? 1 : size);
  return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

void* allocated_or_throw(size_t size, size_t alignment = 0) {
  void* const memory = allocated(size, alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(size_t size) { return allocated_or_throw(size); }
void* operator new[](size_t size) { return allocated_or_throw(size); }
void* operator new(size_t size, const std::nothrow_t&) noexcept { return allocated(size); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept { return allocated(size); }
void* operator new(size_t size, std::align_val_t alignment) {
  return allocated_or_throw(size, static_cast<size_t>(alignment));
}
void* operator new[](size_t size, std::align_val_t alignment) {
  return allocated_or_throw(size, static_cast<size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
