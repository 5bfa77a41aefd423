#include "object/set/set.h"

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "collect/check.h"
#include "core/pool_fixture.h"
#include "object/dict/dict_layout.h"
#include "object/dict/dict_table.h"

namespace nvm::object::testing {
namespace {

class SetTest : public PoolTest {
 protected:
  using Numbers = std::vector<int>;

  void SetUp() override {
    PoolTest::SetUp();
    set_root(values.set());
  }

  Offset set() const { return root_object(); }
  // Elements are numbers that stand for elements of all kinds.
  Value element(int number) {
    const std::string text = std::to_string(number);
    switch (number % 4) {
      case 0:
        return Values::integer(number);
      case 1:
        return values.str("element " + text);
      case 2:
        return values.str("an element that is longer than 19 characters " + text);
      default:
        return values.tuple({Values::integer(number), values.str("in a tuple " + text)});
    }
  }
  Key key(int number) { return {pool(), element(number)}; }
  std::vector<Key> keys(const Numbers& numbers) {
    std::vector<Key> result;
    for (const int number : numbers) result.push_back(key(number));
    return result;
  }
  bool add(int number) {
    return store([&](Operation& op) { return set::add(op, set(), key(number)); });
  }
  bool discard(int number) {
    return mutate([&](Operation& op) { return set::discard(op, set(), key(number)); });
  }
  using Change = void (*)(Operation&, Offset, set::Keys);
  void change(Change how, const Numbers& numbers) {
    const std::vector<Key> given = keys(numbers);
    store([&](Operation& op) { how(op, set(), given); });
  }

  // In order of insertion.
  Numbers numbers(int most = 1000) {
    Numbers result;
    StoredKey stored{};
    for (uint64_t position = 0; set::next(pool(), set(), position, stored);)
      for (int number = 0; number < most; ++number)
        if (hash_of(pool(), stored) == key(number).hash() && key(number).equals(pool(), stored))
          result.push_back(number);
    EXPECT_EQ(result.size(), set::size(pool(), set()));
    return result;
  }

  void expect_sound() {
    pool().own(-1);
    const collect::CheckReport report = collect::check(pool());
    pool().disown();
    for (const auto& finding : report.findings)
      ADD_FAILURE() << "at " << finding.offset << ": " << finding.what;
  }
};

TEST_F(SetTest, AddsAnElementOnce) {
  EXPECT_TRUE(add(1));
  EXPECT_TRUE(add(3));
  EXPECT_FALSE(add(1));
  EXPECT_FALSE(add(3));
  reopen();
  EXPECT_EQ(numbers(), (Numbers{1, 3}));
  EXPECT_TRUE(set::contains(pool(), set(), key(3)));
  EXPECT_FALSE(set::contains(pool(), set(), key(2)));
  expect_sound();
}

TEST_F(SetTest, DiscardsWhatIsThere) {
  for (int i = 0; i < 40; ++i) add(i);
  for (int i = 0; i < 40; i += 2) EXPECT_TRUE(discard(i));
  EXPECT_FALSE(discard(0));
  EXPECT_EQ(set::size(pool(), set()), 20U);
  expect_sound();
}

TEST_F(SetTest, PopsTheLastElement) {
  change(set::update, {1, 2, 3});
  StoredKey stored{};
  ASSERT_TRUE(set::last(pool(), set(), stored));
  EXPECT_TRUE(key(3).equals(pool(), stored));
  const auto pop = [&] { return mutate([&](Operation& op) { return set::pop(op, set()); }); };
  EXPECT_TRUE(pop());
  EXPECT_EQ(numbers(), (Numbers{1, 2}));
  EXPECT_TRUE(pop());
  EXPECT_TRUE(pop());
  EXPECT_FALSE(pop());
  EXPECT_FALSE(set::last(pool(), set(), stored));
}

TEST_F(SetTest, BulkChangesAreThoseOfSets) {
  change(set::update, {1, 2, 3, 4, 2, 1});
  EXPECT_EQ(numbers(), (Numbers{1, 2, 3, 4}));
  change(set::difference_update, {2, 9, 2});
  EXPECT_EQ(numbers(), (Numbers{1, 3, 4}));
  change(set::symmetric_difference_update, {3, 5, 5, 3});
  EXPECT_EQ(numbers(), (Numbers{1, 4, 5}));
  change(set::intersection_update, {5, 1, 8, 1});
  EXPECT_EQ(numbers(), (Numbers{1, 5}));
  change(set::symmetric_difference_update, {1, 5, 7});
  EXPECT_EQ(numbers(), (Numbers{7}));
  change(set::intersection_update, {});
  EXPECT_EQ(numbers(), Numbers{});
  expect_sound();
}

TEST_F(SetTest, ClearsAndAddsInOneOperation) {
  for (const int count : {3, 100}) {
    Numbers many(static_cast<size_t>(count));
    for (int i = 0; i < count; ++i) many[static_cast<size_t>(i)] = i;
    change(set::update, many);
    const std::vector<Key> some = keys({1, 2, 200});
    store([&](Operation& op) {
      set::clear(op, set());
      set::update(op, set(), some);
    });
    EXPECT_EQ(numbers(), (Numbers{1, 2, 200}));
    expect_sound();
  }
}

TEST_F(SetTest, NestedSetsAreStoredOnce) {
  const Value inner = values.set({Values::integer(1), values.str("a longer element")});
  set_root(values.list({inner, inner}));
  reopen();
  const auto cells = list::cells(pool(), root_object());
  EXPECT_EQ(cells[0], cells[1]);
  const Offset stored = Cell(cells[0]).offset();
  EXPECT_EQ(pool().type_number(stored), static_cast<uint64_t>(Type::set));
  EXPECT_EQ(set::size(pool(), stored), 2U);
  expect_sound();
}

TEST_F(SetTest, SetsAreUnhashable) {
  const std::string message =
      error_of(ErrorKind::type, [&] { Key(pool(), values.tuple({values.set()})); });
  EXPECT_EQ(message, "unhashable type: 'set'");
  const Value stored = Value::object_at(set());
  EXPECT_EQ(error_of(ErrorKind::type, [&] { Key(pool(), stored); }),
            "unhashable type: 'PersistentSet'");
}

TEST_F(SetTest, ALargeSetIsFreed) {
  const uint64_t before = blocks();
  for (const bool cleared : {false, true}) {
    std::vector<Value> elements;
    for (int i = 0; i < 5000; ++i) elements.push_back(element(i));
    set_root(values.set(elements));
    if (cleared) mutate([&](Operation& op) { set::clear(op, set()); });
    set_root(values.set());
    EXPECT_LE(blocks(), before + 1);  // a limbo segment
  }
  expect_sound();
}

TEST_F(SetTest, AnElementWithAValueIsDamage) {
  add(1);
  const dict::Table table(pool(), dict::settled(pool(), set()));
  table.entry(0)->value = Cell::boolean(true).bits();
  pool().own(-1);
  const collect::CheckReport report = collect::check(pool());
  pool().disown();
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_NE(report.findings[0].what.find("of a set has a value"), std::string::npos);
  table.entry(0)->value = Cell::none().bits();
}

// Random changes, in and out of transactions, against std::set.
TEST_F(SetTest, HoldsWhatTheModelHolds) {
  std::mt19937 random{20260102};
  std::set<int> model;
  for (int round = 0; round < 200; ++round) {
    const std::set<int> before = model;
    const unsigned how = static_cast<unsigned>(random() % 3);
    if (how != 0) pool().begin();
    for (int i = 0; i < 5; ++i) {
      Numbers given(random() % 30);
      for (int& number : given) number = static_cast<int>(random() % 120);
      const std::set<int> other(given.begin(), given.end());
      std::set<int> result;
      const auto into = std::inserter(result, result.end());
      const auto with = [&](auto algorithm) {
        algorithm(model.begin(), model.end(), other.begin(), other.end(), into);
        model = result;
      };
      using Iterator = std::set<int>::iterator;
      using Algorithm = std::insert_iterator<std::set<int>> (*)(
          Iterator, Iterator, Iterator, Iterator, std::insert_iterator<std::set<int>>);
      switch (random() % 6) {
        case 0:
          change(set::difference_update, given);
          with(static_cast<Algorithm>(std::set_difference));
          break;
        case 1:
          change(set::symmetric_difference_update, given);
          with(static_cast<Algorithm>(std::set_symmetric_difference));
          break;
        case 2:
          if (random() % 4 != 0) break;
          change(set::intersection_update, given);
          with(static_cast<Algorithm>(std::set_intersection));
          break;
        default:
          change(set::update, given);
          with(static_cast<Algorithm>(std::set_union));
      }
    }
    if (how == 1) pool().commit();
    if (how == 2) {
      abort();
      model = before;
    }
    if (round % 10 == 0) reopen();
    Numbers found = numbers(120);
    std::sort(found.begin(), found.end());
    ASSERT_EQ(found, Numbers(model.begin(), model.end())) << round;
  }
  expect_sound();
}

}  // namespace
}  // namespace nvm::object::testing
