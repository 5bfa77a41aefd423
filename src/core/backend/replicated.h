// The backend of a pool with replicas: what is flushed in the master is copied to each of them.
//
// libpmemobj replicates what it stores itself, through the medium's own backend, which is what is
// attached for it. Stores of ours it knows nothing of; they come here, by way of heap::Pool.
//
// Invariants
//   1. After drain() all that this thread has flushed is in the persistence domain of the master
//      and of every copy.
//   2. A copy receives a line only when it is flushed, in the order of the flushes; so what a cut
//      leaves of a copy is what a cut at some flush could leave of the master.
//   3. Within a line, the words at 8 beyond a multiple of 16 come last, and among these the ones
//      at 8 beyond a multiple of 32: a tag of the undo log after its value (undo_log.h), the mark
//      of a dict's entry after the rest of it (dict_layout.h).
//
// Why a cut is harmless: the master is as it would be without copies, and the copies are made
// equal to it before it is used again (heap/file/set_copies.h).
//
// Threads: as the medium's backend. No two threads flush one line at once.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "backend/backend.h"

namespace nvm::backend {

// The order in which the words of a line are copied (invariant 3).
inline constexpr std::array<size_t, pmem::kCacheLine / sizeof(uint64_t)> kCopyOrder{0, 2, 4, 6,
                                                                                    3, 7, 1, 5};

class Replicated final : public Backend {
 public:
  // `medium` outlives this; the copies are mapped as long as this is used.
  Replicated(Backend& medium, char* master, size_t size, std::vector<char*> copies);

  Kind kind() const noexcept override { return medium_.kind(); }
  bool needs_flush() const noexcept override { return true; }
  void flush(const void* address, size_t length) noexcept override;
  void drain() noexcept override { medium_.drain(); }

 private:
  Backend& medium_;
  char* master_;
  size_t size_;
  std::vector<char*> copies_;
};

}  // namespace nvm::backend
