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
//      yet, and every later one, is refused with that error.
//
// What lies below `first_byte` (headers, descriptor and lanes, all of it libpmemobj's own) is never
// written: it stays as it was when the pool was opened, clean.
//
// Group commit: cut() only copies. The first who waits writes and syncs what has been cut until
// then, for all; who comes meanwhile waits for that, then the next one does the same. So a commit
// may be cut while the one before is being synced.
//
// Threads: flush() and cut() by the owner of the pool; wait() by any; one thread of its own writes
// checkpoints, and syncs what was committed relaxed.
#pragma once

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
#include "backend/journal/journal_file.h"
#include "backend/journal/unit_set.h"
#include "pmem/error.h"

namespace nvm::backend::journal {

// What the journal needs of the pool it belongs to.
struct Host {
  std::string journal_path;
  unsigned mode = 0600;  // of the journal's file
  Identity identity;
  uint64_t first_byte = 0;  // stores below it are not recorded
  // A new pool that has no name yet: nothing is recorded before settle().
  bool fresh = false;
  // Writes and syncs the mark in the pool's header that says that there is a journal, or removes
  // it.
  std::function<void(bool)> mark;
};

class Journal final : public Backend {
 public:
  // Takes over the pool's file, for checkpoints.
  Journal(std::unique_ptr<DiskFile> pool, Host host);
  ~Journal() override;

  Kind kind() const noexcept override { return Kind::journal; }
  void flush(const void* address, size_t length) noexcept override;
  void drain() noexcept override {}
  void attached(const void* base, size_t length) noexcept override;
  void detached() noexcept override { base_ = nullptr; }

  void serve(const Quietly& quietly) override { quietly_ = quietly; }
  void reserve(uint64_t more_lines) override;
  void forget(const void* address, size_t length) noexcept override;
  Ticket cut() override;
  void wait(Ticket ticket, Promise promise) override;
  void settle() override;
  void finish() override;
  void abandon() noexcept override;

 private:
  using Lock = std::unique_lock<std::mutex>;
  using Pages = std::vector<uint64_t>;

  void open_journal();
  void back_granules();
  void check_not_failed(const Lock& lock) const;
  void fail(const Error& error) noexcept;
  Ticket cut_lines(const Lock& lock);
  bool write_alone(Lock& lock, const std::function<void(DiskFile&)>& write);
  void lead(Lock& lock, Promise promise);

  void start_thread();
  void run_thread() noexcept;
  void stop_thread() noexcept;
  void work(Lock& lock);
  void zero_ahead(Lock& lock);
  bool is_quiet(const std::function<void()>& work);
  bool write_checkpoint();
  bool write_batches();
  void copy_batch(size_t from, std::vector<char>& to) const;
  void write_batch(size_t from, const std::vector<char>& bytes);
  void write_all();
  void give_back();
  void drop_equal(const Pages& pages, size_t from, std::vector<char>& buffer);

  const std::unique_ptr<DiskFile> pool_;
  const Host host_;
  char* base_ = nullptr;
  uint64_t size_ = 0;
  std::vector<std::pair<const void*, size_t>> early_;  // flushed before the address was known

  // used by the owner of the pool
  UnitSet lines_{6};      // stored to since the last cut
  UnitSet pages_{12};     // stored to since the last checkpoint began
  UnitSet private_{12};   // that have a page of memory of their own
  UnitSet granules_{18};  // of the pool's file that have blocks on the medium, as far as known
  size_t backed_ = 0;     // how many of lines_ have been looked at for that
  bool fresh_ = false;
  bool lost_ = false;  // there was no memory to remember a line in

  // used by whoever writes a checkpoint
  Pages checkpoint_;         // its pages, ascending
  size_t checkpointed_ = 0;  // of them, so many are written

  // guarded by mutex_
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::unique_ptr<JournalFile> journal_;
  std::vector<Write> pending_;
  uint64_t cut_ = 0;      // sequence numbers: of the last record cut,
  uint64_t written_ = 0;  // of the last one written,
  uint64_t durable_ = 0;  // of the last one on stable storage
  bool writing_ = false;  // somebody writes or syncs the journal, without the mutex
  bool due_ = false;      // a checkpoint should be written
  bool stop_ = false;
  std::optional<Error> failed_;
  Quietly quietly_;

  // Null before the first record. Never destroyed in a forked child, where it does not run.
  std::unique_ptr<std::thread> thread_;
};

}  // namespace nvm::backend::journal
