// Real persistent memory: libpmem writes cache lines back and fences, as the processor allows.
//
// Why a cut is harmless: after drain() everything this thread flushed is in the persistence domain.
#include "backend/kinds.h"
#include "pmem/interpose/interpose.h"

namespace nvm::backend {
namespace {

class Dax final : public Backend {
 public:
  Kind kind() const noexcept override { return Kind::dax; }

  void flush(const void* address, size_t length) noexcept override {
    libpmem_.flush(address, length);
  }
  void drain() noexcept override { libpmem_.drain(); }

  int deep_flush(const void* address, size_t length) noexcept override {
    libpmem_.deep_flush(address, length);
    return 0;
  }
  void* copy(void* destination, const void* source, size_t length,
             unsigned flags) noexcept override {
    return libpmem_.copy(destination, source, length, flags);
  }
  void* move(void* destination, const void* source, size_t length,
             unsigned flags) noexcept override {
    return libpmem_.move(destination, source, length, flags);
  }
  void* set(void* destination, int byte, size_t length, unsigned flags) noexcept override {
    return libpmem_.set(destination, byte, length, flags);
  }

 private:
  // By value: one load less on the way to a flush.
  const pmem::interpose::Libpmem libpmem_ = pmem::interpose::real();
};

}  // namespace

std::unique_ptr<Backend> make_dax() { return std::make_unique<Dax>(); }

}  // namespace nvm::backend
