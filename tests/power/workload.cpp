#include "power/workload.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <system_error>

#include "backend/journal/journal_file.h"
#include "object/store.h"
#include "power/ledger.h"
#include "power/nvdimm.h"

namespace nvm::power {
namespace {

using backend::Kind;
using heap::Pool;

constexpr uint64_t kAbortEvery = 9;
constexpr uint64_t kReopenEvery = 250;
constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kFirstLimit = 20 * kMiB;
constexpr uint64_t kLimit = 32 * kMiB;

// Tells the number of the last commit in a place of its own on a disk, in the order in which it and
// all else reach the disk: the host reads it there after the cut.
class Acknowledger {
 public:
  Acknowledger(const char* device, uint64_t offset)
      : fd_(::open(device, O_WRONLY | O_DIRECT | O_CLOEXEC)), offset_(offset) {
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), device);
  }
  ~Acknowledger() { ::close(fd_); }
  Acknowledger(const Acknowledger&) = delete;
  Acknowledger& operator=(const Acknowledger&) = delete;

  void tell(uint64_t number) {
    std::memcpy(sector_, &number, sizeof number);
    if (::pwrite(fd_, sector_, sizeof sector_, static_cast<off_t>(offset_)) != sizeof sector_)
      throw std::system_error(errno, std::generic_category(), "cannot acknowledge");
  }

 private:
  int fd_;
  uint64_t offset_;
  alignas(4096) char sector_[512] = {};
};

class Work {
 public:
  Work(std::string path, Kind kind) : path_(std::move(path)), kind_(kind) {}

  void run(Acknowledger& acknowledger, uint64_t commits) {
    open(0);
    for (uint64_t number = 1; number <= commits; ++number) {
      if (number % kReopenEvery == 0) open(number);
      if (number > 1 && number % kAbortEvery == 0) abort_one(*pool_, number);
      commit(*pool_, number);
      acknowledger.tell(number);
    }
    pool_->close();
  }

 private:
  // A pool on a disk is larger at each opening; one in persistent memory starts small and grows.
  void open(uint64_t number) {
    if (pool_) pool_->close();
    heap::OpenOptions options;
    options.path = path_;
    options.initial_size = heap::kMinPoolSize;
    if (kind_ == Kind::journal) {
      options.backend = kind_;
      options.limit = std::min(kLimit, kFirstLimit + number / kReopenEvery * 4 * kMiB);
    } else {
      options.limit = kLimit;
    }
    pool_ = Pool::open(options, object::initialize, object::destroy);
    if (kind_ == Kind::dax) check_nvdimm(*pool_);
  }

  std::string path_;
  Kind kind_;
  std::shared_ptr<Pool> pool_;
};

}  // namespace

int run(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: %s BACKEND POOL DEVICE OFFSET COMMITS\n", argv[0]);
    return 2;
  }
  backend::journal::wanted_half_bytes = backend::journal::kLeastHalfBytes;
  try {
    Acknowledger acknowledger(argv[3], std::strtoull(argv[4], nullptr, 10));
    Work(argv[2], backend::kind_from_name(argv[1]))
        .run(acknowledger, std::strtoull(argv[5], nullptr, 10));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}

}  // namespace nvm::power
