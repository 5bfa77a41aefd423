// What makes a store durable. One Backend object serves one open pool; libpmemobj reaches it
// through libnvm_pmem (pmem/interpose), our own code through heap::Pool.
//
//   dax     real persistent memory: flush is a cache-line write-back, drain a store fence
//   (libpmem).
//           Survives power loss. Forced onto an ordinary file (tests): survives the process.
//   memory  tmpfs, ramfs, or any file until its own backend exists: flush and drain only keep the
//           compiler from moving stores. Survives the process.
//   journal reserved: opening with it is an Error of kind value until it is built.
//
// A subclass may record, or inject faults; the code above it is the same.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "pmem/store.h"

namespace nvm::backend {

enum class Kind { dax, memory, journal };

std::string_view name_of(Kind kind) noexcept;
// Throws Error(value) for a name that is none of "dax", "memory", "journal".
Kind kind_from_name(std::string_view name);

class Backend {
 public:
  virtual ~Backend() = default;
  virtual Kind kind() const noexcept = 0;
  // False: a store needs no flush, for it is as durable as it gets when it is made.
  virtual bool needs_flush() const noexcept { return kind() != Kind::memory; }

  // Starts writing back the cache lines that hold [address, address + length).
  virtual void flush(const void* address, size_t length) noexcept = 0;
  // Waits until everything this thread has flushed is durable.
  virtual void drain() noexcept = 0;

  // libpmem's functions as libpmemobj calls them; flags are PMEM_F_MEM_*. The defaults do the
  // plain memory operation, then flush and drain as the flags say.
  virtual bool is_pmem(const void* address, size_t length) noexcept;
  virtual int msync(const void* address, size_t length) noexcept;  // never fails
  virtual int deep_flush(const void* address, size_t length) noexcept;
  virtual void* copy(void* destination, const void* source, size_t length, unsigned flags) noexcept;
  virtual void* move(void* destination, const void* source, size_t length, unsigned flags) noexcept;
  virtual void* set(void* destination, int byte, size_t length, unsigned flags) noexcept;

  // attach() and detach() tell the backend. Its pool is mapped from the first until the second; the
  // memory may be gone already when detached() is called.
  virtual void attached(const void*, size_t) noexcept {}
  virtual void detached() noexcept {}
};

std::unique_ptr<Backend> make(Kind kind);

#if NVM_CRASH_HOOKS
// While set, make() returns what the factory makes. Returns the one before; nullptr: none.
using Factory = std::unique_ptr<Backend> (*)(Kind);
Factory set_factory(Factory factory) noexcept;
#endif

// What the file system under an open file offers.
struct Medium {
  Kind kind;            // the backend to use
  bool durable;         // a returned operation survives a power cut
  std::string fs_name;  // "tmpfs", "ext4", "fsdax", "device dax", ...
};

// Looks at the file system of `fd`. `wanted` forces a backend; journal is refused with
// Error(value); a network file system is refused with Error(os, EOPNOTSUPP) unless `wanted` is set.
Medium choose(int fd, const std::string& file, std::optional<Kind> wanted);

// Makes libpmemobj's calls for addresses in [base, base + length) go to `backend`. Attach inside
// the Opening that the pool is opened in; detach right after pmemobj_close.
void attach(Backend& backend, const void* base, size_t length);
void detach(const void* base) noexcept;

// While one lives, this thread's calls for addresses that no attached range holds go to `backend`
// as well: pmemobj_open and pmemobj_create flush before their address is known.
class Opening {
 public:
  explicit Opening(Backend& backend) noexcept;
  ~Opening();
  Opening(const Opening&) = delete;
  Opening& operator=(const Opening&) = delete;

 private:
  Backend* before_;
};

// True once it has been seen that libpmemobj's calls really arrive here (proved at first use with
// anonymous shared memory, in 0.2 ms; the answer is remembered).
bool interposed();

}  // namespace nvm::backend
