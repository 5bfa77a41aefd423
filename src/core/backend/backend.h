// What makes a store durable. One Backend object serves one open pool; libpmemobj reaches it
// through libnvm_pmem (pmem/interpose), our own code through heap::Pool.
//
//   dax     real persistent memory: flush is a cache-line write-back, drain a store fence
//   (libpmem).
//           Survives power loss. Forced onto an ordinary file (tests): survives the process.
//   memory  tmpfs, ramfs, or any file: flush and drain only keep the compiler from moving stores.
//           Survives the process.
//   journal any other disk: what is flushed becomes one record of a redo log for each commit
//           (journal/journal.h). Survives power loss.
//
// A subclass may record, or inject faults; the code above it is the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/turns.h"
#include "pmem/store.h"

namespace nvm::backend {

enum class Kind { dax, memory, journal };

std::string_view name_of(Kind kind) noexcept;
// Throws Error(value) for a name that is none of "dax", "memory", "journal".
Kind kind_from_name(std::string_view name);

// A commit on its way to the medium; 0: there is nothing to wait for.
using Ticket = uint64_t;
// What is waited for: that a commit outlives the process, or that it outlives the power.
enum class Promise { written, durable };
// How a wait for a commit ends: as soon as it can, or in one of the backend's turns. Who waits for
// a turn holds no lock that others want before theirs ends.
enum class Back { at_once, in_turn };
// Runs a function while nobody changes the pool and no transaction is open; false, and nothing has
// run, if that is not possible at once.
using Quietly = std::function<bool(const std::function<void()>& work)>;

// Of the pool in memory.
struct Bytes {
  const char* begin;
  size_t length;
};

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

  // attach() and detach() tell the backend; attached() may throw. Its pool is mapped from the first
  // until the second; the memory may be gone already when detached() is called.
  virtual void attached(const void*, size_t) {}
  virtual void detached() noexcept {}

  // For backends that record commits; to the others a drained line is durable.
  //   serve    how the backend's own thread gets its turn
  //   reserve  before a commit can no more be undone: room for what was flushed since the last cut
  //            and so many further cache lines. Throws Error(os) when the disk is full.
  //   fresh    a large block there is new, and no commit that is not durable has freed its place:
  //            what is flushed there may be written to the medium at once
  //   fill     content for whole pages of such a block. True: it is in the file, and seen in
  //            memory; otherwise the caller has to store it. REQUIRES: the caller owns the pool.
  //            Throws Error(os).
  //   admit    in a transaction: whether what it has stored so far fits into memory. Throws
  //            Error(os), ENOMEM.
  //   forget   what was flushed there need not be recorded: the blocks, ascending, never came to be
  //   cut      ends a commit: REQUIRES that the caller owns the pool and no transaction is open.
  //            Throws Error(os) if the backend has failed.
  //   wait     returns when the commit has what is promised. Throws Error(os).
  //   try_wait the same where it is promised to be written, if that neither waits nor takes long;
  //            otherwise it returns false
  //   turns    of those that come back in turn: each has a Turn from before its wait until it has
  //            the locks that it wants
  //   settle   in a new pool that has no name yet: what was stored so far is in its file itself.
  //            Throws Error(os).
  //   finish   before the pool is closed, by its owner: afterwards the file is whole by itself.
  //            Throws Error(os); what was promised is recovered by the next open then.
  //   abandon  in a forked child: nothing is written any more
  virtual void serve(const Quietly&) {}
  virtual void reserve(uint64_t) {}
  virtual void fresh(const void*, size_t) noexcept {}
  virtual bool fill(void*, const void*, size_t) { return false; }
  virtual void admit() {}
  virtual void forget(const std::vector<Bytes>&) noexcept {}
  virtual Ticket cut() { return 0; }
  virtual void wait(Ticket, Promise, Back) {}
  virtual bool try_wait(Ticket) { return true; }
  virtual std::shared_ptr<Turns> turns() const noexcept { return nullptr; }
  virtual void settle() {}
  virtual void finish() {}
  virtual void abandon() noexcept {}
};

// For dax and memory.
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

// Looks at the file system of `fd`. `wanted` forces a backend; a network file system is refused
// with Error(os, EOPNOTSUPP) unless `wanted` is set.
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
