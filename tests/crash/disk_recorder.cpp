#include "crash/disk_recorder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <thread>
#include <utility>

#include "crash/mix.h"
#include "forwarding_file.h"

namespace nvm::crash {
namespace {

constexpr uint64_t kSector = 512;
constexpr auto kLongestWait = std::chrono::seconds(20);

DiskRecorder* the_recorder = nullptr;

class RecordedFile final : public backend::ForwardingFile {
 public:
  RecordedFile(std::unique_ptr<DiskFile> file, DiskRecorder& recorder)
      : ForwardingFile(std::move(file)), recorder_(recorder) {}

  void write(const void* data, size_t length, uint64_t offset) override {
    const auto* bytes = static_cast<const char*>(data);
    recorder_.add({DiskEvent::Kind::write, path(), offset, {bytes, bytes + length}});
    ForwardingFile::write(data, length, offset);
  }
  // Nothing is cut for real.
  void sync() override {
    if (!std::filesystem::exists(path())) recorder_.note_stores(path(), content());
    const size_t begun = recorder_.add({DiskEvent::Kind::sync_begun, path(), 0, {}});
    recorder_.pause_if_held(path());
    if (const auto time = recorder_.sync_time(); time.count() != 0)
      std::this_thread::sleep_for(time);
    recorder_.add({DiskEvent::Kind::sync_ended, path(), begun, {}});
  }
  void allocate(uint64_t begin, uint64_t length) override {
    const uint64_t before = size();
    ForwardingFile::allocate(begin, length);
    if (size() != before) recorder_.add({DiskEvent::Kind::truncated, path(), size(), {}});
  }
  void punch(uint64_t begin, uint64_t length) override {
    recorder_.add({DiskEvent::Kind::write, path(), begin, std::vector<char>(length)});
    ForwardingFile::punch(begin, length);
  }
  void truncate(uint64_t size) override {
    recorder_.add({DiskEvent::Kind::truncated, path(), size, {}});
    ForwardingFile::truncate(size);
  }

 private:
  SparseFile content() {
    std::vector<char> bytes(size());
    read(bytes.data(), bytes.size(), 0);
    return SparseFile::of(bytes.data(), bytes.size());
  }

  DiskRecorder& recorder_;
};

}  // namespace

DiskRecorder::DiskRecorder() {
  backend::set_disk_observer(this);
  the_recorder = this;
}
DiskRecorder::~DiskRecorder() {
  the_recorder = nullptr;
  backend::set_disk_observer(nullptr);
}
DiskRecorder& DiskRecorder::current() { return *the_recorder; }

std::unique_ptr<backend::DiskFile> DiskRecorder::wrap(std::unique_ptr<backend::DiskFile> file) {
  return std::make_unique<RecordedFile>(std::move(file), *this);
}

size_t DiskRecorder::add(DiskEvent event) {
  const std::lock_guard lock(mutex_);
  events_.push_back(std::move(event));
  changed_.notify_all();
  return events_.size() - 1;
}

void DiskRecorder::note_stores(const std::string& path, const SparseFile& content) {
  SparseFile& noted = noted_[path];
  if (noted.size() != content.size()) add({DiskEvent::Kind::truncated, path, content.size(), {}});
  content.for_each_change(noted, [&](uint64_t offset, const char* bytes, uint64_t length) {
    add({DiskEvent::Kind::write, path, offset, {bytes, bytes + length}});
  });
  noted = content;
}

void DiskRecorder::created(const std::string& path) {
  if (noted_.contains(path)) note_stores(path, SparseFile::read(path));
  add({DiskEvent::Kind::created, path, 0, {}});
}
void DiskRecorder::removed(const std::string& path) {
  add({DiskEvent::Kind::removed, path, 0, {}});
}
void DiskRecorder::acknowledge(uint64_t caller) {
  add({DiskEvent::Kind::acknowledged, {}, caller, {}});
}

std::vector<DiskEvent> DiskRecorder::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(events_, {});
}

void DiskRecorder::hold_syncs(const std::string& path) {
  const std::lock_guard lock(mutex_);
  held_path_ = path;
}

void DiskRecorder::wait_for_held_sync() {
  std::unique_lock lock(mutex_);
  EXPECT_TRUE(changed_.wait_for(lock, kLongestWait, [this] { return is_paused_; }));
}

void DiskRecorder::release_syncs() {
  const std::lock_guard lock(mutex_);
  held_path_.clear();
  released_at_ = events_.size();
  changed_.notify_all();
}

void DiskRecorder::wait_for(DiskEvent::Kind kind, const std::string& path) {
  std::unique_lock lock(mutex_);
  EXPECT_TRUE(changed_.wait_for(lock, kLongestWait, [&] {
    return std::any_of(
        events_.begin() + static_cast<ptrdiff_t>(released_at_), events_.end(),
        [&](const DiskEvent& event) { return event.kind == kind && event.path == path; });
  }));
}

void DiskRecorder::pause_if_held(const std::string& path) {
  std::unique_lock lock(mutex_);
  if (path != held_path_) return;
  is_paused_ = true;
  changed_.notify_all();
  changed_.wait(lock, [this] { return held_path_.empty(); });
  is_paused_ = false;
}

// ---- Media

uint64_t hash_of(const Files& files) {
  uint64_t hash = 0;
  for (const auto& [path, content] : files)
    hash = mix(mix(hash + std::hash<std::string>()(path)) + content.hash());
  return hash;
}

void DiskMedia::apply(Files& files, const DiskEvent& event) {
  SparseFile& file = files[event.path];
  if (event.kind == DiskEvent::Kind::truncated) {
    file.resize(event.offset);
  } else {
    file.write(event.offset, event.bytes.data(), event.bytes.size());
  }
}

// A truncation counts as one.
size_t DiskMedia::sectors(const DiskEvent& event) {
  if (event.kind == DiskEvent::Kind::truncated) return 1;
  const uint64_t end = event.offset + event.bytes.size();
  return (end + kSector - 1) / kSector - event.offset / kSector;
}

void DiskMedia::apply_sectors(Files& files, const DiskEvent& event,
                              const std::vector<bool>& sectors) {
  if (std::find(sectors.begin(), sectors.end(), false) == sectors.end()) {
    return apply(files, event);
  }
  uint64_t from = 0;
  for (size_t i = 0; i < sectors.size() && from < event.bytes.size(); ++i) {
    const uint64_t in_sector = kSector - (event.offset + from) % kSector;
    const uint64_t length = std::min<uint64_t>(in_sector, event.bytes.size() - from);
    if (sectors[i]) files[event.path].write(event.offset + from, event.bytes.data() + from, length);
    from += length;
  }
}

bool DiskMedia::advance() {
  if (position_ == events_.size()) return false;
  const DiskEvent& event = events_[position_++];
  if (event.kind != DiskEvent::Kind::acknowledged) name_ = nullptr;
  switch (event.kind) {
    case DiskEvent::Kind::write:
    case DiskEvent::Kind::truncated:
      pending_.push_back(position_ - 1);
      break;
    case DiskEvent::Kind::sync_begun:
      break;
    case DiskEvent::Kind::sync_ended: {
      const auto synced = [&](size_t index) {
        return index < event.offset && events_[index].path == event.path;
      };
      for (const size_t index : pending_)
        if (synced(index)) apply(durable_, events_[index]);
      std::erase_if(pending_, synced);
      break;
    }
    case DiskEvent::Kind::created:
      names_.insert(event.path);
      durable_[event.path];
      removed_content_ = {};
      name_ = &event;
      break;
    case DiskEvent::Kind::removed:
      removed_content_ = std::exchange(durable_[event.path], {});
      durable_.erase(event.path);
      names_.erase(event.path);
      std::erase_if(pending_, [&](size_t index) { return events_[index].path == event.path; });
      name_ = &event;
      break;
    case DiskEvent::Kind::acknowledged:
      ++acknowledged_[event.offset];
      break;
  }
  return true;
}

uint64_t DiskMedia::acknowledged(uint64_t caller) const {
  const auto found = acknowledged_.find(caller);
  return found == acknowledged_.end() ? 0 : found->second;
}

uint64_t DiskMedia::hash_of_history() const {
  uint64_t hash = 0;
  for (const auto& [caller, steps] : acknowledged_) hash = mix(mix(hash + caller) + steps);
  return hash;
}

Outcome DiskMedia::decide(Choice choice, std::mt19937_64& random) const {
  Outcome outcome;
  outcome.name_as_before = name_ != nullptr && (random() & 1) != 0;
  for (size_t i = 0; i < pending_.size(); ++i) {
    const DiskEvent& event = events_[pending_[i]];
    const bool early = i < pending_.size() / 2;
    const bool whole = choice == Choice::all || (choice == Choice::first_half && early) ||
                       (choice == Choice::last_half && !early) ||
                       (choice == Choice::any && (random() & 1) != 0);
    std::vector<bool>& arrived = outcome.writes.emplace_back(sectors(event), whole);
    if (choice != Choice::torn) continue;
    for (size_t sector = 0; sector < arrived.size(); ++sector)
      arrived[sector] = (random() & 1) != 0;
  }
  return outcome;
}

Files DiskMedia::build(const Outcome& outcome) const {
  Files files = durable_;
  std::string restored;
  if (outcome.name_as_before) {
    if (name_->kind == DiskEvent::Kind::created) {
      files.erase(name_->path);
      return files;
    }
    restored = name_->path;
    files[restored] = removed_content_;
  }
  for (size_t i = 0; i < pending_.size(); ++i)
    apply_sectors(files, events_[pending_[i]], outcome.writes[i]);
  std::erase_if(files, [&](const auto& file) {
    return file.first != restored && !names_.contains(file.first);
  });
  return files;
}

std::vector<std::string> DiskMedia::losses(const Outcome& outcome) const {
  std::vector<std::string> lost;
  for (size_t i = 0; i < pending_.size(); ++i) {
    const std::vector<bool>& arrived = outcome.writes[i];
    const auto missing = std::count(arrived.begin(), arrived.end(), false);
    if (missing == 0) continue;
    const DiskEvent& event = events_[pending_[i]];
    const bool is_write = event.kind == DiskEvent::Kind::write;
    lost.push_back("event " + std::to_string(pending_[i]) + ", " +
                   (is_write ? std::to_string(missing) + " of " + std::to_string(arrived.size()) +
                                   " sectors written at "
                             : std::string("a truncation to ")) +
                   std::to_string(event.offset) + " of " + event.path);
  }
  return lost;
}

}  // namespace nvm::crash
