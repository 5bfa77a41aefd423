// Records what the journal backend writes and syncs, and builds the files that a power failure
// could have left.
//
// The model: a write that was not synced afterwards may be on the medium or not, and of each of its
// sectors of 512 bytes either the old or the new content; writes are independent of each other. A
// sync makes durable what was written to its file before it began. A name that is being made or
// removed may be there or not until the next event. A file that is in the making, with no name yet,
// may be stored to through a mapping, too: that counts as written just before its next sync, or
// before it gets its name.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "backend/journal/disk_file.h"
#include "crash/sparse_file.h"

namespace nvm::crash {

struct DiskEvent {
  enum class Kind { write, sync_begun, sync_ended, truncated, created, removed, acknowledged };
  Kind kind;
  std::string path;
  // Of a write; the new size; of a sync that ended, which event began it; who was told.
  uint64_t offset = 0;
  std::vector<char> bytes;
};

// Everything between its construction and its end; one at a time.
class DiskRecorder final : public backend::DiskObserver {
 public:
  DiskRecorder();
  ~DiskRecorder() override;
  DiskRecorder(const DiskRecorder&) = delete;
  DiskRecorder& operator=(const DiskRecorder&) = delete;

  // The one there is.
  static DiskRecorder& current();

  std::unique_ptr<backend::DiskFile> wrap(std::unique_ptr<backend::DiskFile> file) override;
  void created(const std::string& path) override;
  void removed(const std::string& path) override;

  // What was stored to a file in the making, which is this now, counts as written.
  void note_stores(const std::string& path, const SparseFile& content);

  // The caller, one of several by its number, has been told that one more step is done.
  void acknowledge(uint64_t caller = 0);
  size_t add(DiskEvent event);
  std::vector<DiskEvent> take();

  // How long each sync takes from now on.
  void set_sync_time(std::chrono::microseconds time) { sync_time_ = time; }
  std::chrono::microseconds sync_time() const { return sync_time_; }

  // Lets the next syncs of that file not end before they are released. A wait that takes some
  // seconds fails the test.
  void hold_syncs(const std::string& path);
  void wait_for_held_sync();
  void release_syncs();
  // Returns once such a thing has happened to the file since the syncs were released.
  void wait_for(DiskEvent::Kind kind, const std::string& path);
  void pause_if_held(const std::string& path);

 private:
  std::atomic<std::chrono::microseconds> sync_time_{std::chrono::microseconds(0)};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string held_path_;  // empty if none is held
  bool is_paused_ = false;
  size_t released_at_ = 0;
  std::vector<DiskEvent> events_;
  std::map<std::string, SparseFile> noted_;
};

// Files by their paths.
using Files = std::map<std::string, SparseFile>;

// Of names and contents.
uint64_t hash_of(const Files& files);

// Which of the undecided writes are on the medium.
enum class Choice { none, all, first_half, last_half, any, torn };

// What a power failure has left of each thing that was undecided.
struct Outcome {
  bool name_as_before = false;            // the name that was being made or removed
  std::vector<std::vector<bool>> writes;  // of each, which of its sectors are on the medium
};

// What is on the medium after the first `count` events.
class DiskMedia {
 public:
  DiskMedia(const Files& before, const std::vector<DiskEvent>& events)
      : durable_(before), events_(events) {
    for (const auto& [path, content] : before) names_.insert(path);
  }

  // Goes on to the next event; false at the end.
  bool advance();
  size_t position() const noexcept { return position_; }
  uint64_t acknowledged(uint64_t caller = 0) const;
  // Of who was told of how many steps.
  uint64_t hash_of_history() const;
  bool undecided() const noexcept { return !pending_.empty() || name_ != nullptr; }
  Outcome decide(Choice choice, std::mt19937_64& random) const;
  Files build(const Outcome& outcome) const;
  // The undecided writes that an outcome has lost or torn, for people to read.
  std::vector<std::string> losses(const Outcome& outcome) const;

 private:
  static size_t sectors(const DiskEvent& event);
  static void apply(Files& files, const DiskEvent& event);
  static void apply_sectors(Files& files, const DiskEvent& event, const std::vector<bool>& sectors);

  Files durable_;
  std::set<std::string> names_;  // of these; the others are in the making
  const std::vector<DiskEvent>& events_;
  size_t position_ = 0;
  std::map<uint64_t, uint64_t> acknowledged_;
  std::vector<size_t> pending_;      // events not synced
  const DiskEvent* name_ = nullptr;  // a name made or removed just now
  SparseFile removed_content_;       // of the file that it named
};

}  // namespace nvm::crash
