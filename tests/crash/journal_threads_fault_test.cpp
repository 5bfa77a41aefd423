// The journal backend on a disk that fails one thread while others are in the middle of something.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "backend/journal/format.h"
#include "collect/check.h"
#include "crash/journal_folder.h"
#include "crash/workload.h"
#include "forwarding_file.h"
#include "heap/locks.h"

namespace nvm::crash {
namespace {

using backend::DiskFile;
using backend::Promise;

constexpr uint64_t kThreads = 8;
constexpr auto kLongest = std::chrono::seconds(20);

// Calls functions before each write and sync, which may wait, or throw.
class Watch final : public backend::DiskObserver {
 public:
  std::function<void(const std::string& path, uint64_t offset)> before_write;
  std::function<void(const std::string& path)> before_sync;

  Watch() { backend::set_disk_observer(this); }
  ~Watch() override { backend::set_disk_observer(nullptr); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  std::unique_ptr<DiskFile> wrap(std::unique_ptr<DiskFile> file) override;
  void created(const std::string&) override {}
  void removed(const std::string&) override {}

  void start() { is_on_ = true; }
  void stop() { is_on_ = false; }
  bool is_on() const { return is_on_; }

 private:
  std::atomic<bool> is_on_ = false;
};

class WatchedFile final : public backend::ForwardingFile {
 public:
  WatchedFile(std::unique_ptr<DiskFile> file, const Watch& watch)
      : ForwardingFile(std::move(file)), watch_(watch) {}

  void write(const void* data, size_t length, uint64_t offset) override {
    if (watch_.is_on() && watch_.before_write) watch_.before_write(path(), offset);
    ForwardingFile::write(data, length, offset);
  }
  void sync() override {
    if (watch_.is_on() && watch_.before_sync) watch_.before_sync(path());
    ForwardingFile::sync();
  }

 private:
  const Watch& watch_;
};

std::unique_ptr<DiskFile> Watch::wrap(std::unique_ptr<DiskFile> file) {
  return std::make_unique<WatchedFile>(std::move(file), *this);
}

// Something that happens once, and that others wait for.
class Event {
 public:
  // True for the first who says so.
  bool happen() {
    if (has_happened_.exchange(true)) return false;
    promise_.set_value();
    return true;
  }
  bool has_happened() const { return has_happened_; }
  // False if it takes some seconds.
  bool wait() const { return future_.wait_for(kLongest) == std::future_status::ready; }

 private:
  std::promise<void> promise_;
  std::shared_future<void> future_ = promise_.get_future().share();
  std::atomic<bool> has_happened_ = false;
};

[[noreturn]] void fail(const std::string& path) {
  throw Error(ErrorKind::os, "'" + path + "': made to fail", EIO, path);
}

class JournalThreadsFault : public JournalFolder {
 protected:
  void SetUp() override {
    JournalFolder::SetUp();
    limit_ = uint64_t{64} << 20;
  }

  bool is_of_journal(const std::string& path) const { return path != pool_path(); }

  // Goes on counting in that thread's list.
  static void count_on(Pool& pool, uint64_t thread, uint64_t numbers, Promise promise) {
    pool.begin(-1, promise);
    try {
      heap::mutate(pool, [&](Operation& op) {
        const Offset list = list_of(op.pool(), thread);
        const uint64_t first = object::list::size(op.pool(), list);
        for (uint64_t number = first; number < first + numbers; ++number)
          object::list::append(op, list, integer(static_cast<int64_t>(number)));
      });
    } catch (const Error&) {
      pool.abort();
      pool.end_failed();
      throw;
    }
    pool.commit();
  }

  // Opens the pool again: in each list is at least so much, in order.
  void expect_at_least(const std::array<std::atomic<uint64_t>, kThreads>& promised) const {
    const std::shared_ptr<Pool> pool = open();
    for (uint64_t thread = 0; thread < kThreads; ++thread) {
      const Offset list = list_of(*pool, thread);
      const uint64_t size = object::list::size(*pool, list);
      EXPECT_GE(size, promised[thread]);
      for (uint64_t i = 0; i < size; ++i)
        ASSERT_EQ(object::list::get(*pool, list, i).as_integer(), static_cast<int64_t>(i));
    }
    pool->own(-1);
    EXPECT_TRUE(collect::check(*pool).findings.empty());
    pool->disown();
    pool->close();
  }

  // A relaxed commit of so many numbers is being written while another one's sync fails.
  void expect_refused_after_another_ones_sync(uint64_t numbers) {
    Watch watch;
    const std::shared_ptr<Pool> pool = open_with_lists(kThreads);
    Event sync_begun;
    Event write_begun;
    Event sync_failed;
    watch.before_sync = [&](const std::string& path) {
      if (!is_of_journal(path) || !sync_begun.happen()) return;
      EXPECT_TRUE(write_begun.wait());
      fail(path);
    };
    std::atomic<std::thread::id> relaxed;
    watch.before_write = [&](const std::string& path, uint64_t) {
      if (!is_of_journal(path) || std::this_thread::get_id() != relaxed) return;
      write_begun.happen();
      EXPECT_TRUE(sync_failed.wait());
    };
    watch.start();
    std::future<void> durable =
        std::async(std::launch::async, [&] { count_on(*pool, 0, 1, Promise::durable); });
    EXPECT_TRUE(sync_begun.wait());
    std::future<void> other = std::async(std::launch::async, [&] {
      relaxed = std::this_thread::get_id();
      count_on(*pool, 1, numbers, Promise::written);
    });
    EXPECT_THROW(durable.get(), Error);
    sync_failed.happen();
    EXPECT_THROW(other.get(), Error);
    watch.stop();
    pool->close();
  }
};

TEST_F(JournalThreadsFault, AShortRelaxedCommitIsRefusedAfterAnotherOnesSync) {
  expect_refused_after_another_ones_sync(1);
}

TEST_F(JournalThreadsFault, ALongRelaxedCommitIsRefusedAfterAnotherOnesSync) {
  expect_refused_after_another_ones_sync(10'000);
}

// The checkpoint's own sync may say that all is well: the kernel has told the other one.
TEST_F(JournalThreadsFault, ACheckpointRetiresNothingAfterAnotherOnesSyncOfThePool) {
  open_with_lists(kThreads)->close();
  Watch watch;
  const std::shared_ptr<Pool> pool = open();
  const std::thread::id committing = std::this_thread::get_id();
  Event checkpoint_begun;
  Event sync_begun;
  std::atomic<bool> has_retired = false;
  watch.before_write = [&](const std::string& path, uint64_t offset) {
    if (std::this_thread::get_id() == committing) return;
    if (is_of_journal(path)) {
      has_retired = has_retired || offset < backend::journal::kHalvesOffset;
    } else if (checkpoint_begun.happen()) {
      EXPECT_TRUE(sync_begun.wait());
    }
  };
  watch.before_sync = [&](const std::string& path) {
    if (is_of_journal(path) || std::this_thread::get_id() != committing) return;
    if (!checkpoint_begun.has_happened()) return;
    sync_begun.happen();
    // Time for the checkpoint to come so far, if it does not wait.
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    fail(path);
  };
  watch.start();
  const std::string large(400'000, 'v');
  EXPECT_THROW(
      {
        while (!checkpoint_begun.has_happened()) count_on(*pool, 0, 20, Promise::durable);
        for (int i = 0; i < 20; ++i) append(text(large))(*pool);
      },
      Error);
  watch.stop();
  pool->close();
  EXPECT_FALSE(has_retired);
}

// ---- Whatever fails, whenever

std::mutex interpreters_lock;
void* let_go() {
  interpreters_lock.unlock();
  return nullptr;
}
void take(void*) noexcept { interpreters_lock.lock(); }
void check_nothing() {}

TEST_F(JournalThreadsFault, WhateverFailsNobodyHangsAndNothingPromisedIsLost) {
  constexpr int rounds = 12;
  constexpr int commits = 60;
  constexpr uint64_t calls = 400;  // of which one fails
  constexpr auto sync_time = std::chrono::microseconds(200);
  const heap::WaitHook before = heap::wait_hook();
  for (int round = 0; round < rounds; ++round) {
    std::mt19937 random(static_cast<unsigned>(round));
    std::array<std::atomic<uint64_t>, kThreads> promised{};
    std::atomic<bool> has_failed = false;
    {
      Watch watch;
      const std::shared_ptr<Pool> pool = open_with_lists(kThreads);
      std::atomic<uint64_t> count = 0;
      const uint64_t failing = random() % calls;
      const auto on_call = [&](const std::string& path) {
        if (round % 3 == 0 || count++ != failing) return;
        has_failed = true;
        fail(path);
      };
      watch.before_write = [&](const std::string& path, uint64_t) { on_call(path); };
      watch.before_sync = [&](const std::string& path) {
        std::this_thread::sleep_for(sync_time);
        on_call(path);
      };
      const bool has_lock = round % 2 == 0;
      if (has_lock) heap::set_wait_hook({let_go, take, check_nothing});
      watch.start();
      std::vector<std::thread> threads;
      for (uint64_t thread = 0; thread < kThreads; ++thread) {
        threads.emplace_back([&, thread, seed = random()] {
          std::mt19937 choices(seed);
          std::unique_lock lock(interpreters_lock, std::defer_lock);
          if (has_lock) lock.lock();
          uint64_t done = 0;
          try {
            for (int i = 0; i < commits; ++i) {
              const Promise promise = choices() % 2 == 0 ? Promise::written : Promise::durable;
              // A few go by themselves, others wait; some find no room in the journal's half.
              const uint64_t numbers = choices() % 40 == 0   ? 9'000
                                       : choices() % 20 == 0 ? 1'500
                                                             : 1;
              count_on(*pool, thread, numbers, promise);
              done += numbers;
              if (promise == Promise::durable) promised[thread] = done;
            }
          } catch (const Error&) {
            EXPECT_TRUE(has_failed);
          }
        });
      }
      for (std::thread& thread : threads) thread.join();
      watch.stop();
      heap::set_wait_hook(before);
      try {
        pool->close();
      } catch (const Error&) {
        EXPECT_TRUE(has_failed);  // and nobody has been told of it before
      }
    }
    expect_at_least(promised);
    std::filesystem::remove(pool_path());
    std::filesystem::remove(pool_path() + ".journal");
  }
}

}  // namespace
}  // namespace nvm::crash
