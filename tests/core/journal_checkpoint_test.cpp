// When the journal backend writes checkpoints.
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "backend/journal/journal.h"
#include "file_fixture.h"
#include "forwarding_file.h"

namespace nvm::backend::journal {
namespace {

// Lets one sync at a time through, when it is told to.
class Gate {
 public:
  void pass() {
    std::unique_lock lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_ || let_through_ >= arrived_; });
  }
  // False if it takes some seconds.
  bool waits_for(uint64_t number) {
    constexpr auto longest = std::chrono::seconds(20);
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, longest, [&] { return arrived_ >= number; });
  }
  void let_one_through() {
    const std::lock_guard lock(mutex_);
    ++let_through_;
    changed_.notify_all();
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t arrived_ = 0;
  uint64_t let_through_ = 0;
  bool open_ = false;
};

class GatedFile final : public ForwardingFile {
 public:
  GatedFile(std::unique_ptr<DiskFile> file, Gate& gate)
      : ForwardingFile(std::move(file)), gate_(gate) {}

  void sync() override { gate_.pass(); }

 private:
  Gate& gate_;
};

class JournalCheckpoint : public heap::testing::FileTest {
 protected:
  static constexpr uint64_t kSize = uint64_t{1} << 20;
  // Of a commit that takes more than half of the journal's half.
  static constexpr uint64_t kMuch = kLeastHalfBytes / 2;

  void SetUp() override {
    FileTest::SetUp();
    wanted_ = std::exchange(wanted_half_bytes, kLeastHalfBytes);
    std::unique_ptr<DiskFile> made = create_disk_file(path(), 0600);
    made->truncate(kSize);
    Host host;
    host.journal_path = path("pool.journal");
    host.mark = [](bool) {};
    host.check_whole = [] {};
    host.free_blocks = [](const char*, uint64_t, const Host::Visit&) {};
    journal_ = std::make_unique<Journal>(std::make_unique<GatedFile>(std::move(made), gate_), host);
    journal_->serve([this](const auto& work) {
      const std::unique_lock owner(owner_, std::try_to_lock);
      if (owner) work();
      return owner.owns_lock();
    });
    journal_->attached(memory_.data(), memory_.size());
  }
  void TearDown() override {
    gate_.open();
    journal_.reset();
    wanted_half_bytes = wanted_;
    FileTest::TearDown();
  }

  void commit(uint64_t bytes) {
    Ticket ticket = 0;
    {
      const std::lock_guard owner(owner_);
      journal_->flush(memory_.data(), bytes);
      journal_->reserve(0);
      ticket = journal_->cut();
    }
    journal_->wait(ticket, Promise::durable, Back::at_once);
  }

  Gate gate_;  // before each sync of the pool's file, which ends a checkpoint
  std::mutex owner_;
  std::vector<char> memory_ = std::vector<char>(kSize);
  std::unique_ptr<Journal> journal_;

 private:
  uint64_t wanted_ = 0;
};

TEST_F(JournalCheckpoint, ComesWhenTheJournalIsHalfFull) {
  commit(kLine);
  commit(kMuch);
  EXPECT_TRUE(gate_.waits_for(1));
}

// Nothing else is committed that could ask for it: commits may be waiting for room.
TEST_F(JournalCheckpoint, FollowsAnotherDuringWhichTheJournalWasFilled) {
  commit(kMuch);
  ASSERT_TRUE(gate_.waits_for(1));
  commit(kMuch);
  gate_.let_one_through();
  EXPECT_TRUE(gate_.waits_for(2));
}

}  // namespace
}  // namespace nvm::backend::journal
