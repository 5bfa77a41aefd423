// Bytes of a pool that code outside stores to whenever it likes: what a writable buffer is made of.
//
// An export has memory of its own, apart from the pool's mapping, which moves when the pool grows
// and goes away when it is closed: a shared mapping of the file's pages, or, where those are mapped
// privately, of pages that the pool shares (file/shared_pages.h). What is stored there is in the
// pool at once, and durable after flush() and close(). It is in no transaction: an abort does not
// undo it.
//
// On a backend that records commits, flush() passes on the pages whose content has changed, by
// their checksums (XXH3, 128 bits), and needs ownership of the pool. close() therefore only puts
// the export aside where another thread owns it; the next flush() takes care of it.
//
// Who cannot tell when nobody looks at the bytes any more (PyPy: src/nvm/_pypy/views.py) brings a
// place of his own, in which they are shown besides, and which he keeps until close().
//
// Invariants
//   1. The block of an attached export is allocated. Its owner is pinned, and does not move its
//   bytes
//      while they are exported; if an undone transaction frees the block nevertheless, because it
//      had allocated it, the export is detached before the block can be used again.
//   2. What is stored to a detached export (then, after the pool was closed, in a forked child)
//   stays
//      in memory: the file is somebody else's by then.
//   3. In a pool that is open for reading an export is a copy.
//
// Threads: every method may be called from any thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "heap/file/shared_mapping.h"
#include "heap/format.h"

namespace nvm::heap {

class Pool;

class Export {
 public:
  char* data() const noexcept { return shown_; }
  uint64_t size() const noexcept { return size_; }

 private:
  friend class Exports;
  Offset block_ = 0;
  Offset begin_ = 0;
  uint64_t size_ = 0;
  char* data_ = nullptr;
  const char* place_ = nullptr;  // that was brought
  char* shown_ = nullptr;        // in there, or data_
  SharedMapping mapping_;
  std::vector<char> copy_;
  std::vector<std::array<uint64_t, 2>> checksums_;  // of its pages, where commits are recorded
};

class Exports {
 public:
  explicit Exports(Pool& pool) : pool_(pool) {}

  // `size` bytes of the pool from `begin` on, which lie in `block`. REQUIRES: the latch. Throws
  // Error(buffer) if they cannot be mapped. They are shown in `place`, if one is given, which
  // begins where a page does, is writable and has room_for(begin, size) bytes.
  Export* open(Offset block, Offset begin, uint64_t size, char* place = nullptr);
  static uint64_t room_for(Offset begin, uint64_t size) noexcept;
  // A place that was brought holds bytes of nobody's then: those of the export, unless they are
  // very many (SharedMapping::kMostKept).
  void close(Export* exported) noexcept;
  // The export that is shown in this place, or null.
  Export* at(const char* place);
  // Whether bytes of the block are exported.
  bool exported(Offset block);
  // Whether there is a detached one: what it was of, only who holds it knows.
  bool any_detached();
  // Where in the pool [data, data + size) is, if it lies within one attached export.
  std::optional<Offset> place_of(const void* data, uint64_t size);
  // Makes durable what has been stored so far; where commits are recorded, part of the next one.
  // REQUIRES there: ownership.
  void flush() noexcept;

  // For Pool: a transaction has been undone; the pool is being closed; this is a forked child.
  void detach_freed() noexcept;
  void detach_all() noexcept;
  void forked() noexcept;

 private:
  static char* show(Export& exported, char* place);
  bool flush(Export& exported) noexcept;  // without a fence; false: there is nothing to
  void flush_changed(Export& exported) noexcept;
  void flush_all() noexcept;  // one fence for all

  Pool& pool_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Export>> exports_;
  std::vector<std::unique_ptr<Export>> closed_;  // not yet passed on
};

}  // namespace nvm::heap
