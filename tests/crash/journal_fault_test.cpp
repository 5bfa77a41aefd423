// The journal backend on a disk that fails: each write, sync and allocation in turn.
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <utility>

#include "backend/journal/journal_file.h"
#include "collect/check.h"
#include "crash/dump.h"
#include "crash/journal_folder.h"
#include "crash/workload.h"
#include "forwarding_file.h"

namespace nvm::crash {
namespace {

using backend::DiskFile;

enum class Call { write, sync, allocate };

// Lets one call fail, and counts them.
class Fault final : public backend::DiskObserver {
 public:
  // Of files whose path ends like that.
  Fault(Call call, uint64_t number, int error, std::string of = {})
      : call_(call), number_(number), error_(error), of_(std::move(of)) {
    backend::set_disk_observer(this);
  }
  ~Fault() override { backend::set_disk_observer(nullptr); }
  Fault(const Fault&) = delete;
  Fault& operator=(const Fault&) = delete;

  std::unique_ptr<DiskFile> wrap(std::unique_ptr<DiskFile> file) override;
  void created(const std::string&) override {}
  void removed(const std::string&) override {}

  bool happened() const { return happened_; }
  const std::string& path() const { return path_; }

  void on(Call call, const std::string& path) {
    if (call != call_ || !path.ends_with(of_) || count_.fetch_add(1) != number_) return;
    happened_ = true;
    path_ = path;
    throw Error(ErrorKind::os, "'" + path + "': made to fail", error_, path);
  }

 private:
  Call call_;
  uint64_t number_;
  int error_;
  std::string of_;
  std::atomic<uint64_t> count_{0};
  std::atomic<bool> happened_{false};
  std::string path_;
};

class FaultyFile final : public backend::ForwardingFile {
 public:
  FaultyFile(std::unique_ptr<DiskFile> file, Fault& fault)
      : ForwardingFile(std::move(file)), fault_(fault) {}

  void write(const void* data, size_t length, uint64_t offset) override {
    fault_.on(Call::write, path());
    ForwardingFile::write(data, length, offset);
  }
  void sync() override {
    fault_.on(Call::sync, path());
    ForwardingFile::sync();
  }
  void allocate(uint64_t begin, uint64_t length) override {
    fault_.on(Call::allocate, path());
    ForwardingFile::allocate(begin, length);
  }

 private:
  Fault& fault_;
};

std::unique_ptr<DiskFile> Fault::wrap(std::unique_ptr<DiskFile> file) {
  return std::make_unique<FaultyFile>(std::move(file), *this);
}

class JournalFault : public JournalFolder {
 protected:
  static std::vector<Step> changes() {
    static const std::string large(150'000, 'l'), very_large(300'000, 'v');
    std::vector<Step> steps{assign_root([](Values& v) { return v.list({}); })};
    for (int i = 0; i < 60; ++i) steps.push_back(append(text(std::string(900, 'a'))));
    steps.push_back(transaction({append(text(large)), set_at(1, integer(1)), pop()}));
    steps.push_back(append(text(large)));
    steps.push_back(transaction({append(text(very_large)), set_at(1, integer(2))}));
    steps.push_back(append(text(very_large)));
    for (int i = 0; i < 20; ++i) steps.push_back(pop());
    for (int i = 0; i < 300; ++i) steps.push_back(append(text(std::string(900, 'b'))));
    return steps;
  }

  // How the pool looks before each change, and after the last.
  std::vector<std::string> history() const {
    std::shared_ptr<Pool> pool = open();
    std::vector<std::string> states{dump(*pool)};
    for (const Step& step : changes()) {
      step(*pool);
      states.push_back(dump(*pool));
    }
    pool->close();
    std::filesystem::remove(pool_path());
    return states;
  }

  // Makes the changes until one fails; returns how many did not.
  static size_t run(Pool& pool, std::optional<Error>& failure) {
    size_t done = 0;
    for (const Step& step : changes()) {
      try {
        step(pool);
      } catch (const Error& error) {
        failure.emplace(error);
        return done;
      }
      ++done;
    }
    return done;
  }

  static void expect_sound(Pool& pool) {
    pool.own(-1);
    EXPECT_TRUE(collect::check(pool).findings.empty());
    pool.disown();
  }
};

// A failed write or sync: the error names file and cause, nothing more is done, and the next open
// finds all that was acknowledged.
struct Breaking {
  std::string name;
  Call call;
  int error;
};

class JournalBreaks : public JournalFault, public testing::WithParamInterface<Breaking> {
 protected:
  static void expect_named(const Error& failure) {
    EXPECT_EQ(failure.kind(), ErrorKind::os);
    EXPECT_EQ(failure.error_number(), GetParam().error);
    EXPECT_NE(std::string(failure.what()).find("made to fail"), std::string::npos)
        << failure.what();
    EXPECT_NE(std::string(failure.what()).find("/pool"), std::string::npos) << failure.what();
  }

  // Returns how many changes were acknowledged, and whether the fault happened.
  std::pair<size_t, bool> run_with_fault(uint64_t number) {
    const Fault fault(GetParam().call, number, GetParam().error);
    const std::shared_ptr<Pool> pool = open();
    std::optional<Error> failure;
    size_t done = run(*pool, failure);
    if (failure) {
      expect_named(*failure);
      std::optional<Error> again;
      const size_t done_again = run(*pool, again);
      // Only a journal that could not be made leaves the pool usable.
      if (done == 0 && !again) {
        done = done_again;
      } else {
        EXPECT_EQ(done_again, 0u);
        expect_named(*again);
      }
    }
    try {
      pool->close();
    } catch (const Error& error) {
      expect_named(error);
    }
    return {done, fault.happened()};
  }
};

TEST_P(JournalBreaks, NothingAcknowledgedIsLost) {
  open()->close();
  const std::vector<std::string> states = history();
  size_t faults = 0;
  for (uint64_t number = 0;; number += 1 + number / 12) {
    open()->close();
    const auto [done, happened] = run_with_fault(number);
    if (!happened) break;
    ++faults;
    const std::shared_ptr<Pool> pool = open();
    const std::string found = dump(*pool);
    // The change that was said to have failed may be there: its record may have been written.
    EXPECT_TRUE(found == states[done] || (done + 1 < states.size() && found == states[done + 1]))
        << "fault " << number << ", " << done << " changes";
    expect_sound(*pool);
    pool->close();
    std::filesystem::remove(pool_path());
  }
  EXPECT_GT(faults, 10u);
}

// A sync that fails breaks it whatever the reason: a second one would say that all is well.
INSTANTIATE_TEST_SUITE_P(Calls, JournalBreaks,
                         testing::Values(Breaking{"Write", Call::write, EIO},
                                         Breaking{"Sync", Call::sync, EIO},
                                         Breaking{"SyncWithoutRoom", Call::sync, ENOSPC}),
                         [](const auto& tested) { return tested.param.name; });

// No room: the change is undone, and the pool goes on.
TEST_F(JournalFault, AFullDiskUndoesTheChange) {
  open()->close();
  const std::vector<std::string> states = history();
  size_t faults = 0;
  size_t without = 0;  // how many there are depends on when checkpoints come
  for (uint64_t number = 0; without < 5; ++number) {
    open()->close();
    std::shared_ptr<Pool> pool = open();
    {
      const Fault fault(Call::allocate, number, ENOSPC);
      std::optional<Error> failure;
      const size_t done = run(*pool, failure);
      if (!fault.happened()) {
        ++without;
        try {
          pool->close();
        } catch (const Error&) {
          EXPECT_TRUE(fault.happened());
        }
        pool.reset();
        std::filesystem::remove(pool_path());
        std::filesystem::remove(pool_path() + ".journal");
        continue;
      }
      ++faults;
      if (failure) {
        EXPECT_EQ(failure->error_number(), ENOSPC);
        EXPECT_EQ(dump(*pool), states[done]) << "fault " << number;
      }
      std::optional<Error> none;
      EXPECT_EQ(run(*pool, none), states.size() - 1) << (none ? none->what() : "");
      EXPECT_EQ(dump(*pool), states.back());
      expect_sound(*pool);
      pool->close();
    }
    pool = open();
    EXPECT_EQ(dump(*pool), states.back());
    pool->close();
    std::filesystem::remove(pool_path());
  }
  EXPECT_GT(faults, 5u);
}

// A write to the pool that finds no room, as the file system may want some for itself though all
// pages have blocks: a commit is undone, and a checkpoint is tried again.
TEST_F(JournalFault, AWriteToThePoolThatFindsNoRoomBreaksNothing) {
  open()->close();
  const std::vector<std::string> states = history();
  size_t faults = 0;
  for (uint64_t number = 0;; number += 1 + number / 4) {
    open()->close();
    std::shared_ptr<Pool> pool;
    const Fault fault(Call::write, number, ENOSPC, "/pool");
    pool = open();
    std::optional<Error> failure;
    const size_t done = run(*pool, failure);
    if (failure) {
      EXPECT_EQ(failure->error_number(), ENOSPC);
      EXPECT_TRUE(dump(*pool) == states[done]) << "fault " << number;
      std::optional<Error> none;
      EXPECT_EQ(run(*pool, none), states.size() - 1) << (none ? none->what() : "");
    }
    try {
      pool->close();
    } catch (const Error& error) {
      EXPECT_EQ(error.error_number(), ENOSPC);
    }
    if (!fault.happened()) break;
    ++faults;
    pool = open();
    EXPECT_TRUE(dump(*pool) == states.back()) << "fault " << number;
    expect_sound(*pool);
    pool->close();
    std::filesystem::remove(pool_path());
  }
  EXPECT_GT(faults, 5u);
}

}  // namespace
}  // namespace nvm::crash
