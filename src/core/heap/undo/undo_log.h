// Our own undo log: what makes several stores one.
//
// On the medium
//   TxControl in the root object: state = generation << 2 | phase is the commit point.
//   Entries lie in a chain of segments of 16-byte slots {value, tag}; a tag holds what the slot
//   is, and the number of the generation that wrote it:
//     tag = place << 20 | generation % 2^20 (the number is never 0)
//     place >= 512   a word entry: value is the old content of the word at place * 8
//     place < 512    a SlotKind; such places are libpmemobj's header, never logged
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
//   4. A new segment is zeroed before it is linked. A generation whose number is 0 has no entries:
//      when it is reached, all tags are wiped before the next one begins.
//
// Why a cut is harmless
//   before the state word changes     recovery stores the old values back, newest first, frees the
//                                     batches of allocations that were published, and renews the
//                                     generation: as if nothing had been.
//   after it (phase committed)        recovery goes on with the frees at the cursor; each batch of
//                                     frees and its cursor change in one publish, the last of
//                                     which sets phase and generation too.
//   in recovery or roll-back          both are idempotent; a batch freed is void in the same
//                                     publish that frees it.
//
// Nothing that undoes, and nothing past the commit point, allocates memory.
//
// Not thread-safe: used by the owner of the pool, under its latch.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "heap/file/pool_file.h"
#include "heap/format.h"

namespace nvm::heap {

class Pool;

class UndoLog {
 public:
  explicit UndoLog(Pool& pool) : pool_(pool) {}

  // Makes the first segment and the first payload block of a new pool.
  void create();
  // At open: undoes or finishes what a cut left, then renews the generation. On a private mapping
  // (flag "r") it does the same without allocating or freeing anything.
  void recover();

  bool active() const noexcept { return active_; }
  // The control block says that no transaction is open or has frees pending.
  bool idle() const;
  void begin();

  // Appends the present content of a word or range. REQUIRES active(). Not durable before seal().
  // Throws Error(full) if the log cannot be extended; nothing is logged then.
  void log_word(uint64_t* word);
  void log_range(const void* begin, size_t length);
  // Fences, if anything was appended: it is durable, stores may follow.
  void seal();

  // Publishes reservations before the end of the transaction, so that they are freed again if it
  // is undone. REQUIRES active(). Both vectors are empty afterwards.
  void publish_early(std::vector<Action>& allocations, std::vector<Offset>& blocks);

  // The commit point, together with the allocations that are still reserved and with the frees;
  // the vectors are empty afterwards. REQUIRES: every changed line has been flushed. Throws
  // Error(full), with nothing decided, if there is no room to note the frees.
  void commit(std::vector<Action>& allocations, std::vector<Offset>& blocks,
              std::vector<Offset>& frees);
  // Stores every old value back and ends the generation.
  void roll_back();

  // Stores back the ranges that were logged since the mark, to undo one operation of a transaction,
  // and frees the blocks that it published early. The other entries stay: they are harmless, since
  // the oldest entry of a place wins.
  uint64_t mark() const noexcept { return count_; }
  void undo_to(uint64_t mark, const std::vector<Offset>& early);

  // The blocks of the log itself.
  std::vector<Offset> blocks() const;

  static constexpr uint64_t kFirstSlots = 1022;
  static constexpr uint64_t kMostSlots = (uint64_t{4} << 20) / 16 - 2;
  // With its two headers it takes eight units of the class of libpmemobj's that the first segment
  // comes from too; 64 KiB would make a run of 4 MiB in each new pool.
  static constexpr uint64_t kPayloadBytes = uint64_t{8} * 5504 - 32;

 private:
  struct Slot {
    uint64_t value;
    uint64_t tag;
  };
  struct SegmentHeader {
    Offset next;
    uint64_t slots;
  };
  struct PayloadHeader {
    Offset next;
    uint64_t bytes;
  };
  struct Segment {
    Offset offset;
    uint64_t slots;
    uint64_t first;  // index of its first slot
  };
  struct Payload {
    Offset offset;
    uint64_t bytes;
  };
  struct Range {
    Offset destination;
    uint64_t length;
    Offset payload;
    uint64_t checksum;
  };

  TxControl& control() const;
  uint64_t generation() const;
  uint64_t number() const;
  uint64_t tag(uint64_t place) const { return place << 20 | number(); }
  Slot* slot(uint64_t index) const;
  void put(uint64_t index, uint64_t value, uint64_t place);
  void append(uint64_t value, uint64_t place) { put(count_++, value, place); }

  void make_room(uint64_t slots);
  void add_segment(uint64_t slots);
  Offset payload_room(size_t length);
  void add_payload(uint64_t bytes);
  void load_chains();
  void trim();
  template <class Block>
  void release_chain(Offset* link, std::vector<Block>& blocks, size_t keep);

  uint64_t checksum(const Range& range) const;
  char* bytes_at(Offset begin, uint64_t length) const;
  bool range_at(uint64_t index, Range& range) const;
  uint64_t valid_entries() const;
  uint64_t entry_slots(uint64_t index) const;
  void restore(uint64_t from);
  std::vector<Offset> allocated() const;
  void forget_allocated();
  void free_batches(uint64_t from, const std::vector<Offset>* only);
  void free_batch(uint64_t index);
  void note_frees(const std::vector<Offset>& frees);
  uint64_t next_free(uint64_t index) const;
  void finish_frees();
  void renew();
  void wipe();
  void end_generation();
  bool cached(Offset word);

  Pool& pool_;
  bool active_ = false;
  bool unsealed_ = false;
  uint64_t count_ = 0;     // slots used in this generation
  uint64_t capacity_ = 0;  // slots in all segments
  std::vector<Segment> segments_;
  std::vector<Payload> payloads_;
  size_t payload_ = 0;                      // the block in use
  uint64_t payload_used_ = 0;               // bytes of it
  std::array<Offset, 512> logged_words_{};  // of this generation, by hash: need no second entry
};

}  // namespace nvm::heap
