// Every allocation of the core fails in turn while a pool is opened, closed, collected, checked and
// brought up to date.
#include "core/no_memory_fixture.h"

namespace nvm::object::testing {
namespace {

// ---- Checkpoints

class NoMemoryToCheckpoint : public NoMemory {};
INSTANTIATE_TEST_SUITE_P(Backends, NoMemoryToCheckpoint, ::testing::Values(Kind::journal),
                         name_of_backend);

// The journal's own thread has no memory, once or for a while: what was committed is in the journal
// or in the pool's file, and stays so.
TEST_P(NoMemoryToCheckpoint, CheckpointsAreWrittenLater) {
  for (const Which which : {Which::once, Which::from_then}) {
    for (uint64_t number = 1; number < 60; number += 7) {
      SCOPED_TRACE("allocation " + std::to_string(number));
      fill();
      {
        const FailingMemory failing(number, which, FailingMemory::Whose::others);
        // More than a quarter of a half of the journal, so that a checkpoint is due.
        for (int i = 0; i < 6; ++i)
          put("large", values_.bytearray(std::string(size_t{1} << 20, static_cast<char>('a' + i))));
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
      const std::string now = describe(pool());
      expect_sound(pool());
      put("another", text(1));
      mutate([&](Operation& op) {
        const Value key = values_.str("another");
        dict::erase(op, root_dict(), Key(op.pool(), key));
      });
      expect_kept(now, now);
      if (::testing::Test::HasFailure()) return;
    }
  }
}

// ---- What looks at all of a pool

class NoMemoryToSurvey : public NoMemory {
 protected:
  // Garbage in cycles, too.
  void fill() override {
    NoMemory::fill();
    for (int i = 0; i < 5; ++i) {
      const Value ring = values_.list({text(i)});
      ring.node->items.push_back(ring);
      put("ring", ring);
    }
    put("ring", Values::none());
  }
};
INSTANTIATE_TEST_SUITE_P(Backends, NoMemoryToSurvey, ::testing::Values(Kind::memory, Kind::journal),
                         name_of_backend);

TEST_P(NoMemoryToSurvey, CheckAndStats) {
  try_all([this] {
    const heap::Surveying surveying(pool(), "check()");
    EXPECT_TRUE(collect::check(pool()).findings.empty());
    EXPECT_NE(collect::stats(pool()).objects, 0U);
  });
}
TEST_P(NoMemoryToSurvey, Gc) {
  try_all([this] {
    const heap::Surveying surveying(pool(), "gc()");
    collect::gc(pool(), {}, {}, true);
  });
}
// Counts, an index and leaks, of which each is put right or not.
TEST_P(NoMemoryToSurvey, Repair) {
  const auto spoil = [this] {
    fill();
    const Offset list = at("list");
    mutate([&](Operation& op) { op.set(op.at<uint64_t>(list), 3); });
    mutate([](Operation& op) { op.allocate_blob(100); });
  };
  for (const Which which : {Which::once, Which::from_then}) {
    for (uint64_t number = 1;; number += stride(number, which)) {
      spoil();
      const std::string content = describe(pool());
      const std::function<void()> repair = [this] {
        const heap::Surveying surveying(pool(), "check()");
        collect::CheckReport report = collect::check(pool());
        collect::repair(pool(), report);
        static_cast<void>(pool().cut_commit());
      };
      Outcome outcome;
      {
        const FailingMemory failing(number, which);
        outcome = outcome_of(repair);
      }
      const uint64_t failed = FailingMemory::failed();
      SCOPED_TRACE("allocation " + std::to_string(number));
      if (outcome == Outcome::refused) {
        pool_.reset();
        open();
      }
      EXPECT_EQ(describe(pool()), content);
      if (outcome != Outcome::done) repair();
      expect_sound(pool());
      EXPECT_EQ(describe(pool()), content);
      if (failed == 0 || ::testing::Test::HasFailure()) break;
    }
  }
}
TEST_P(NoMemoryToSurvey, ReadingTogether) {
  try_all([this] {
    pool().begin_reading();
    try {
      describe(pool());
    } catch (...) {
      pool().end_reading();
      throw;
    }
    pool().end_reading();
  });
}
TEST_P(NoMemoryToSurvey, Sync) {
  try_all([this] { pool().sync(); });
}

// ---- Opening and closing

class NoMemoryToOpen : public NoMemory {
 protected:
  // Opens what `prepare` has left with each allocation failing in turn.
  void try_to_open(const std::string& name, const std::function<void()>& prepare,
                   const std::string& expected) {
    for (const Which which : {Which::once, Which::from_then}) {
      for (uint64_t number = 1;; number += stride(number, which)) {
        prepare();
        SCOPED_TRACE("allocation " + std::to_string(number) +
                     (which == Which::once ? "" : " and later ones"));
        std::shared_ptr<Pool> opened;
        const std::function<void()> open_it = [&] { opened = open_at(path(name)); };
        Outcome outcome;
        {
          const FailingMemory failing(number, which);
          outcome = outcome_of(open_it);
        }
        const uint64_t failed = FailingMemory::failed();
        EXPECT_EQ(opened != nullptr, outcome == Outcome::done);
        if (!opened) opened = open_at(path(name));
        expect_sound(*opened);
        EXPECT_EQ(describe(*opened), expected);
        opened.reset();
        opened = open_at(path(name));  // what was left when it was closed
        expect_sound(*opened);
        EXPECT_EQ(describe(*opened), expected);
        opened.reset();
        if (failed == 0 || ::testing::Test::HasFailure()) break;
      }
    }
  }
  void copy(const std::string& from, const std::string& to) {
    for (const char* const end : {"", ".journal"}) {
      std::filesystem::remove(path(to + end));
      if (std::filesystem::exists(path(from + end)))
        std::filesystem::copy_file(path(from + end), path(to + end));
    }
  }
  size_t files() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder_),
                                             std::filesystem::directory_iterator()));
  }
};
INSTANTIATE_TEST_SUITE_P(Backends, NoMemoryToOpen, ::testing::Values(Kind::memory, Kind::journal),
                         name_of_backend);

TEST_P(NoMemoryToOpen, ANewPool) {
  const std::string empty = describe(pool());
  pool_.reset();
  try_to_open(
      "new",
      [this] {
        std::filesystem::remove(path("new"));
        EXPECT_EQ(files(), 1U);
      },
      empty);
  EXPECT_EQ(files(), 2U);
}
TEST_P(NoMemoryToOpen, APoolThatWasClosed) {
  fill();
  const std::string content = describe(pool());
  pool_.reset();
  try_to_open(
      "pool", [] {}, content);
}
TEST_P(NoMemoryToOpen, APoolThatWasCut) {
  fill();
  const std::string content = describe(pool());
  pool().begin();
  const Offset list = at("list");
  for (int i = 0; i < 60; ++i) mutate([&](Operation& op) { list::append(op, list, text(i)); });
  mutate([&](Operation& op) { list::reverse(op, list); });
  copy("pool", "cut");
  pool().abort();
  pool().end_failed();
  pool_.reset();
  try_to_open(
      "again", [this] { copy("cut", "again"); }, content);
}
TEST_P(NoMemoryToOpen, ClosingKeepsWhatWasCommitted) {
  for (const Which which : {Which::once, Which::from_then}) {
    for (uint64_t number = 1;; number += stride(number, which)) {
      fill();
      const Value key = values_.str("list");
      const Offset list = at("list");
      heap::Handle* const handle = heap::read(pool(), [&] { return pool().handles().pin(list); });
      mutate([&](Operation& op) { dict::erase(op, root_dict(), Key(op.pool(), key)); });
      pool().handles().unpin(handle);
      const std::string content = describe(pool());
      pool().begin();
      put("undone", text(1));
      SCOPED_TRACE("allocation " + std::to_string(number) +
                   (which == Which::once ? "" : " and later ones"));
      {
        const FailingMemory failing(number, which);
        outcome_of([&] { pool().close(); });
      }
      const uint64_t failed = FailingMemory::failed();
      outcome_of([&] { pool().close(); });
      EXPECT_TRUE(pool().closed());
      pool_.reset();
      open();
      expect_sound(pool());
      EXPECT_EQ(describe(pool()), content);
      if (failed == 0 || ::testing::Test::HasFailure()) break;
    }
  }
}

}  // namespace
}  // namespace nvm::object::testing
