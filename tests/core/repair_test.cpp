// What check() can tell how to put right is put right, once and for good; nothing else is touched.
#include "collect/repair.h"

#include <algorithm>
#include <string>
#include <vector>

#include "core/check_fixture.h"
#include "object/set/set.h"

namespace nvm::object::testing {
namespace {

using Kind = collect::Finding::Kind;

class RepairTest : public CheckHeap {
 protected:
  collect::CheckReport repair(const collect::Progress& progress = {}) {
    const heap::Surveying surveying(pool(), "check()");
    collect::CheckReport report = collect::check(pool());
    collect::repair(pool(), report, progress);
    return report;
  }
  // All that is wrong is repaired, in these words, and then nothing is wrong.
  void expect_repaired(Kind kind, const std::string& words) {
    const collect::CheckReport report = repair();
    EXPECT_FALSE(report.findings.empty());
    bool told = false;
    for (const Finding& finding : report.findings) {
      EXPECT_NE(finding.repaired, "") << finding.what;
      EXPECT_EQ(finding.kept, "") << finding.what;
      told |= finding.kind == kind && finding.repaired.find(words) != std::string::npos;
    }
    EXPECT_TRUE(told) << words;
    expect_sound();
  }
  // A finding of this kind is there, stays as it is, and says why in these words.
  void expect_kept(Kind kind, const std::string& why) {
    const auto is_kept = [&](const Finding& finding) {
      return finding.kind == kind && finding.repaired.empty() &&
             finding.kept.find(why) != std::string::npos;
    };
    for (int round = 0; round < 2; ++round) {
      const auto findings = repair().findings;
      EXPECT_EQ(std::count_if(findings.begin(), findings.end(), is_kept), 1);
    }
  }

  // The list, of one text and held by nothing but the handle, is whole, and freed with all it has
  // when that lets go.
  void expect_kept_until_unpinned(Offset kept, heap::Handle* handle) {
    EXPECT_EQ(list::size(pool(), kept), 1U);
    const uint64_t before = blocks();
    pool().handles().unpin(handle);
    put("x", Values::none());
    EXPECT_EQ(blocks(), before - 3);
    expect_sound();
  }

  uint64_t& word(Offset object) { return pool().at<heap::Counted>(object)->word; }
  Offset leak(uint64_t bytes) {
    Offset lost = 0;
    mutate([&](Operation& op) { lost = op.allocate_blob(bytes); });
    return lost;
  }
  std::string bytes() { return {pool().file().base(), pool().file().size()}; }
  heap::LimboSegment& limbo() { return *pool().at<heap::LimboSegment>(pool().root().limbo); }
};

TEST_F(RepairTest, OfASoundPoolChangesNoByte) {
  put("l", values.list({values.str("a long text"), numbers(50), values.set({Values::none()})}));
  put_record();
  expect_sound();
  const std::string before = bytes();
  EXPECT_TRUE(repair().findings.empty());
  EXPECT_TRUE(bytes() == before);
}

TEST_F(RepairTest, OfWhatCannotBeMendedChangesNoByte) {
  put("l", values.list({values.str("a long text"), Values::integer(1)}));
  leak(100);
  cell(at("l"), 1) = 5;
  check();
  const std::string before = bytes();
  EXPECT_EQ(repair().findings.size(), 2U);
  EXPECT_TRUE(bytes() == before);
}

// ---- Counts

TEST_F(RepairTest, RaisesACountThatIsTooLow) {
  put("l", values.list({values.list()}));
  const Offset inner = Cell(cell(at("l"), 0)).offset();
  for (const uint64_t wrong : {0, 7}) {
    word(inner) = wrong;
    expect_repaired(Kind::count, "the reference count is 1");
    EXPECT_EQ(count(inner), 1U);
  }
}

TEST_F(RepairTest, FreesAnObjectThatOnlyItsCountKept) {
  put("l", values.list({values.list({values.str("a long text"), values.list()})}));
  const uint64_t before = blocks();
  cell(at("l"), 0) = Cell::none().bits();
  expect_repaired(Kind::count, "let go");
  EXPECT_EQ(blocks(), before - 4);  // two lists, a body, a text
}

TEST_F(RepairTest, RaisesCountsBeforeItFreesWhatHoldsThem) {
  const Value shared = values.list({values.str("a long text")});
  put("kept", shared);
  const Offset kept = at("kept");
  put("l", values.list({Values::none()}));
  cell(at("l"), 0) = Cell::none().bits();
  // What is let go, refers to `kept` too, whose count does not know it.
  put("lost", values.list({values.list({Value::object_at(kept)})}));
  cell(at("lost"), 0) = Cell::none().bits();
  word(kept) = 1;
  expect_repaired(Kind::count, "let go");
  EXPECT_EQ(count(kept), 1U);
  EXPECT_EQ(list::size(pool(), kept), 1U);
}

TEST_F(RepairTest, KeepsWhatAHandleHolds) {
  put("l", values.list({values.list({values.str("a long text")})}));
  const Offset inner = Cell(cell(at("l"), 0)).offset();
  heap::Handle* const handle = pool().handles().pin(inner);
  cell(at("l"), 0) = Cell::none().bits();
  expect_repaired(Kind::count, "let go");
  expect_kept_until_unpinned(inner, handle);
}

TEST_F(RepairTest, ListsAnObjectThatOnlyAHandleHolds) {
  put("l", values.list({values.list({values.str("a long text")})}));
  const Offset inner = Cell(cell(at("l"), 0)).offset();
  heap::Handle* const handle = pool().handles().pin(inner);
  cell(at("l"), 0) = Cell::none().bits();
  word(inner) = 0;
  expect_repaired(Kind::leak, "");
  expect_kept_until_unpinned(inner, handle);
}

TEST_F(RepairTest, LeavesGarbageInCyclesToTheCollector) {
  const Value ring = values.list();
  ring.node->items = {ring, ring};
  set_root(ring);
  const Offset lost = root_object();
  set_root(Values::none());
  word(lost) = 9;
  expect_repaired(Kind::count, "the reference count is 2");
  EXPECT_EQ(check().cyclic_garbage, 1U);
}

// ---- Leaks

TEST_F(RepairTest, FreesLeaks) {
  const uint64_t before = blocks();
  for (const uint64_t bytes : {16, 1000, 5000, 1'000'000}) leak(bytes);
  expect_repaired(Kind::leak, "freed");
  EXPECT_EQ(blocks(), before);
}

TEST_F(RepairTest, FreesAnObjectWithoutCountAndWhatItOwned) {
  put("l", Values::none());
  const uint64_t before = blocks();
  put("l", values.list({values.list({values.str("a long text"), values.dict()})}));
  const Offset inner = Cell(cell(at("l"), 0)).offset();
  cell(at("l"), 0) = Cell::none().bits();
  word(inner) = 0;
  expect_repaired(Kind::leak, "freed");
  put("l", Values::none());
  EXPECT_EQ(blocks(), before);
}

TEST_F(RepairTest, FreesNoLeakWhileAnythingIsDamaged) {
  put("l", values.list({Values::integer(1)}));
  const Offset lost = leak(100);
  const uint64_t one = cell(at("l"), 0);
  cell(at("l"), 0) = 5;
  expect_kept(Kind::leak, "what is damaged may have referred to it");
  EXPECT_TRUE(pool().is_block(lost));
  cell(at("l"), 0) = one;
  expect_repaired(Kind::leak, "freed");
}

TEST_F(RepairTest, LowersNoCountWhileAnythingIsDamaged) {
  put("a", values.list({Values::integer(1)}));
  put("b", values.list());
  cell(at("a"), 0) = 5;
  word(at("b")) = 2;
  expect_kept(Kind::count, "what is damaged may have referred to it");
  word(at("b")) = 0;
  const auto findings = repair().findings;
  EXPECT_TRUE(std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.repaired == "the reference count is 1";
  }));
  EXPECT_EQ(count(at("b")), 1U);
  cell(at("a"), 0) = Cell::none().bits();
  expect_sound();
}

TEST_F(RepairTest, MendsMoreThanItTells) {
  const uint64_t before = blocks();
  for (int i = 0; i < 1500; ++i) leak(16);
  EXPECT_EQ(repair().findings.size(), collect::CheckReport::kMostFindings);
  expect_sound();
  EXPECT_EQ(blocks(), before);
}

// ---- Indexes and lengths

TEST_F(RepairTest, BuildsAnIndexAnew) {
  put("d", numbers(20));
  put("s", values.set());
  for (int64_t i = 0; i < 300; ++i) {
    const Value number = Values::integer(i);
    store([&](Operation& op) { set::add(op, at("s"), Key(op.pool(), number)); });
  }
  const dict::Table dict = table(at("d"));
  const dict::Table set = table(at("s"));
  std::fill_n(dict.slots().begin, dict.slots().count, dict::slot_word(1, 1000));
  std::fill_n(set.slots().begin, set.slots().count, uint64_t{0});
  expect_repaired(Kind::damage, "the index has been built anew");
  for (int64_t i = 0; i < 20; ++i)
    EXPECT_EQ(dict::get(pool(), at("d"), Key(pool(), Values::integer(i))).as_integer(), i);
}

TEST_F(RepairTest, FreesLeaksBesideADamagedIndex) {
  put("d", numbers(20));
  const dict::Table dict = table(at("d"));
  std::fill_n(dict.slots().begin, dict.slots().count, uint64_t{0});
  leak(100);
  expect_repaired(Kind::leak, "freed");
}

TEST_F(RepairTest, CountsTheDeletedEntriesAnew) {
  for (const int64_t size : {3, 20}) {
    put("d", numbers(size));
    auto* const body = pool().at<dict::Body>(table(at("d")).body());
    body->deleted = uint64_t{2} << 32;
    expect_repaired(Kind::damage, "counted anew");
    EXPECT_EQ(dict::size(pool(), at("d")), static_cast<uint64_t>(size));
  }
}

TEST_F(RepairTest, DropsBlankPlacesAtAListsEnd) {
  put("l", values.list({Values::integer(1), values.str("a long text")}));
  auto* const list = pool().at<list::Header>(at("l"));
  list->size = pool().at<list::Body>(list->body)->capacity;
  expect_repaired(Kind::damage, "counted anew");
  EXPECT_EQ(list->size, 2U);
}

TEST_F(RepairTest, KeepsABlankPlaceInTheMiddleOfAList) {
  put("l", values.list({Values::integer(1), values.str("a long text")}));
  cell(at("l"), 0) = 0;
  expect_kept(Kind::damage, "what was there is not known");
}

TEST_F(RepairTest, FreesNoLeakWhereACellMayHaveBeenLost) {
  put("l", values.list({values.str("a long text"), values.str("another one")}));
  cell(at("l"), 1) = 0;
  const auto findings = repair().findings;
  ASSERT_EQ(findings.size(), 2U);
  for (const Finding& finding : findings)
    EXPECT_EQ(finding.repaired.empty(), finding.kind == Kind::leak);
}

// ---- Limbo

TEST_F(RepairTest, TakesAnObjectWithReferencesOffLimbo) {
  put("l", values.list({Values::integer(1)}));
  limbo().slots[5] = at("l");
  reopen();
  EXPECT_EQ(list::size(pool(), at("l")), 1U);
  expect_repaired(Kind::limbo, "the reference count is 1");
  EXPECT_EQ(limbo().slots[5], 0U);
}

TEST_F(RepairTest, ClearsSlotsOfLimboThatNameNoObject) {
  limbo().slots[5] = 8;
  limbo().slots[9] = pool().root().limbo;
  expect_repaired(Kind::limbo, "off limbo");
}

TEST_F(RepairTest, ClearsSlotsOfLimboThatSayAgainWhatAnotherSays) {
  put("l", values.list({values.list({values.str("a long text")})}));
  const Offset inner = Cell(cell(at("l"), 0)).offset();
  heap::Handle* const handle = pool().handles().pin(inner);
  put("l", Values::none());
  const uint64_t before = blocks();
  limbo().slots[50] = inner;
  limbo().slots[51] = inner;
  expect_repaired(Kind::limbo, "off limbo");
  pool().handles().unpin(handle);
  put("x", Values::none());
  EXPECT_EQ(blocks(), before - 3);
  expect_sound();
}

TEST_F(RepairTest, APoolOpensThoughLimboNamesAnObjectTwice) {
  put("l", values.list({Values::integer(1)}));
  limbo().slots[5] = at("l");
  limbo().slots[6] = at("l");
  reopen();
  expect_repaired(Kind::limbo, "off limbo");
  EXPECT_EQ(list::size(pool(), at("l")), 1U);
}

// ---- libpmemobj's heap

TEST_F(RepairTest, WritesFootersAnew) {
  put("b", values.bytes(std::string(8'000'000, 'b')));
  const uint32_t used = first(ChunkType::used);
  const uint32_t free = first(ChunkType::free);
  for (const uint32_t begin : {used, free}) {
    ChunkHeader& last = chunks()[begin + chunks()[begin].chunks - 1];
    ASSERT_EQ(last.type, ChunkType::footer);
    last.chunks += 1;
  }
  expect_repaired(Kind::damage, "footer");
}

TEST_F(RepairTest, TouchesNothingWhereARunIsDamaged) {
  leak(16);
  auto* const run =
      reinterpret_cast<heap::pmdk::RunHeader*>(chunk(first(ChunkType::run, heap::pmdk::kNoHeader)));
  const uint64_t unit = run->unit;
  run->unit = 0;
  check();
  const std::string before = bytes();
  for (const Finding& finding : repair().findings) {
    EXPECT_EQ(finding.repaired, "");
    EXPECT_NE(finding.kept, "");
  }
  EXPECT_TRUE(bytes() == before);
  run->unit = unit;
}

// ---- Interrupted

TEST_F(RepairTest, StoppedBetweenTwoMendsLeavesTheRestForTheNext) {
  put("l", Values::none());
  const uint64_t before = blocks();
  put("l", values.list({values.list({values.str("a long text")})}));
  cell(at("l"), 0) = Cell::none().bits();
  for (int i = 0; i < 20'000; ++i) leak(16);
  struct Stop {};
  EXPECT_THROW(repair([](uint64_t, uint64_t) { throw Stop{}; }), Stop);
  put("l", Values::none());
  repair();
  expect_sound();
  EXPECT_EQ(blocks(), before);
}

}  // namespace
}  // namespace nvm::object::testing
