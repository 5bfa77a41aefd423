#include "heap/file/bus_guard.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <mutex>

namespace nvm::heap {
namespace {

constexpr size_t kSlots = 1024;
constexpr uintptr_t kPage = 4096;

struct Slot {
  std::atomic<uintptr_t> begin{0};  // 0: free; written last, and cleared first
  std::atomic<uintptr_t> end{0};
  std::atomic<BusGuard::Flag*> lost{nullptr};
};

constinit Slot slots[kSlots];
std::mutex registering;
struct sigaction previous;

// The call itself, as what others lay over mmap (sanitizers do) is not for handlers of signals.
bool lay_zeros(uintptr_t address) noexcept {
  constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;
  return ::syscall(SYS_mmap, address / kPage * kPage, kPage, PROT_READ | PROT_WRITE, flags, -1,
                   0) != -1;
}

bool is_guarded(uintptr_t address) noexcept {
  for (Slot& slot : slots) {
    const uintptr_t begin = slot.begin.load(std::memory_order_acquire);
    if (begin == 0 || address < begin || address >= slot.end.load()) continue;
    if (!lay_zeros(address)) return false;
    slot.lost.load()->store(true);
    return true;
  }
  return false;
}

void hand_on(int number, siginfo_t* info, void* context) noexcept {
  if ((previous.sa_flags & SA_SIGINFO) != 0) {
    previous.sa_sigaction(number, info, context);
  } else if (previous.sa_handler == SIG_DFL || previous.sa_handler == SIG_IGN) {
    ::signal(number, SIG_DFL);  // the access is tried again, and ends the process
  } else {
    previous.sa_handler(number);
  }
}

void on_bus_error(int number, siginfo_t* info, void* context) {
  const int error = errno;
  if (!is_guarded(reinterpret_cast<uintptr_t>(info->si_addr))) hand_on(number, info, context);
  errno = error;
}

// Where that fails, as it does nowhere, a SIGBUS is what it was.
void set_handler() {
  struct sigaction ours {};
  ours.sa_sigaction = on_bus_error;
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
  ::sigemptyset(&ours.sa_mask);
  static_cast<void>(::sigaction(SIGBUS, &ours, &previous));
}

}  // namespace

BusGuard::BusGuard(const void* base, uint64_t size, std::shared_ptr<Flag> lost)
    : lost_(std::move(lost)) {
  static std::once_flag once;
  std::call_once(once, set_handler);
  const auto begin = reinterpret_cast<uintptr_t>(base);
  const std::lock_guard lock(registering);
  for (size_t i = 0; i < kSlots; ++i) {
    if (slots[i].begin.load() != 0) continue;
    slots[i].lost.store(lost_.get());
    slots[i].end.store(begin + size);
    slots[i].begin.store(begin, std::memory_order_release);
    slot_ = i;
    return;
  }
}

void BusGuard::reset() noexcept {
  if (slot_ != kNoSlot) slots[slot_].begin.store(0, std::memory_order_release);
  slot_ = kNoSlot;
  lost_.reset();
}

}  // namespace nvm::heap
