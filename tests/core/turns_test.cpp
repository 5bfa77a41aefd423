// Threads that come back one after the other: none is forgotten, whoever is called first.
#include "backend/turns.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace nvm::backend {
namespace {

TEST(TurnsTest, EachCallsTheNextInTheOrderInWhichTheyWereAdded) {
  constexpr size_t count = 32;
  Turns turns;
  std::vector<std::unique_ptr<Sleeper>> sleepers;
  std::vector<size_t> came;  // one at a time has its turn
  std::vector<std::thread> threads;
  for (size_t i = 0; i < count; ++i) {
    sleepers.push_back(std::make_unique<Sleeper>());
    threads.emplace_back([&turns, &came, i, sleeper = sleepers.back().get()] {
      sleeper->sleep();
      const Turn turn(&turns);
      came.push_back(i);
    });
  }
  for (const auto& sleeper : sleepers) turns.add(*sleeper);
  turns.next();
  for (std::thread& thread : threads) thread.join();
  std::vector<size_t> wanted(count);
  for (size_t i = 0; i < count; ++i) wanted[i] = i;
  EXPECT_EQ(came, wanted);
}

TEST(TurnsTest, ACallBeforeTheSleepIsNotLost) {
  Sleeper sleeper;
  sleeper.call();
  sleeper.sleep();
  Turns turns;
  turns.add(sleeper);
  turns.next();
  sleeper.sleep();
  turns.next();  // nobody is left
}

// As commits are: threads are added in groups while others still have their turn.
TEST(TurnsTest, NobodyIsForgottenWhereGroupsOverlap) {
  constexpr int threads_count = 8;
  constexpr int rounds = 2000;
  Turns turns;
  std::atomic<int> done{0};
  std::mutex mutex;
  std::vector<Sleeper*> waiting;
  std::vector<std::thread> threads;
  for (int i = 0; i < threads_count; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < rounds; ++round) {
        Sleeper self;
        {
          const std::lock_guard lock(mutex);
          waiting.push_back(&self);
        }
        self.sleep();
        const Turn turn(&turns);
      }
      ++done;
    });
  }
  while (done.load() != threads_count) {
    {
      const std::lock_guard lock(mutex);
      for (Sleeper* sleeper : waiting) turns.add(*sleeper);
      waiting.clear();
    }
    turns.next();
    std::this_thread::yield();
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(done.load(), threads_count);
}

}  // namespace
}  // namespace nvm::backend
