// Our own undo log: what makes several stores one.
//
// On the medium
//   TxControl in the root object: state = generation << 2 | phase is the commit point.
//   Entries lie in a chain of segments of 16-byte slots {value, tag}; a tag holds what the slot
//   is, and the number of the generation that wrote it:
//     tag = place << 20 | generation % 2^20 (never 0)
//     place >= 512   a word entry: value is the old content of the word at place * 8
//     place < 512    a Mark (see below); such places are libpmemobj's header, never logged
//   A range takes four slots: destination, length, payload, checksum. Payloads lie in blocks of
//   their own, where no tag is ever read.
//   Frees of a large transaction, and allocations published before its end, are entries too.
//
// Invariants, at every instant that a power cut can choose
//   1. An entry is valid or absent: a slot's value is stored before its tag, in the same line; a
//      range's checksum covers its payload and generation; reading stops at the first slot of
//      another generation.
//   2. Whatever is stored to a logged place was stored after its entry was flushed and fenced.
//   3. The state word names a generation newer than any finished transaction's entries; it is
//      renewed, fenced, after every commit, roll-back and recovery, even if nothing was logged.
//   4. A new segment is zeroed before it is linked; before the number in tags wraps, all tags are
//      wiped while no entry is valid.
//
// Why a cut is harmless
//   before the state word changes     recovery stores the old values back, newest first, frees the
//                                     batches of allocations that were published, and renews the
//                                     generation: as if nothing had been.
//   after it (phase committed)        recovery goes on with the frees at the cursor; each batch of
//                                     frees and its cursor change in one publish.
//   in recovery or roll-back          both are idempotent; a batch freed is void in the same
//                                     publish that frees it.
//
// Not thread-safe: used by the owner of the pool, under its latch.
#pragma once

#include <cstdint>
#include <vector>

#include "heap/format.h"
#include "heap/pool_file.h"

namespace nvm::heap {

class Pool;

class UndoLog {
 public:
  explicit UndoLog(Pool& pool) : pool_(pool) {}

  static constexpr uint64_t kFirstSegmentBytes = 16 * 1024;

  // Makes the first segment of a new pool.
  void create();
  // At open: undoes or finishes what a cut left, then renews the generation. On a private mapping
  // (flag "r") it does the same without allocating or freeing anything.
  void recover();

  bool active() const noexcept { return active_; }
  void begin() noexcept { active_ = true; }

  // Appends the present content of a word or range. REQUIRES active(). Not durable before seal().
  // Throws Error(full) if the log cannot be extended; nothing is logged then.
  void log_word(uint64_t* word);
  void log_range(void* begin, size_t length);
  // Fences: what was appended is durable, stores may follow.
  void seal();
  bool sealed() const noexcept { return sealed_; }

  // Publishes reservations before the end of the transaction, so that they are freed again if it
  // is undone. Takes them over.
  void publish_early(std::vector<Action>& actions, const std::vector<Offset>& blocks);

  // The commit point, together with the allocations that are still reserved and with the frees.
  // REQUIRES: every changed line has been flushed. Does not fail once durable.
  void commit(std::vector<Action>& allocations, const std::vector<Offset>& frees);
  // Stores every old value back and ends the generation.
  void roll_back();

  // Positions, to undo one operation of a transaction (its entries stay; they are harmless: the
  // oldest entry of a place wins).
  struct Mark {
    uint64_t slots;
  };
  Mark mark() const noexcept { return {count_}; }
  void undo_to(Mark mark);  // restores content only

 private:
  struct Segment {
    Offset offset;
    uint64_t slots;
    uint64_t before;  // slots in earlier segments
  };
  struct Slot;
  Pool& pool_;
  bool active_ = false;
  bool sealed_ = true;
  uint64_t count_ = 0;  // slots used in this generation
  std::vector<Segment> segments_;
};

}  // namespace nvm::heap
