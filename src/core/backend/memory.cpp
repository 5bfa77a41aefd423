// Memory that outlives the process but not the power: a store is as durable as it gets when it is
// made. What is left of a flush is that the compiler must not move stores over it, so that a killed
// process leaves the stores in the order of the program.
#include <atomic>
#include <cstring>

#include "backend/kinds.h"

namespace nvm::backend {
namespace {

void keep_order() noexcept { std::atomic_signal_fence(std::memory_order_seq_cst); }

class Memory final : public Backend {
 public:
  Kind kind() const noexcept override { return Kind::memory; }

  void flush(const void*, size_t) noexcept override { keep_order(); }
  void drain() noexcept override { keep_order(); }
};

}  // namespace

std::unique_ptr<Backend> make_memory() { return std::make_unique<Memory>(); }

}  // namespace nvm::backend
