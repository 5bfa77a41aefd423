// The journal backend under threads that commit at once, each to a list of its own: they share
// syncs, and each finds what it was told is done.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "crash/journal_cuts.h"
#include "heap/locks.h"

namespace nvm::crash {
namespace {

constexpr uint64_t kThreads = 4;
constexpr int64_t kChanges = 60;  // of each thread
constexpr auto kLongest = std::chrono::seconds(20);

using backend::Promise;

// How often a wait let the interpreter's lock go.
std::atomic<int> let_go = 0;
void* count_wait() {
  ++let_go;
  return nullptr;
}
void end_wait(void*) noexcept {}
void check_nothing() {}

class JournalGroup : public JournalCrash {
 protected:
  static void append(Pool& pool, uint64_t thread, int64_t item, Promise promise) {
    pool.begin(-1, promise);
    heap::mutate(pool, [&](Operation& op) {
      object::list::append(op, list_of(op.pool(), thread), integer(item));
    });
    pool.commit();
  }

  Promise promise_of(uint64_t thread) const {
    return mixed_ && thread % 2 == 1 ? Promise::written : promise_;
  }

  // The list of each thread counts up from 0.
  void run_threads() {
    std::shared_ptr<Pool> pool = open_with_lists(kThreads);
    pool->close();
    before_ = {{pool_path(), SparseFile::read(pool_path())}};

    DiskRecorder recorder;
    recorder.set_sync_time(std::chrono::microseconds(300));
    pool = open();
    std::vector<std::thread> threads;
    for (uint64_t thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        for (int64_t change = 0; change < kChanges; ++change) {
          append(*pool, thread, change, promise_of(thread));
          recorder.acknowledge(thread);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    pool->close();
    events_ = recorder.take();
  }

  uint64_t syncs_of_the_journal() const {
    uint64_t syncs = 0;
    for (size_t i = 0; i < events_.size(); ++i)
      syncs += events_[i].kind == DiskEvent::Kind::sync_ended && is_of_journal(i) ? 1 : 0;
    return syncs;
  }

  std::string complaint_about_content(Pool& pool, const std::string&,
                                      const DiskMedia& media) override {
    for (uint64_t thread = 0; thread < kThreads; ++thread) {
      const Offset list = list_of(pool, thread);
      const uint64_t length = object::list::size(pool, list);
      const uint64_t told = media.acknowledged(thread);
      const uint64_t least = promise_of(thread) == Promise::durable ? told : 0;
      if (length < least || length > told + 1)
        return "thread " + std::to_string(thread) + " has " + std::to_string(length) +
               " changes and was told of " + std::to_string(told);
      for (uint64_t i = 0; i < length; ++i) {
        if (object::list::get(pool, list, i).as_integer() != static_cast<int64_t>(i))
          return "thread " + std::to_string(thread) + " has another item " + std::to_string(i);
      }
    }
    return {};
  }

  bool mixed_ = false;  // every other thread's commits are relaxed
};

TEST_F(JournalGroup, EachThreadFindsWhatItWasTold) {
  run_threads();
  EXPECT_LT(syncs_of_the_journal(), kThreads * kChanges);
  expect_no_complaint();
}

TEST_F(JournalGroup, RelaxedThreadsFindAPrefix) {
  promise_ = Promise::written;
  run_threads();
  expect_no_complaint();
}

TEST_F(JournalGroup, ThreadsOfBothPromisesFindWhatTheyWereTold) {
  mixed_ = true;
  run_threads();
  expect_no_complaint();
}

TEST_F(JournalGroup, ARelaxedCommitWaitsForNoSync) {
  DiskRecorder recorder;
  const std::shared_ptr<Pool> pool = open_with_lists(kThreads);
  recorder.hold_syncs(journal_name());
  std::future<void> durable =
      std::async(std::launch::async, [&] { append(*pool, 0, 0, Promise::durable); });
  recorder.wait_for_held_sync();
  std::future<void> relaxed = std::async(std::launch::async, [&] {
    for (int64_t item = 0; item < kChanges; ++item) append(*pool, 1, item, Promise::written);
  });
  EXPECT_EQ(relaxed.wait_for(kLongest), std::future_status::ready);
  EXPECT_EQ(durable.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  recorder.release_syncs();
  durable.get();
  relaxed.get();
  pool->close();
}

// What a sync that has begun says nothing of, the next one does.
TEST_F(JournalGroup, ACommitAfterARelaxedOneWaitsForItsOwnSync) {
  DiskRecorder recorder;
  const std::shared_ptr<Pool> pool = open_with_lists(kThreads);
  recorder.hold_syncs(journal_name());
  std::future<void> first =
      std::async(std::launch::async, [&] { append(*pool, 0, 0, Promise::durable); });
  recorder.wait_for_held_sync();
  append(*pool, 1, 0, Promise::written);
  std::future<size_t> second = std::async(std::launch::async, [&] {
    append(*pool, 2, 0, Promise::durable);
    return recorder.add({DiskEvent::Kind::acknowledged, "", 2, {}});
  });
  recorder.release_syncs();
  first.get();
  const size_t told = second.get();
  pool->close();
  const std::vector<DiskEvent> events = recorder.take();
  const auto is_of = [&](size_t event, DiskEvent::Kind kind) {
    return events[event].path == journal_name() && events[event].kind == kind;
  };
  size_t written = told;
  while (!is_of(written, DiskEvent::Kind::write)) --written;
  size_t ended = told;
  while (!is_of(ended, DiskEvent::Kind::sync_ended)) --ended;
  EXPECT_GT(events[ended].offset, written) << "that sync began before the record was written";
}

TEST_F(JournalGroup, AShortWaitKeepsTheInterpretersLock) {
  limit_ = uint64_t{64} << 20;
  const std::shared_ptr<Pool> pool = open_with_lists(kThreads);
  const heap::WaitHook before = heap::wait_hook();
  heap::set_wait_hook({count_wait, end_wait, check_nothing});
  let_go = 0;
  append(*pool, 0, 0, Promise::written);
  EXPECT_EQ(let_go, 0);
  pool->begin(-1, Promise::written);
  heap::mutate(*pool, [&](Operation& op) {
    for (int64_t item = 0; item < 10'000; ++item)
      object::list::append(op, list_of(op.pool(), 1), integer(item));
  });
  pool->commit();
  EXPECT_EQ(let_go, 1);
  append(*pool, 0, 1, Promise::durable);
  EXPECT_EQ(let_go, 2);
  heap::set_wait_hook(before);
  pool->close();
}

TEST_F(JournalGroup, ARecordOfManyThatIsNotSyncedIsNoticed) {
  EXPECT_NE(complaint_without(journal::Rule::records_are_synced, [this] { run_threads(); }), "");
}

}  // namespace
}  // namespace nvm::crash
