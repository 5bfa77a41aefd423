// A pool with a replica, cut at every point: what is left of the master, and what is left of the
// copy in its place, must each be whole; and once the pool has been closed again the copy must hold
// what the master does. (Not the same bytes: not all that libpmemobj stores is flushed, and so
// copied; such are the footers of chunks and its lists of free ones.)
//
// One medium holds both: the master's bytes, then the copy's. So a cut leaves of either whatever
// their common order of flushes and fences allows.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <utility>

#include "backend/backend.h"
#include "collect/check.h"
#include "crash/dump.h"
#include "crash/workload.h"
#include "heap/layout/pmdk_layout.h"

namespace nvm::crash {
namespace {

constexpr uint64_t kSize = uint64_t{16} << 20;
constexpr uint64_t kHeader = heap::pmdk::kPage;  // each replica's own

// A file that stays mapped.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path) : fd_(::open(path.c_str(), O_RDWR)) {
    struct stat status {};
    if (fd_ < 0 || ::fstat(fd_, &status) != 0) throw Error(ErrorKind::os, "no " + path, errno);
    size_ = static_cast<uint64_t>(status.st_size);
    void* const mapped =
        ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_, 0);
    if (mapped == MAP_FAILED) throw Error(ErrorKind::os, "no map of " + path, errno);
    bytes_ = static_cast<char*>(mapped);
  }
  ~MappedFile() {
    ::munmap(bytes_, size_);
    ::close(fd_);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const char* bytes() const { return bytes_; }
  // Stores only what differs.
  void put(uint64_t begin, const char* bytes, uint64_t length) {
    for (uint64_t at = 0; at < length; at += kHeader)
      if (std::memcmp(bytes_ + begin + at, bytes + at, kHeader) != 0)
        std::memcpy(bytes_ + begin + at, bytes + at, kHeader);
  }

 private:
  int fd_;
  uint64_t size_ = 0;
  char* bytes_ = nullptr;
};

// A pool set of a master and a copy, one file each.
class Mirror {
 public:
  Mirror() {
    std::string pattern = "/dev/shm/nvm-crash-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    std::ofstream(set()) << "PMEMPOOLSET\n16M " << master() << "\nREPLICA\n16M " << copy() << "\n";
  }
  ~Mirror() { std::filesystem::remove_all(folder_); }
  Mirror(const Mirror&) = delete;
  Mirror& operator=(const Mirror&) = delete;

  std::string master() const { return folder_ + "/master"; }
  std::string copy() const { return folder_ + "/copy"; }
  std::shared_ptr<Pool> open() const { return open_pool(set(), kSize); }

  std::vector<char> medium() const {
    const MappedFile first(master());
    const MappedFile second(copy());
    std::vector<char> both(2 * kSize);
    std::memcpy(both.data(), first.bytes(), kSize);
    std::memcpy(both.data() + kSize, second.bytes(), kSize);
    return both;
  }
  // Where libpmemobj has mapped the copy.
  const void* mapped_copy() const {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);)
      if (line.find(copy()) != std::string::npos)
        return reinterpret_cast<const void*>(std::stoull(line, nullptr, 16));
    throw Error(ErrorKind::internal, "the copy is not mapped");
  }
  // As libpmempool's sync does: the lost part is made again from the other.
  void lose_master() const {
    const MappedFile from(copy());
    MappedFile(master()).put(kHeader, from.bytes() + kHeader, kSize - kHeader);
  }

 private:
  std::string set() const { return folder_ + "/set"; }
  std::string folder_;
};

class MirrorRun {
 public:
  explicit MirrorRun(std::vector<Step> steps) : steps_(std::move(steps)) {}

  Summary operator()(const std::vector<Step>& prepare) {
    {
      const auto pool = mirror_.open();
      for (const Step& step : prepare) step(*pool);
    }
    const Recording recording = record();
    const auto judge_both = [this](const std::string& path, const Cut& cut) {
      const MappedFile left(path);
      judge("the master", left.bytes(), left, cut);
      judge("the copy", left.bytes() + kSize, left, cut);
      return !::testing::Test::HasFailure();
    };
    return judge_media(recording, judge_both, effort());
  }

 private:
  // A state of two files that are opened together, twice and more, takes many times as long to
  // judge as one of a pool.
  static Effort effort() {
    constexpr uint64_t kTimes = 8;
    Effort effort = Effort::from_environment();
    for (uint64_t* const number : {&effort.exhaustive, &effort.samples, &effort.singles})
      *number = std::max<uint64_t>(*number / kTimes, 1);
    return effort;
  }

  Recording record() {
    Recorder recorder(mirror_.medium());
    recorder.ignore(kRunTimePart, kRunTimeEnd - kRunTimePart);
    const auto pool = mirror_.open();
    const void* const base = mirror_.mapped_copy();
    const auto copy = recorder.record_copy(base, kSize, kSize);
    backend::attach(*copy, base, kSize);
    expected_.push_back(dump(*pool));
    for (size_t i = 0; i < steps_.size(); ++i) {
      recorder.operation(i, [&] { steps_[i](*pool); });
      expected_.push_back(dump(*pool));
    }
    Recording recording = without_opening(recorder.finish());
    backend::detach(base);
    return recording;
  }

  // Opens what is left, with `content` (behind the header) in the master's place.
  void judge(const char* what, const char* content, const MappedFile& left, const Cut& cut) {
    SCOPED_TRACE(std::string("from what is left of ") + what + ", at " + cut.describe());
    {
      MappedFile master(mirror_.master());
      master.put(0, left.bytes(), kHeader);
      master.put(kHeader, content + kHeader, kSize - kHeader);
      MappedFile(mirror_.copy()).put(0, left.bytes() + kSize, kSize);
    }
    {
      const auto pool = mirror_.open();
      size_t at = cut.returned.size();
      if (dump(*pool) != expected_[at] && !cut.unfinished.empty()) ++at;
      ASSERT_EQ(dump(*pool), expected_[at]);
      expect_sound(*pool);
      for (; at < steps_.size(); ++at) {
        steps_[at](*pool);
        ASSERT_EQ(dump(*pool), expected_[at + 1]);
      }
      expect_sound(*pool);
    }
    if (std::exchange(synced_cut_, cut.number) == cut.number) return;
    mirror_.lose_master();
    const auto synced = mirror_.open();
    EXPECT_EQ(dump(*synced), expected_.back());
    expect_sound(*synced);
  }

  static void expect_sound(Pool& pool) {
    for (const auto& finding : collect::check(pool).findings) ADD_FAILURE() << finding.what;
  }

  Mirror mirror_;
  std::vector<Step> steps_;
  std::vector<std::string> expected_;
  uint64_t synced_cut_ = UINT64_MAX;  // once for each cut
};

void expect_both_whole(const std::string& name, const std::vector<Step>& prepare,
                       std::vector<Step> steps) {
  const Summary summary = MirrorRun(std::move(steps))(prepare);
  EXPECT_GT(summary.states, 0U);
  std::cout << "[   STATES ] " << name << ": " << summary.states << " of " << summary.cuts
            << " cuts, each from both" << std::endl;
}

Step list_of(std::vector<Value> items) {
  return assign_root([items](Values& values) { return values.list(items); });
}

TEST(ReplicaCrash, AnOperationIsThereOrNotInBoth) {
  expect_both_whole("operations on a pool with a replica", {list_of({integer(1), integer(2)})},
                    {append(text(kLong)), set_at(0, integer(5)), insert_at(1, integer(4))});
}

TEST(ReplicaCrash, ATransactionIsThereOrNotInBoth) {
  expect_both_whole(
      "a transaction on a pool with a replica", {list_of({integer(1), text(kLong), integer(3)})},
      {transaction({append(text(kOther)), set_at(1, integer(9)), insert_at(0, integer(7))})});
}

TEST(ReplicaCrash, AnAbortLeavesNothingInEither) {
  expect_both_whole("an abort on a pool with a replica", {list_of({integer(1), text(kLong)})},
                    {aborted({append(text(kOther)), set_at(1, integer(9))}), append(integer(8))});
}

TEST(ReplicaCrash, ADictsEntryIsThereOrNotInBoth) {
  const Step dict = assign_root([](Values& values) {
    return values.dict({integer(1), integer(10), integer(2), text(kLong)});
  });
  expect_both_whole(
      "a dict in a pool with a replica", {dict},
      {put(integer(3), text(kOther)), put(integer(2), integer(20)), erase(integer(1))});
}

}  // namespace
}  // namespace nvm::crash
