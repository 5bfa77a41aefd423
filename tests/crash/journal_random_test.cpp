// The journal backend under changes drawn at random, cut like the others. By NVM_CRASH_SECONDS it
// goes on for longer, with another seed each round; NVM_CRASH_SEED begins with another one.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "crash/journal_cuts.h"
#include "pmem/error.h"

namespace nvm::crash {
namespace {

// The steps up to one that finds the pool full, which is undone; those behind it do nothing.
std::vector<Step> until_full(std::vector<Step> steps) {
  const auto full = std::make_shared<bool>(false);
  for (Step& each : steps) {
    each = [step = std::move(each), full](Pool& pool) {
      if (*full) return;
      try {
        step(pool);
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::full) throw;
        *full = true;
        if (!pool.in_transaction()) return;
        pool.abort();
        pool.end_failed();
      }
    };
  }
  return steps;
}

// Changes of a list, each possible when its turn comes.
class RandomChanges {
 public:
  // Of every so many seeds one has as much as fits into the smallest pool, or more: each size takes
  // runs of its own there. The others have less: their states are judged faster.
  explicit RandomChanges(uint64_t seed)
      : random_(seed), most_bytes_(seed % kFillsThePool == 0 ? kMostBytes : kFewBytes) {}

  std::vector<Step> make(size_t count) {
    std::vector<Step> steps{new_list()};
    while (steps.size() < count) steps.push_back(change_or_transaction());
    return until_full(std::move(steps));
  }

 private:
  static constexpr uint64_t kFillsThePool = 4;
  static constexpr size_t kMostBytes = 800'000;
  static constexpr size_t kFewBytes = 100'000;
  static constexpr size_t kMostNewBytes =
      400'000;  // of a transaction: nothing is freed before its end
  static constexpr size_t kMostTogether = 60;

  uint64_t below(uint64_t limit) { return random_() % limit; }

  Step new_list() {
    sizes_.clear();
    return assign_root([](Values& v) { return v.list({}); });
  }

  Step change_or_transaction() {
    new_bytes_ = 0;
    const uint64_t drawn = below(20);
    if (drawn == 0) return new_list();
    if (drawn == 1) return [](Pool& pool) { pool.sync(); };
    if (drawn < 5) return transaction(changes());
    if (drawn < 6) {
      const std::vector<size_t> before = sizes_;
      Step undone = aborted(changes());
      sizes_ = before;
      return undone;
    }
    return change();
  }

  std::vector<Step> changes() {
    std::vector<Step> all;
    for (uint64_t i = 0, count = 1 + below(kMostTogether); i < count; ++i) all.push_back(change());
    return all;
  }

  Step change() {
    const uint64_t drawn = below(10);
    if (sizes_.empty() || drawn < 4) {
      const size_t size = new_size();
      sizes_.push_back(size);
      return append(value_of(size));
    }
    const size_t index = below(sizes_.size());
    if (drawn < 6) {
      sizes_.pop_back();
      return pop();
    }
    const size_t size = new_size();
    if (drawn < 8) {
      sizes_[index] = size;
      return set_at(index, value_of(size));
    }
    sizes_.insert(sizes_.begin() + static_cast<ptrdiff_t>(index), size);
    return insert_at(index, value_of(size));
  }

  // Of the next text; 0: an integer. Large ones are seldom, and none is while there is much.
  size_t new_size() {
    size_t bytes = 0;
    for (const size_t size : sizes_) bytes += size;
    if (bytes > most_bytes_ || new_bytes_ > kMostNewBytes || below(3) == 0) return 0;
    constexpr std::array<size_t, 2> large{150'000, 300'000};  // written directly, and filled
    constexpr std::array<size_t, 5> sizes{10, 40, 300, 900, 3'000};
    const size_t size = below(12) == 0 ? large[below(large.size())] : sizes[below(sizes.size())];
    new_bytes_ += size;
    return size;
  }

  Value value_of(size_t size) {
    if (size == 0) return integer(static_cast<int64_t>(below(1'000'000)));
    return text(std::string(size, static_cast<char>('a' + below(26))));
  }

  std::mt19937_64 random_;
  size_t most_bytes_;
  size_t new_bytes_ = 0;
  std::vector<size_t> sizes_;  // of the list's items, as new_size() has them
};

// Two of them, as the processes that share the tests are.
class JournalRandom : public JournalCrash, public testing::WithParamInterface<uint64_t> {};

TEST_P(JournalRandom, ChangesAreThereOrNot) {
  constexpr uint64_t apart = 1'000'000;
  seed_ += GetParam() * apart;
  const auto end = Clock::now() + std::chrono::seconds(number_from("NVM_CRASH_SECONDS", 0));
  do {
    promise_ = seed_ % 3 == 0 ? backend::Promise::written : backend::Promise::durable;
    expect_durable(RandomChanges(seed_).make(150));
    ASSERT_FALSE(HasFailure());
    std::filesystem::remove(pool_path());
    ++seed_;
  } while (Clock::now() < end);
}

INSTANTIATE_TEST_SUITE_P(Seeds, JournalRandom, testing::Values(0, 1));

// Large texts, some of them freed, whose neighbours the transaction has reserved: they are used
// again before the pool is said to be full.
TEST_F(JournalCrash, AFullPoolUsesWhatLiesBesideReservations) {
  constexpr uint64_t filling = 51'000'000;
  promise_ = backend::Promise::written;
  EXPECT_NO_THROW(run(RandomChanges(filling).make(150)));
}

// A state that a failure has kept: NVM_CRASH_REPLAY names its folder.
TEST_F(JournalCrash, AKeptStateIsSound) {
  const char* const kept = std::getenv("NVM_CRASH_REPLAY");
  if (kept == nullptr) GTEST_SKIP() << "NVM_CRASH_REPLAY names no folder";
  const Files files = kept_in(kept);
  ASSERT_TRUE(files.contains(pool_path())) << kept << " has no pool";
  lay_out(files);
  EXPECT_EQ(complaint_about([](Pool& pool) {
              std::printf("%s\n", dump(pool).c_str());
              return std::string();
            }),
            "");
}

}  // namespace
}  // namespace nvm::crash
