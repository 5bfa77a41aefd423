// One change of a pool: all of it or nothing, whenever the power fails or an exception is thrown.
//
// The code of a type says what changes; the operation takes the cheapest form that fits (see
// docs/guarantees.md):
//   F1  one word changes, nothing is allocated or freed: store, flush, fence.
//   F2  blocks are allocated or freed, few words change: one publish of libpmemobj.
//   F3  all else, and everything inside a transaction: the undo log.
//
// How a type uses it
//   - What is not reachable yet is written at once (fresh blocks, room beyond a size) with
//     pmem::store / copy and then told by written(); it is flushed, not fenced.
//   - Reachable words change by set(), which takes effect at commit(), in the order given.
//   - Reachable ranges that move are told by change() first; the range may then be stored to, and
//     is restored if the operation does not commit; written() afterwards.
//   - References are counted by refer() and drop(), netted until the commit. What reaches zero goes
//     to limbo in the same commit, and is freed after it, unless a handle is pinned.
//   - A block that a slot owned alone (a blob) is freed by free(), in the same commit.
//
// Everything may throw Error(full) before commit() has taken effect; the caller (mutate() in
// access.h) then lets the operation go, grows the pool, and runs it again from the start.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "heap/pool.h"

namespace nvm::heap {

class Operation {
 public:
  // REQUIRES: this thread owns the pool and holds its latch exclusively.
  explicit Operation(Pool& pool);
  ~Operation();  // what was not committed is undone
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  Pool& pool() const noexcept { return pool_; }

  // Blocks; their content is undefined. They exist from commit on.
  Offset allocate_blob(uint64_t bytes);
  // A counted object with count zero: its Counted word is written already. It goes to limbo at the
  // commit unless something refers to it by then.
  Offset allocate_object(Type type, uint64_t bytes, uint64_t class_id = 0);
  // A block that others lay out, of a type number with kRawType; its Counted word is the caller's
  // to store. It never goes to limbo by itself.
  Offset allocate_raw(uint64_t type, uint64_t bytes);
  // Gives a counted block a class id, at the commit; without references it goes to limbo then.
  void set_class(Offset object, uint64_t class_id);
  // Throws Error(corrupt) if no block starts there.
  void free(Offset block);

  template <class T>
  T* at(Offset offset, uint64_t bytes = sizeof(T)) const {
    return pool_.at<T>(offset, bytes);
  }

  // Unreachable memory that was stored to: flushed here, fenced by the commit.
  void written(const void* address, size_t length, pmem::Site site = {}) {
    pool_.flush(address, length, site);
    unfenced_ = true;
  }
  // A block begins with this word, and these parts follow it: stored there and flushed. Large ones
  // may take a shorter way to the medium than through memory. REQUIRES: it is unreachable.
  using Part = std::span<const uint8_t>;
  void fill(uint64_t* word, uint64_t head, std::initializer_list<Part> parts, pmem::Site site = {});
  // Fences now: for orders that need it between two unreachable stores.
  void fence(pmem::Site site = {}) {
    pool_.drain(site);
    unfenced_ = false;
  }

  // A reachable word gets this value at the commit.
  void set(uint64_t* word, uint64_t value);
  // A fence between the words set before and after this call, where they are stored one by one.
  void then_fence() { fence_after_ = words_.size(); }
  // A reachable word as this operation will leave it.
  uint64_t get(const uint64_t* word) const {
    const Word* const pending = words_.empty() ? nullptr : find(word);
    return pending != nullptr ? pending->value : pmem::load(word);
  }
  bool in_transaction() const noexcept { return in_transaction_; }

  // Logs a reachable range; it may be stored to as soon as this returns.
  void change(void* begin, size_t length);

  void refer(Offset object) { count(object, 1); }
  void drop(Offset object) { count(object, -1); }
  // Repairs the count of an object: so many cells refer to it. Without any it goes to limbo; with
  // some it leaves it. REQUIRES: this operation neither refers to it nor drops it.
  void recount(Offset object, uint64_t references);
  // Repairs a slot of limbo, by its offset: it is free, whatever it names.
  void clear_limbo_slot(Offset slot);

  // Makes a limbo list with free slots, so that a full pool can let objects go.
  void make_limbo() { next_limbo_slot(); }

  // commit() fences what was written before the first set word is stored. one_fence() says that a
  // missing part would be noticed (a blank place), so that one fence after all stores is enough.
  void one_fence() noexcept { one_fence_ = true; }
  void commit();

  // True when the operation frees and allocates about as much as one publish can take: those who
  // free in steps stop here.
  bool large() const noexcept {
    return allocations_.size() + frees_.size() + 2 * (counts_ ? counts_->size() : 0) >=
           kMaxActions / 2;
  }

 private:
  using Word = PendingWord;

  Offset reserve(uint64_t bytes, BlockKind kind);
  void check_block(Offset block) const;
  void count(Offset object, int64_t delta);
  int64_t take_count(Offset object);
  void settle_count(Offset object, int64_t delta);
  void settle_counts();
  void move_to_limbo(Offset object);
  void leave_limbo(Offset object);
  Offset next_limbo_slot();
  void cancel_unneeded();
  Word* find(const uint64_t* word) const;
  bool fits_store() const noexcept;
  bool fits_publish() const noexcept;
  void commit_store();
  void commit_publish();
  void commit_logged();
  void enter_log();
  void log_words();
  void store_words();
  void hand_over();
  void make_room();
  void after_commit() noexcept;
  void undo() noexcept;

  Pool& pool_;
  const bool in_transaction_;
  bool logging_ = false;   // the undo log is open: for the transaction, or for this operation
  bool unfenced_ = false;  // something written() is not fenced
  bool one_fence_ = false;
  bool done_ = false;
  size_t fence_after_ = 0;  // words before the fence that then_fence() asked for; 0: none
  uint64_t mark_ = 0;       // of the undo log, in a transaction

  std::vector<Action> allocations_;
  std::vector<Offset> blocks_;   // those of allocations_
  std::vector<Offset> early_;    // blocks of this operation that are published already
  std::vector<Offset> objects_;  // counted objects allocated here
  std::vector<Offset> raws_;     // blocks of allocate_raw()
  std::vector<Offset> frees_;
  mutable std::vector<Word> words_;
  std::optional<std::unordered_map<const uint64_t*, size_t>> word_index_;  // of many words
  std::optional<std::unordered_map<Offset, int64_t>> counts_;
  std::vector<std::pair<Offset, Offset>> to_limbo_;  // object, slot
  std::vector<Offset> from_limbo_;
  std::vector<Offset> new_slots_;  // of limbo that were not free before
};

}  // namespace nvm::heap
