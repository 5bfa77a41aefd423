// libnvm_pmem: stands between libpmemobj and libpmem.
//
// libpmemobj touches its medium through nine functions of libpmem, the same in 1.12 and 2.1:
//   pmem_is_pmem, pmem_flush, pmem_drain, pmem_persist, pmem_deep_flush, pmem_msync,
//   pmem_memcpy, pmem_memmove, pmem_memset.
// This library defines all nine. What needs libpmemobj names this library before it (DT_NEEDED), so
// the loader binds libpmemobj's calls here: nothing is preloaded and nothing patched. A call goes
// to
//   1. the operations attached to the range that holds the address,
//   2. else those of this thread's opening,
//   3. else the real libpmem.
// pmem_drain has no address: it goes to where this thread flushed since its last drain, else to the
// real libpmem. If a thread turns from one range to another with flushes undrained, the first is
// drained at that moment.
//
// Invariants
//   1. The real libpmem never calls back here, and operations reach it only through real().
//   2. A lookup takes no lock and never sees a range half attached.
//   3. pmem_msync and pmem_deep_flush of a range report success: libpmemobj aborts on failure.
//   4. No object here has a destructor, and nothing is allocated: usable at any moment of a
//      process's start, end and fork.
//
// Threads: any. Before detach(), no other thread may be inside a call for the range, nor have
// flushed it without draining and be draining just then.
#pragma once

#include <cstddef>

#define NVM_PMEM_EXPORT __attribute__((visibility("default")))

namespace nvm::pmem::interpose {

// What a range does instead of libpmem. All members are set; the meaning of each is libpmem's.
struct Operations {
  bool (*is_pmem)(void* context, const void* address, size_t length);
  void (*flush)(void* context, const void* address, size_t length);
  void (*drain)(void* context);
  void (*deep_flush)(void* context, const void* address, size_t length);
  void (*msync)(void* context, const void* address, size_t length);
  void* (*copy)(void* context, void* destination, const void* source, size_t length,
                unsigned flags);
  void* (*move)(void* context, void* destination, const void* source, size_t length,
                unsigned flags);
  void* (*set)(void* context, void* destination, int byte, size_t length, unsigned flags);
};

// The operations with the object they work for. `operations` null: none.
struct Target {
  const Operations* operations = nullptr;
  void* context = nullptr;
};

// How many ranges can be attached at once.
inline constexpr size_t kMaxRanges = 1024;

// Sends calls for [base, base + length) to `target`, whose operations must outlive the attachment.
// False if kMaxRanges are attached already. Ranges must not overlap.
NVM_PMEM_EXPORT bool attach(const void* base, size_t length, Target target) noexcept;
// Undoes attach(base, ...) and returns its target; none if there is no such range.
NVM_PMEM_EXPORT Target detach(const void* base) noexcept;

// Sets this thread's opening (see 2. above) and returns the one before.
NVM_PMEM_EXPORT Target set_opening(Target target) noexcept;

// Tells that this thread has flushed something in the range that holds `address` without calling
// pmem_flush, so that its next pmem_drain goes there too.
NVM_PMEM_EXPORT void note_flush(const void* address) noexcept;

// The real libpmem.
struct Libpmem {
  int (*is_pmem)(const void* address, size_t length);
  void (*flush)(const void* address, size_t length);
  void (*drain)();
  void (*persist)(const void* address, size_t length);
  void (*deep_flush)(const void* address, size_t length);
  int (*msync)(const void* address, size_t length);
  void* (*copy)(void* destination, const void* source, size_t length, unsigned flags);
  void* (*move)(void* destination, const void* source, size_t length, unsigned flags);
  void* (*set)(void* destination, int byte, size_t length, unsigned flags);
};

// Found at the first call. Aborts the process if there is no libpmem: libpmemobj needs it as well.
NVM_PMEM_EXPORT const Libpmem& real() noexcept;

}  // namespace nvm::pmem::interpose
