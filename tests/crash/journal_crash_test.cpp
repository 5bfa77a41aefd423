// The journal backend, cut at every write and sync: commits, checkpoints, recovery, close.
#include <gtest/gtest.h>

#include <array>

#include "crash/journal_cuts.h"

namespace nvm::crash {
namespace {

Step empty_list() {
  return assign_root([](Values& v) { return v.list({}); });
}
Step empty_dict() {
  return assign_root([](Values& v) { return v.dict(); });
}

std::vector<Step> list_changes() {
  std::vector<Step> steps{empty_list()};
  for (int i = 0; i < 40; ++i) steps.push_back(append(text(kLong)));
  steps.push_back(insert_at(3, integer(1)));
  steps.push_back(set_at(5, text(kOther)));
  for (int i = 0; i < 20; ++i) steps.push_back(pop());
  steps.push_back(transaction({append(integer(1)), set_at(0, integer(2)), pop(), pop()}));
  steps.push_back(aborted({append(integer(1)), set_at(0, integer(2)), insert_at(0, text(kLong))}));
  steps.push_back(append(integer(9)));
  return steps;
}

// Most of what they do is to begin and to end.
std::vector<Step> few_changes() { return {empty_list(), append(text(kLong)), append(integer(1))}; }

TEST_F(JournalCrash, ChangesOfAListAreThereOrNot) { expect_durable(list_changes()); }

TEST_F(JournalCrash, ChangesOfADictAreThereOrNot) {
  std::vector<Step> steps{empty_dict()};
  for (int i = 0; i < 60; ++i) steps.push_back(put(integer(i), text(kLong)));
  for (int i = 0; i < 60; i += 3) steps.push_back(erase(integer(i)));
  expect_durable(steps);
}

// Some 300 commits a generation: the halves change several times.
std::vector<Step> many_changes() {
  std::vector<Step> steps{empty_list()};
  for (int i = 0; i < 500; ++i) {
    steps.push_back(append(text(kLong)));
    if (i % 5 == 4) steps.push_back(set_at(static_cast<uint64_t>(i) / 2, text(kOther)));
  }
  return steps;
}

TEST_F(JournalCrash, CheckpointsLoseNothing) { expect_durable(many_changes()); }

// Records that no half has room for.
TEST_F(JournalCrash, LargeCommitsLieElsewhere) {
  static const std::string piece(3'000, 'z');
  std::vector<Step> steps{empty_list()};
  for (int i = 0; i < 4; ++i) {
    steps.push_back(transaction(std::vector<Step>(100, append(text(piece)))));
    steps.push_back(append(integer(i)));
    steps.push_back(pop());
    if (i % 2 != 0) steps.push_back(transaction(std::vector<Step>(150, pop())));
  }
  expect_durable(steps);
}

// New blocks whose content goes to the pool's file, at once or when it commits, some of it where
// freed ones were.
std::vector<Step> large_changes() {
  static const std::array larges{std::string(300'000, 'y'), std::string(150'000, 'z'),
                                 std::string(290'000, 'x')};
  std::vector<Step> steps{empty_list()};
  for (size_t i = 0; i < 6; ++i) {
    steps.push_back(append(text(larges[i % larges.size()])));
    steps.push_back(append(integer(static_cast<int>(i))));
    steps.push_back(pop());
    if (i % 2 != 0) steps.push_back(pop());
    if (i % 4 == 3) steps.push_back(set_at(0, text(larges[(i + 1) % larges.size()])));
  }
  steps.push_back(transaction({pop(), append(text(larges[0])), append(text(larges[1])), pop()}));
  steps.push_back(aborted({append(text(larges[2])), pop(), append(text(larges[0]))}));
  steps.push_back(append(text(larges[2])));
  return steps;
}

// The items of a large list are changed, it is freed, and a large text is laid in its place while
// the records of the changes live.
std::vector<Step> reused_places() {
  static const std::string large(290'000, 'l');
  std::vector<Step> steps;
  for (int i = 0; i < 3; ++i) {
    steps.push_back(
        assign_root([](Values& v) { return v.list(std::vector<Value>(36'000, integer(5))); }));
    for (uint64_t index = 0; index < 36'000; index += 6'000)
      steps.push_back(set_at(index + 3, integer(6)));
    steps.push_back(empty_list());
    steps.push_back(append(text(large)));
  }
  return steps;
}

// Large texts in the places of others whose end is not durable yet.
std::vector<Step> large_after_syncs() {
  static const std::array larges{std::string(2'500'000, 'y'), std::string(2'500'000, 'z')};
  const Step sync = [](Pool& pool) { pool.sync(); };
  std::vector<Step> steps{empty_list()};
  for (size_t i = 0; i < 4; ++i) {
    for (const Step& step :
         {append(text(larges[i % 2])), sync, pop(), append(text(larges[(i + 1) % 2])), sync, pop()})
      steps.push_back(step);
  }
  return steps;
}

DiskRecorder& recorder() { return DiskRecorder::current(); }

// A commit whose record is too large for the journal's halves makes a checkpoint due.
Step large_commit() {
  static const std::string piece(3'000, 'z');
  return transaction(std::vector<Step>(100, append(text(piece))));
}

// The checkpoint's pages are written, and not yet synced, when the next commit comes; nobody else
// syncs the record of the large one.
std::vector<Step> checkpoint_of_a_large_commit() {
  return {empty_list(),       [](Pool& pool) { recorder().hold_syncs(pool.path()); },
          large_commit(),     [](Pool&) { recorder().wait_for_held_sync(); },
          append(integer(1)), [](Pool&) { recorder().release_syncs(); }};
}

// A large text is taken away by a transaction that ends when a checkpoint has retired its records,
// before it punches out what is free: nothing syncs the end of the text in between.
std::vector<Step> large_end_in_a_checkpoint() {
  static const std::string large(2'500'000, 'y');
  const Step let_records_retire = [](Pool& pool) {
    recorder().release_syncs();
    recorder().wait_for(DiskEvent::Kind::sync_ended, pool.path() + ".journal");
  };
  return {empty_list(),
          append(text(large)),
          [](Pool& pool) { pool.sync(); },
          [](Pool& pool) { recorder().hold_syncs(pool.path()); },
          large_commit(),
          [](Pool&) { recorder().wait_for_held_sync(); },
          transaction({set_at(0, integer(1)), let_records_retire}),
          [](Pool& pool) { recorder().wait_for(DiskEvent::Kind::write, pool.path()); },
          append(integer(2))};
}

TEST_F(JournalCrash, ACheckpointOfALargeCommitIsHarmless) {
  promise_ = backend::Promise::written;
  expect_durable(checkpoint_of_a_large_commit());
}

TEST_F(JournalCrash, HolesArePunchedWhereItWasDurablyFree) {
  promise_ = backend::Promise::written;
  expect_durable(large_end_in_a_checkpoint());
}

TEST_F(JournalCrash, ReusedPlacesKeepTheirNewContent) { expect_durable(reused_places()); }

TEST_F(JournalCrash, LargeBlocksGoToThePoolItself) { expect_durable(large_changes()); }

TEST_F(JournalCrash, LargeBlocksAreWrittenOnce) {
  static const std::string large(1'000'000, 'z');
  run({empty_list(), append(text(large)), append(text(large))});
  uint64_t recorded = 0;
  for (const DiskEvent& event : events_) {
    if (event.kind == DiskEvent::Kind::write && event.path == journal_name() &&
        event.offset >= journal::kHalvesOffset && !is_zero(event.bytes.data(), event.bytes.size()))
      recorded += event.bytes.size();
  }
  EXPECT_LT(recorded, large.size() / 10);
}

TEST_F(JournalCrash, ALargeBlockThatIsNotSyncedIsNoticed) {
  expect_noticed(large_changes(), [&](size_t event) { return is_of_pool(event); });
}

TEST_F(JournalCrash, RelaxedCommitsOfLargeBlocksAreAPrefix) {
  promise_ = backend::Promise::written;
  expect_durable(large_changes());
}

TEST_F(JournalCrash, RelaxedCommitsOfLargeBlocksAfterSyncsAreAPrefix) {
  promise_ = backend::Promise::written;
  expect_durable(large_after_syncs());
}

TEST_F(JournalCrash, ACommitThatIsNotSyncedIsNoticed) {
  expect_noticed(list_changes(),
                 [&](size_t event) { return is_of_journal(event) && !is_of_header(event); });
}

TEST_F(JournalCrash, ACheckpointThatIsNotSyncedIsNoticed) {
  expect_noticed(many_changes(), [&](size_t event) { return is_of_pool(event); });
}

TEST_F(JournalCrash, RelaxedCommitsAreAPrefix) {
  promise_ = backend::Promise::written;
  expect_durable(list_changes());
}

// ---- A pool that is made

class JournalMaking : public JournalCrash {
 protected:
  bool is_always_judged(size_t position) const override {
    constexpr size_t few = 5;
    const size_t named = naming_of_the_pool();
    return position + few > named && position < named + few;
  }

  size_t naming_of_the_pool() const {
    const auto found = std::find_if(events_.begin(), events_.end(), [&](const DiskEvent& event) {
      return event.kind == DiskEvent::Kind::created && event.path == pool_path();
    });
    return static_cast<size_t>(found - events_.begin());
  }
};

TEST_F(JournalMaking, IsWholeOrNotThere) {
  run_from_the_first(few_changes());
  EXPECT_LT(naming_of_the_pool(), events_.size());
  expect_no_complaint();
}

TEST_F(JournalMaking, APoolThatIsNotSyncedBeforeItHasItsNameIsNoticed) {
  run_from_the_first(few_changes());
  const size_t named = naming_of_the_pool();
  expect_noticed([&](size_t event) { return event < named; });
}

// ---- A pool that is opened with a higher limit

TEST_F(JournalCrash, APoolThatIsRaisedLosesNothing) {
  static const std::string large(3'000'000, 'l');
  const auto fill = [](int texts) {
    std::vector<Step> steps;
    for (int i = 0; i < texts; ++i) steps.push_back(append(text(large)));
    return steps;
  };
  std::vector<Step> steps = fill(2);
  steps.insert(steps.begin(), empty_list());
  run(steps);
  limit_ *= 2;
  run_again(fill(4));
  EXPECT_GT(history_.back().size(), heap::kMinPoolSize);
  expect_no_complaint();
}

// ---- What is wrong is told with what it takes, and no more

TEST_F(JournalCrash, AWrongStateIsShrunk) {
  EXPECT_NE(complaint_without(journal::Rule::records_are_synced, [this] { run(list_changes()); }),
            "");
  EXPECT_EQ(losses_.size(), 1u);
}

TEST_F(JournalCrash, AWrongStateIsKept) {
  EXPECT_NE(complaint_without(journal::Rule::records_are_synced, [this] { run(list_changes()); }),
            "");
  const std::string folder = keep_wrong();
  EXPECT_EQ(hash_of(kept_in(folder)), hash_of(wrong_));
  std::filesystem::remove_all(folder);
}

// ---- Each rule left out is noticed; those of space.h are in tests/core/journal_space_test.cpp

struct LeftOut {
  const char* name;
  journal::Rule rule;
  std::vector<Step> (*steps)();
  backend::Promise promise;
  uint64_t cuts_to_one = 1;
};

void PrintTo(const LeftOut& mutant, std::ostream* out) { *out << mutant.name; }

class JournalRules : public JournalCrash, public testing::WithParamInterface<LeftOut> {
 protected:
  uint64_t cuts_to_one() const override { return GetParam().cuts_to_one; }
};

TEST_P(JournalRules, LeftOutIsNoticed) {
  promise_ = GetParam().promise;
  EXPECT_NE(complaint_without(GetParam().rule, [this] { run(GetParam().steps()); }), "");
}

using journal::Rule;
constexpr auto kDurable = backend::Promise::durable;
constexpr auto kWritten = backend::Promise::written;

INSTANTIATE_TEST_SUITE_P(
    Rules, JournalRules,
    testing::Values(LeftOut{"RecordsAreSynced", Rule::records_are_synced, list_changes, kDurable},
                    LeftOut{"NewBlocksAreSynced", Rule::new_blocks_are_synced_before_their_record,
                            large_changes, kDurable},
                    LeftOut{"PagesAfterRecords", Rule::pages_are_written_after_their_records,
                            checkpoint_of_a_large_commit, kWritten},
                    LeftOut{"HolesWereDurablyFree", Rule::holes_were_durably_free,
                            large_end_in_a_checkpoint, kWritten},
                    LeftOut{"PagesSynced", Rule::pages_are_synced_before_records_retire,
                            many_changes, kDurable, 4},
                    LeftOut{"MarkBeforeTheFirstRecord",
                            Rule::the_mark_is_set_before_the_first_record, list_changes, kDurable},
                    LeftOut{"MarkAfterTheLastPage", Rule::the_mark_is_removed_after_the_last_page,
                            few_changes, kDurable},
                    LeftOut{"JournalRemovedAfterTheMark",
                            Rule::the_journal_is_removed_after_the_mark, few_changes, kDurable},
                    LeftOut{"RecordsAreWhole", Rule::records_are_whole, list_changes, kDurable},
                    LeftOut{"RecordsOfTheirGeneration", Rule::records_are_of_their_generation,
                            many_changes, kDurable, 4}),
    [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace nvm::crash
