#include "pmem/store.h"

#if NVM_CRASH_HOOKS

#include <atomic>

namespace nvm::pmem {
namespace {

std::atomic<Observer*> observer{nullptr};

}  // namespace

Observer* set_observer(Observer* next) noexcept { return observer.exchange(next); }

void hook_store(const void* address, size_t length) noexcept {
  if (Observer* const told = observer.load()) told->stored(address, length);
}

bool hook_flush(const Site& site) noexcept {
  Observer* const told = observer.load();
  return told == nullptr || told->may_flush(site);
}

bool hook_drain(const Site& site) noexcept {
  Observer* const told = observer.load();
  return told == nullptr || told->may_drain(site);
}

void hook_publish() noexcept {
  if (Observer* const told = observer.load()) told->publishing();
}

}  // namespace nvm::pmem

#endif
