#include "object/dict/dict.h"

#include <limits>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/dict_fixture.h"

namespace nvm::object::testing {
namespace {

using Dict = DictTest;

TEST_F(Dict, IsEmptyWhenItIsNew) {
  EXPECT_EQ(size(), 0U);
  EXPECT_TRUE(get(Values::integer(1)).blank());
  EXPECT_FALSE(erase(1));
  EXPECT_TRUE(items().empty());
  mutate([&](Operation& op) { dict::clear(op, dict()); });
  expect_sound();
}

// The dict gets its index and several larger ones meanwhile; some keys come twice.
TEST_F(Dict, ManyKeysInTurnAnswerAsOneByOne) {
  std::vector<Value> names;
  std::map<int64_t, int64_t> expected;
  for (int64_t i = 0; i < 3000; ++i) {
    names.push_back(Values::integer(i * 7919 % 2000));
    expected[i * 7919 % 2000] = i;
  }
  std::vector<Key> keys;
  for (const Value& name : names) keys.push_back(key(name));
  mutate([&](Operation& op) {
    dict::in_turn(op, dict(), keys, [&](size_t i) {
      dict::set(op, dict(), keys[i], Values::integer(static_cast<int64_t>(i)));
    });
  });
  const Items found = items();
  EXPECT_EQ((std::map<int64_t, int64_t>(found.begin(), found.end())), expected);
  EXPECT_EQ(found.size(), expected.size());
  EXPECT_EQ(found.front().first, 0);
  EXPECT_EQ(found[1].first, 7919 % 2000);
  expect_sound();
}

TEST_F(Dict, KeepsEveryKindOfKey) {
  const std::vector<Value> names{
      Values::none(),
      Values::boolean(true),
      Values::integer(2),
      Values::integer(int64_t{1} << 60),
      values.big(std::string(20, '\x7f')),
      Values::real(0.5),
      Values::real(std::numeric_limits<double>::quiet_NaN()),
      Value::complex_of(1, 2),
      values.str(""),
      values.str("abc"),
      values.str("abcdef"),
      values.str("a name of 19 chars."),
      values.str("a name of 20 chars.."),
      values.str(std::string(300, 'x')),
      values.str(std::string("\x00\x01\x00\x02", 4), 2),
      values.str(
          std::string("\x00\x01\x01\x01\x02\x01\x03\x01\x04\x01\x05\x01\x06\x01\x07\x01\x08\x01",
                      18),
          2),
      values.str(
          std::string(
              "\x00\x01\x01\x01\x02\x01\x03\x01\x04\x01\x05\x01\x06\x01\x07\x01\x08\x01\x09\x01",
              20),
          2),
      values.str(std::string("\x00\x00\x01\x00", 4), 4),
      values.bytes(""),
      values.bytes("abc"),
      values.bytes("abcdef"),
      values.bytes("a name of 19 chars."),
      values.bytes("a name of 20 chars.."),
      values.tuple({Values::integer(1), values.str("two")}),
      values.frozenset({Values::integer(1), values.str("a longer element of it")}),
  };
  for (size_t i = 0; i < names.size(); ++i)
    EXPECT_TRUE(set(names[i], Values::integer(static_cast<int64_t>(i)))) << i;
  const auto expect_all = [&] {
    forget(values.graph);
    EXPECT_EQ(size(), names.size());
    uint64_t position = 0;
    dict::Item item{};
    for (size_t i = 0; i < names.size(); ++i) {
      EXPECT_EQ(get(names[i]), Cell::integer(static_cast<int64_t>(i))) << i;
      ASSERT_TRUE(dict::next(pool(), dict(), position, item));
      EXPECT_EQ(item.value, Cell::integer(static_cast<int64_t>(i)));
      EXPECT_TRUE(key(names[i]).equals(pool(), dict::key_at(pool(), dict(), item.number))) << i;
    }
    EXPECT_FALSE(dict::next(pool(), dict(), position, item));
    expect_sound();
  };
  expect_all();
  reopen();
  expect_all();
  for (const Value& name : names) EXPECT_FALSE(set(name, Values::integer(-1)));
  EXPECT_EQ(size(), names.size());
  for (const Value& name : names) EXPECT_TRUE(erase(name));
  EXPECT_EQ(size(), 0U);
  expect_sound();
}

TEST_F(Dict, MeetsEqualNumbersUnderOneKey) {
  EXPECT_TRUE(set(Values::integer(1), Values::integer(10)));
  EXPECT_FALSE(set(Values::boolean(true), Values::integer(11)));
  EXPECT_FALSE(set(Values::real(1.0), Values::integer(12)));
  EXPECT_FALSE(set(Value::complex_of(1, 0), Values::integer(13)));
  EXPECT_EQ(items(), (Items{{1, 13}}));
  EXPECT_TRUE(set(Values::real(0.0), Values::none()));
  EXPECT_FALSE(set(Values::real(-0.0), Values::none()));
  EXPECT_TRUE(get(values.str("1")).blank());
  EXPECT_TRUE(get(values.bytes("1")).blank());
}

TEST_F(Dict, KeepsTheOrderOfInsertion) {
  for (int64_t i = 0; i < 10; ++i) set(9 - i, i);
  set(5, 50);
  EXPECT_TRUE(erase(7));
  set(7, 70);
  EXPECT_EQ(
      items(),
      (Items{{9, 0}, {8, 1}, {6, 3}, {5, 50}, {4, 5}, {3, 6}, {2, 7}, {1, 8}, {0, 9}, {7, 70}}));
  uint64_t position = dict::used(pool(), dict());
  dict::Item item{};
  std::vector<int64_t> backwards;
  while (dict::previous(pool(), dict(), position, item))
    backwards.push_back(item.value.as_integer());
  EXPECT_EQ(backwards, (std::vector<int64_t>{70, 9, 8, 7, 6, 5, 50, 3, 1, 0}));
}

TEST_F(Dict, OwnsItsKeysAndValues) {
  set_root(values.dict());  // what goes first makes the limbo list
  const uint64_t before = blocks();
  const Value name = values.str(std::string(100, 'k'));
  set(name, values.str(std::string(100, 'v')));
  EXPECT_EQ(blocks(), before + 3);  // body, key, value
  set(name, values.str(std::string(200, 'w')));
  EXPECT_EQ(blocks(), before + 3);
  set(name, values.list({values.str(std::string(100, 'x'))}));
  EXPECT_EQ(blocks(), before + 5);  // the list, its body and its element
  expect_sound();
  EXPECT_TRUE(erase(name));
  EXPECT_EQ(blocks(), before + 1);
  expect_sound();
}

TEST_F(Dict, GivesEveryBlockBackWhenItGoes) {
  set_root(Values::none());
  const uint64_t before = blocks();
  for (const int count : {0, 1, 3, 7, 15, 16, 100, 1025, 3000}) {
    set_root(values.dict());
    for (int i = 0; i < count; ++i)
      set(i % 2 == 0 ? Values::integer(i)
                     : values.str("a long key, so that it is a blob " + std::to_string(i)),
          i % 3 == 0 ? Values::integer(i) : values.str(std::string(50, 'v')));
    for (int i = 0; i < count; i += 4) erase(i);
    expect_sound();
    set_root(Values::none());
    EXPECT_EQ(blocks(), before) << count;
  }
}

TEST_F(Dict, IsEmptyAfterClearAndGivesItsRoomBack) {
  set_root(values.dict());  // what goes first makes the limbo list
  const uint64_t before = blocks();
  for (const int count : {1, 15, 2000}) {
    for (int i = 0; i < count; ++i) set(Values::integer(i), values.str(std::string(30, 'v')));
    mutate([&](Operation& op) { dict::clear(op, dict()); });
    EXPECT_EQ(size(), 0U);
    EXPECT_EQ(get(0), -1);
    EXPECT_EQ(blocks(), before) << count;
    expect_sound();
  }
  set(1, 2);
  EXPECT_EQ(items(), (Items{{1, 2}}));
}

TEST_F(Dict, GrowsThroughAllItsForms) {
  constexpr int64_t kCount = 70'000;  // a larger directory at 1,024, spilled entries from 32,768
  for (int64_t i = 0; i < kCount; ++i) ASSERT_TRUE(set(i, -i));
  reopen();
  EXPECT_EQ(size(), static_cast<uint64_t>(kCount));
  for (int64_t i = 0; i < kCount; ++i) {
    const Cell cell = get(Values::integer(i));
    ASSERT_FALSE(cell.blank()) << i;
    ASSERT_EQ(cell.as_integer(), -i);
  }
  EXPECT_EQ(get(kCount), -1);
  expect_sound();
}

TEST_F(Dict, TakesManyInsertsInOneOperation) {
  mutate([&](Operation& op) {
    for (int64_t i = 0; i < 3000; ++i)
      dict::set(op, dict(), key(Values::integer(i % 2000)), Values::integer(i));
  });
  EXPECT_EQ(size(), 2000U);
  EXPECT_EQ(get(5), 2005);
  EXPECT_EQ(get(1500), 1500);
  expect_sound();
  mutate([&](Operation& op) {
    dict::reserve(op, dict(), 5000);
    for (int64_t i = 0; i < 5000; ++i)
      dict::set(op, dict(), key(Values::integer(10'000 + i)), Values::integer(i));
    for (int64_t i = 0; i < 1000; ++i) dict::erase(op, dict(), key(Values::integer(i)));
  });
  EXPECT_EQ(size(), 6000U);
  EXPECT_EQ(items().front(), (std::pair<int64_t, int64_t>{1000, 1000}));
  expect_sound();
}

TEST_F(Dict, IsStoredWholeFromAGraph) {
  for (const int64_t count : {1, 3, 4, 16, 2000}) {
    std::vector<Value> content;
    for (int64_t i = 0; i < count; ++i) {
      content.push_back(Values::integer(i));
      content.push_back(Values::integer(i * i));
    }
    set_root(values.dict(content));
    EXPECT_EQ(size(), static_cast<uint64_t>(count));
    EXPECT_EQ(get(count - 1), (count - 1) * (count - 1));
    expect_sound();
  }
}

TEST_F(Dict, KeepsTheLastOfEqualKeysOfAGraph) {
  set_root(values.dict({Values::integer(1), values.str(std::string(40, 'a')), Values::real(1.0),
                        values.str(std::string(40, 'b'))}));
  EXPECT_EQ(size(), 1U);
  expect_sound();
}

TEST_F(Dict, TellsKeysApartWhoseHashesAreEqual) {
  std::unordered_map<uint32_t, int64_t> seen;
  std::vector<std::pair<int64_t, int64_t>> pairs;
  for (int64_t i = 0; pairs.size() < 4; ++i) {
    const auto [place, fresh] = seen.emplace(key(Values::integer(i)).hash(), i);
    if (!fresh) pairs.emplace_back(place->second, i);
  }
  for (int64_t filler = 0; filler < 40; ++filler) {
    for (const auto& [a, b] : pairs) {
      ASSERT_TRUE(set(a, 1));
      ASSERT_TRUE(set(b, 2));
      ASSERT_EQ(get(a), 1);
      ASSERT_EQ(get(b), 2);
      ASSERT_TRUE(erase(a));
      ASSERT_EQ(get(a), -1);
      ASSERT_EQ(get(b), 2);
      ASSERT_TRUE(set(a, 3));
      ASSERT_EQ(get(b), 2);
      ASSERT_TRUE(erase(b));
      ASSERT_EQ(get(a), 3);
      ASSERT_TRUE(erase(a));
    }
    set(-1 - filler, 0);
  }
  expect_sound();
}

TEST_F(Dict, StaysSmallAsAQueue) {
  constexpr int64_t kLive = 100, kRounds = 100'000;
  for (int64_t i = 0; i < kLive; ++i) set(i, i);
  uint64_t most_blocks = 0;
  uint64_t most_used = 0;
  for (int64_t i = kLive; i < kRounds; ++i) {
    ASSERT_TRUE(set(i, i));
    ASSERT_TRUE(erase(i - kLive));
    if (i % 1000 != 0) continue;
    most_blocks = std::max(most_blocks, blocks());
    most_used = std::max(most_used, dict::used(pool(), dict()));
  }
  EXPECT_EQ(size(), static_cast<uint64_t>(kLive));
  EXPECT_EQ(items().front().first, kRounds - kLive);
  EXPECT_LT(most_used, 3U * kLive);
  EXPECT_LT(most_blocks, 60U);
  expect_sound();
}

TEST_F(Dict, PopsFromTheEndWithoutWalkingOverWhatWasPopped) {
  constexpr int64_t kCount = 20'000;
  mutate([&](Operation& op) {
    dict::reserve(op, dict(), kCount);
    for (int64_t i = 0; i < kCount; ++i)
      dict::set(op, dict(), key(Values::integer(i)), Values::integer(i));
  });
  for (int64_t i = 0; i < kCount; i += 2) erase(i);
  for (int64_t i = kCount - 1; i > 0; i -= 2) {
    ASSERT_EQ(pop_last(), i);
    ASSERT_LE(dict::used(pool(), dict()), static_cast<uint64_t>(i));
  }
  EXPECT_EQ(size(), 0U);
  EXPECT_EQ(pop_last(), -1);
  EXPECT_EQ(dict::used(pool(), dict()), 0U);
  for (int64_t i = 0; i < 50; ++i) set(i, i);  // where there was something before
  EXPECT_EQ(size(), 50U);
  EXPECT_EQ(get(49), 49);
  expect_sound();
}

TEST_F(Dict, IsUnchangedWhenThePoolIsFull) {
  open_small();
  set_root(values.dict());
  const std::string large(4000, 'v');
  int64_t count = 0;
  try {
    for (;; ++count) set(Values::integer(count), values.str(large));
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::full);
  }
  EXPECT_GT(count, 1000);
  EXPECT_EQ(size(), static_cast<uint64_t>(count));
  EXPECT_EQ(get(count), -1);
  for (int64_t i = 0; i < count; ++i) EXPECT_FALSE(get(Values::integer(i)).blank());
  expect_sound();
  EXPECT_TRUE(erase(0));
  EXPECT_TRUE(set(Values::integer(count), values.str(large)));
  mutate([&](Operation& op) { dict::clear(op, dict()); });
  EXPECT_TRUE(set(Values::integer(0), values.str(large)));
  expect_sound();
}

TEST_F(Dict, RefusesNumbersThatAreNoEntry) {
  set(1, 1);
  set(2, 2);
  set(3, 3);
  erase(2);
  error_of(ErrorKind::index, [&] { dict::key_at(pool(), dict(), 3); });
  for (const uint64_t number : {1U, 3U})
    error_of(ErrorKind::index,
             [&] { mutate([&](Operation& op) { dict::erase_entry(op, dict(), number); }); });
  uint64_t position = 1000;
  dict::Item item{};
  EXPECT_FALSE(dict::next(pool(), dict(), position, item));
  EXPECT_TRUE(dict::previous(pool(), dict(), position, item));
  EXPECT_EQ(item.value, Cell::integer(3));
}

TEST_F(Dict, FindsTheNumberOfAKey) {
  set(7, 70);
  set(8, 80);
  EXPECT_FALSE(dict::find(pool(), dict(), key(Values::integer(9))).has_value());
  const auto found = dict::find(pool(), dict(), key(Values::integer(8)));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->value, Cell::integer(80));
  mutate([&](Operation& op) { dict::erase_entry(op, dict(), found->number); });
  EXPECT_EQ(items(), (Items{{7, 70}}));
}

TEST_F(Dict, GoesOnFromAnyPositionAfterARebuild) {
  for (int64_t i = 0; i < 100; ++i) set(i, i);
  uint64_t position = 90;
  const uint64_t version = dict::body_version(pool(), dict());
  for (int64_t i = 0; i < 150; ++i) {
    erase(i < 100 ? i : 900 + i);
    set(1000 + i, 0);
  }
  EXPECT_NE(dict::body_version(pool(), dict()), version);
  dict::Item item{};
  uint64_t met = 0;
  while (dict::next(pool(), dict(), position, item)) ++met;
  EXPECT_LE(met, 100U);
}

}  // namespace
}  // namespace nvm::object::testing
