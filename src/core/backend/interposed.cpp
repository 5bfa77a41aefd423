// The proof that libpmemobj's calls arrive here: a pool is made, and its calls are waited for.
//
// This is the one place outside heap/ that calls libpmemobj, since it asks about libpmemobj itself;
// the pool lives for the length of one call and nothing is kept of it.
#include <libpmemobj.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "backend/backend.h"

namespace nvm::backend {
namespace {

// Answers as memory does and remembers whether it was asked.
class Witness final : public Backend {
 public:
  Kind kind() const noexcept override { return Kind::memory; }
  bool is_pmem(const void*, size_t) noexcept override { return asked_ = true; }
  void flush(const void*, size_t) noexcept override { flushed_ = true; }
  void drain() noexcept override { drained_ = true; }

  bool saw_everything() const { return asked_ && flushed_ && drained_; }

 private:
  bool asked_ = false;
  bool flushed_ = false;
  bool drained_ = false;
};

// A file of `size` zeros that has a path but no name; -1 if there is no way to make one.
class NamelessFile {
 public:
  explicit NamelessFile(size_t size) : fd_(memfd_create("nvm-proof", MFD_CLOEXEC)) {
    if (fd_ >= 0 && ftruncate(fd_, static_cast<off_t>(size)) != 0) release();
  }
  ~NamelessFile() { release(); }
  NamelessFile(const NamelessFile&) = delete;
  NamelessFile& operator=(const NamelessFile&) = delete;

  bool made() const { return fd_ >= 0; }
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  void release() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  int fd_;
};

bool prove() {
  const NamelessFile file(PMEMOBJ_MIN_POOL);
  if (!file.made()) return false;
  Witness witness;
  const Opening opening(witness);
  PMEMobjpool* pool = pmemobj_create(file.path().c_str(), "nvm-proof", 0, S_IRUSR | S_IWUSR);
  if (pool == nullptr) return false;
  pmemobj_close(pool);
  return witness.saw_everything();
}

}  // namespace

bool interposed() {
  static const bool proved = prove();
  return proved;
}

}  // namespace nvm::backend
