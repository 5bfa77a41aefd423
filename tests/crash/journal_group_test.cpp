// The journal backend under threads that commit at once, each to a list of its own: they share
// syncs, and each finds what it was told is done.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "crash/journal_cuts.h"

namespace nvm::crash {
namespace {

constexpr uint64_t kThreads = 4;
constexpr int64_t kChanges = 60;  // of each thread

class JournalGroup : public JournalCrash {
 protected:
  static Offset list_of(Pool& pool, uint64_t thread) {
    return object::list::get(pool, root_object(pool), thread).offset();
  }

  // The list of each thread counts up from 0.
  void run_threads() {
    std::shared_ptr<Pool> pool = open();
    assign_root([](Values& v) {
      std::vector<Value> lists;
      for (uint64_t thread = 0; thread < kThreads; ++thread) lists.push_back(v.list({}));
      return v.list(lists);
    })(*pool);
    pool->close();
    before_ = {{pool_path(), SparseFile::read(pool_path())}};

    DiskRecorder recorder;
    recorder.set_sync_time(std::chrono::microseconds(300));
    pool = open();
    std::vector<std::thread> threads;
    for (uint64_t thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        for (int64_t change = 0; change < kChanges; ++change) {
          heap::mutate(*pool, [&](Operation& op) {
            object::list::append(op, list_of(op.pool(), thread), integer(change));
          });
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
      const uint64_t least = promise_ == backend::Promise::durable ? told : 0;
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
};

TEST_F(JournalGroup, EachThreadFindsWhatItWasTold) {
  run_threads();
  EXPECT_LT(syncs_of_the_journal(), kThreads * kChanges);
  expect_no_complaint();
}

TEST_F(JournalGroup, RelaxedThreadsFindAPrefix) {
  promise_ = backend::Promise::written;
  run_threads();
  expect_no_complaint();
}

TEST_F(JournalGroup, ARecordOfManyThatIsNotSyncedIsNoticed) {
  EXPECT_NE(complaint_without(journal::Rule::records_are_synced, [this] { run_threads(); }), "");
}

}  // namespace
}  // namespace nvm::crash
