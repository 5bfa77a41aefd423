// The journal backend: durable on any disk at one write and one sync a commit.
//
// The pool's file is mapped privately, so that stores stay in memory. What is flushed is remembered
// by cache line (UnitSet); cut() copies the lines that a commit has changed into one record of the
// journal (format.h), and wait() returns when the record is on stable storage. A checkpoint writes
// the pages that changed to the pool's file and retires the records that say the same.
//
// Invariants
//   1. A record is cut only between operations, with no transaction open: the pool in memory is
//      then as it is after some whole commits, and so it is after any prefix of the records.
//   2. A page is written to the pool's file only as it was at some cut, after that cut's record and
//      all before it are on stable storage. So replaying the living records, all or those that
//      survived, over whatever part of a checkpoint a cut of power left gives the last durable
//      commit.
//   3. A generation is retired after the pages with its changes have been synced.
//   4. The pool's header names the journal (OpenMark) from before the first record until after the
//      last page of the last checkpoint.
//   5. After a failed write or sync nothing more is written, and every commit that has not returned
//      yet, and every later one, is refused with that error. So it is where there was no memory to
//      record a commit: what is needed is asked for before the commit is decided (reserve), and
//      what happens to sets of lines and pages when there is none leaves each at least what it had.
//   6. The content of a large new block may go to the pool's file itself, synced before its
//      commit's record is written: where chunks were free at an earlier cut, with nothing stored
//      there since, all cuts being durable; and only pages of which no living record has a line, so
//      that no replay lays an old one over them. A very large one never passes through memory
//      (fill), others are stored there and written before the commit is decided (write_direct).
//   7. What is free at a durable cut, and at the moment, may lose its content (Space): in memory,
//      in the file, or by a checkpoint that leaves it out. Not a free block's first page, where
//      libpmemobj keeps a node of its list of free blocks, unflushed.
//
// What lies below `first_byte` (headers, descriptor and lanes, all of it libpmemobj's own) is never
// written: it stays as it was when the pool was opened, clean.
//
// Group commit: cut() only copies. The first who waits writes and syncs what has been cut until
// then, for all; who comes meanwhile waits for that, then the next one does the same. So a commit
// may be cut while the one before is being synced. Relaxed commits are written meanwhile, too: they
// wait for no sync, but where the kernel stores to no page that is being written back (btrfs).
//
// Threads: flush() and cut() by the owner of the pool; wait() and try_wait() by any; one thread of
// its own writes checkpoints, and syncs what was committed relaxed.
#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "backend/backend.h"
#include "backend/journal/ballast.h"
#include "backend/journal/journal_file.h"
#include "backend/journal/rules.h"
#include "backend/journal/space.h"
#include "backend/journal/unit_set.h"
#include "pmem/error.h"

namespace nvm::backend::journal {

// What the journal needs of the pool it belongs to.
struct Host {
  std::string journal_path;
  unsigned mode = 0600;  // of the journal's file
  Identity identity;
  uint64_t first_byte = 0;  // stores below it are not recorded
  uint64_t first_zone = 0;  // where the heap's chunks are counted from
  // A new pool that has no name yet: nothing is recorded before settle().
  bool fresh = false;
  // Writes and syncs the mark in the pool's header that says that there is a journal, or removes
  // it.
  std::function<void(bool)> mark;
  // Calls visit(begin, end) for each free block of whole chunks in the pool mapped there,
  // ascending.
  using Visit = std::function<void(uint64_t begin, uint64_t end)>;
  std::function<void(const char* base, uint64_t size, const Visit& visit)> free_blocks;
  // Throws Error(os) if part of the pool in memory is lost, which must not be written then.
  std::function<void()> check_whole;
};

class Journal final : public Backend {
 public:
  // Takes over the pool's file, for checkpoints.
  Journal(std::unique_ptr<DiskFile> pool, Host host);
  ~Journal() override;

  Kind kind() const noexcept override { return Kind::journal; }
  void flush(const void* address, size_t length) noexcept override;
  void drain() noexcept override {}
  void attached(const void* base, size_t length) override;
  // The thread uses what is mapped.
  void detached() noexcept override {
    stop_thread();
    base_ = nullptr;
  }

  void serve(const Quietly& quietly) override { quietly_ = quietly; }
  void reserve(uint64_t more_lines) override;
  void fresh(const void* address, size_t length) noexcept override;
  bool fill(void* to, const void* from, size_t length) override;
  void admit() override;
  void forget(const std::vector<Bytes>& blocks) noexcept override;
  Ticket cut() override;
  bool try_wait(Ticket ticket) override;
  void wait(Ticket ticket, Promise promise, Back back) override;
  std::shared_ptr<Turns> turns() const noexcept override { return turns_; }
  void settle() override;
  void finish() override;
  void abandon() noexcept override;

 private:
  using Lock = std::unique_lock<std::mutex>;
  using Clock = std::chrono::steady_clock;
  using Pages = std::vector<uint64_t>;

  void mark_lines(uint64_t begin, uint64_t end);
  void flush_early(const void* address, size_t length) noexcept;
  void miss(uint64_t begin, uint64_t end) noexcept;
  void mark_missed();
  void open_journal();
  void back_lines();
  void back_pages();
  bool may_be_direct(uint64_t page) const;
  bool is_fresh(uint64_t begin, uint64_t end) const noexcept;
  void write_new(const std::function<void()>& write);
  void write_direct(Lock& lock);
  void write_pages(const Pages& pages);
  void check_not_failed(const Lock& lock) const;
  void fail(const Error& error) noexcept;
  void fail_without_memory() noexcept;
  Ticket cut_lines(const Lock& lock);
  void record_lines();
  void keep_spare_memory() noexcept;
  bool wants_checkpoint(size_t dirty) const noexcept;
  // A commit that waits for its record.
  struct Waiter {
    Ticket ticket;
    Promise promise;
    Back back;
    Sleeper sleeper;
    Waiter* next = nullptr;
  };
  bool is_done(Ticket ticket, Promise promise) const {
    return (promise == Promise::durable ? durable_ : written_) >= ticket;
  }
  bool may_write() const { return !writing_ && !leader_waits_; }
  void write_pending(Lock& lock);
  template <class Work>
  void unlocked(Lock& lock, Work work) noexcept;
  void sync_alone(std::mutex& alone, const std::function<void()>& sync);
  void lead(Lock& lock);
  void gather(Lock& lock);
  void follow(Lock& lock, Waiter& waiter);
  size_t call_waiters(Promise next) noexcept;
  Waiter& leave(Waiter** place) noexcept;
  bool has_room() const noexcept;
  void hold_back(Lock& lock);

  void start_thread();
  void run_thread() noexcept;
  void stop_thread() noexcept;
  void work(Lock& lock);
  bool is_quiet(const std::function<void()>& work);
  bool write_checkpoint();
  bool begin_checkpoint();
  void leave_out_free_pages();
  void punch_holes();
  bool offer_free_blocks();
  bool offer_holes();
  bool punch_some(uint64_t& from);
  void give_back_room();
  bool write_batches();
  void copy_batch(size_t from, std::vector<char>& to) const;
  void write_batch(size_t from, const std::vector<char>& bytes);
  void write_all();
  void give_back();
  void drop_equal(const Pages& pages, size_t from, std::vector<char>& buffer);

  // How many pages may have memory of their own, of what there is.
  struct Limits {
    size_t kept;     // that equal the file's
    size_t dirty;    // before a checkpoint is due
    size_t most;     // dirty ones, before commits wait for it
    size_t touched;  // in one transaction
  };
  static Limits limits();

  const std::unique_ptr<DiskFile> pool_;
  const Host host_;
  const Limits limits_ = limits();
  const std::shared_ptr<Turns> turns_ = std::make_shared<Turns>();
  const Error no_memory_;  // what it fails with where there is no memory to say more
  char* base_ = nullptr;
  uint64_t size_ = 0;
  std::vector<std::pair<const void*, size_t>> early_;  // flushed before the address was known

  // used by the owner of the pool
  UnitSet lines_{6};     // stored to since the last cut
  UnitSet touched_{12};  // the pages of these and of direct_
  UnitSet pages_{12};    // stored to since the last checkpoint began
  UnitSet living_{12};   // stored to before, with records that it will retire
  UnitSet direct_{12};   // of new blocks: stored to since the last cut, whole
  std::vector<std::pair<uint64_t, uint64_t>> fresh_;  // the newest blocks: begin, end
  Pages written_directly_;                            // since the last checkpoint began
  // Flushed, when there was no memory to remember it: the first missed_count_.
  std::array<std::pair<uint64_t, uint64_t>, 64> missed_{};
  size_t missed_count_ = 0;
  Space space_;
  Ballast ballast_;
  size_t backed_ = 0;  // how many of lines_ it has been told
  bool nameless_ = false;
  bool lost_ = false;  // more was missed than that
  // Given back where there is none for a record, which is then tried again.
  std::unique_ptr<char[]> spare_memory_;

  // used by whoever writes a checkpoint
  UnitSet private_{12};      // pages that have memory of their own, and equal the file's if written
  Pages checkpoint_;         // its pages, ascending
  size_t checkpointed_ = 0;  // of them, so many are written
  bool underway_ = false;    // begun, and not ended for want of room

  // Held while a file is synced; taken before mutex_.
  std::mutex pool_sync_;
  std::mutex journal_sync_;

  // guarded by mutex_
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::unique_ptr<JournalFile> journal_;
  std::vector<Write> pending_;
  uint64_t cut_ = 0;                // sequence numbers: of the last record cut,
  uint64_t written_ = 0;            // of the last one written,
  uint64_t durable_ = 0;            // of the last one on stable storage
  bool pool_unsynced_ = false;      // the pool's file was written to for the next record
  bool writing_ = false;            // somebody writes to the journal, without the mutex
  bool syncing_ = false;            // somebody, the leader, syncs it, or is about to
  bool leader_waits_ = false;       // to write: nobody else begins to
  std::condition_variable leader_;  // what the leader waits for has happened
  Waiter* waiters_ = nullptr;       // the newest
  size_t waiting_ = 0;              // how many of them want a sync
  size_t together_ = 1;             // commits that the last sync served
  Clock::duration sync_time_{};     // of that sync
  size_t dirty_ = 0;                // pages that the next checkpoints will write or give back
  bool due_ = false;                // a checkpoint should be written
  bool stop_ = false;
  std::optional<Error> failed_;
  Quietly quietly_;

  // Null before the first record. Never destroyed in a forked child, where it does not run.
  std::unique_ptr<std::thread> thread_;
};

}  // namespace nvm::backend::journal
