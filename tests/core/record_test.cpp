#include "object/record/record.h"

#include <atomic>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "collect/check.h"
#include "core/pool_fixture.h"
#include "object/dict/dict.h"
#include "object/record/class_table.h"

namespace nvm::object::testing {
namespace {

class Record : public PoolTest {
 protected:
  uint64_t class_id(const std::string& name = "m:C") {
    return mutate([&](Operation& op) { return class_table::ensure(op, name); });
  }
  // A record that an item of the list at pool.root refers to.
  Offset make(uint64_t id) {
    if (root().kind() != Cell::Kind::object) set_root(values.list());
    return mutate([&](Operation& op) {
      const Offset record = record::create(op, id);
      list::append(op, root_object(), Value::object_at(record));
      return record;
    });
  }
  Offset make() { return make(class_id()); }
  void set(Offset record, const std::string& name, const Value& value) {
    store([&](Operation& op) { record::set(op, record, name, value); });
  }
  void set(Offset record, const std::string& name, int64_t value) {
    set(record, name, Values::integer(value));
  }
  bool erase(Offset record, const std::string& name) {
    return mutate([&](Operation& op) { return record::erase(op, record, name); });
  }
  int64_t get(Offset record, const std::string& name) {
    const Cell cell = record::get(pool(), record, name);
    return cell.blank() ? -1 : cell.as_integer();
  }
  std::vector<std::string> names(Offset record) {
    std::vector<std::string> result;
    for (const auto& attribute : record::attributes(pool(), record))
      result.push_back(attribute.name);
    return result;
  }
  Offset shape(Offset record) { return record::find(pool(), record, "no such name").shape; }
  // What has been read is read again.
  void forget_caches() {
    error_of(ErrorKind::value,
             [&] { mutate([](Operation&) { throw Error(ErrorKind::value, "undone"); }); });
  }
  void expect_sound() {
    pool().own(-1);
    const collect::CheckReport report = collect::check(pool());
    pool().disown();
    for (const auto& finding : report.findings)
      ADD_FAILURE() << "at " << finding.offset << ": " << finding.what;
  }
};

TEST_F(Record, HasNoAttributesAtFirst) {
  const Offset record = make();
  EXPECT_TRUE(record::get(pool(), record, "a").blank());
  EXPECT_FALSE(erase(record, "a"));
  EXPECT_TRUE(names(record).empty());
  EXPECT_EQ(record::class_id(pool(), record), 1U);
  expect_sound();
}

TEST_F(Record, KeepsItsAttributesInOrder) {
  const Offset record = make();
  set(record, "b", 1);
  set(record, "a", values.str(std::string(100, 'x')));
  set(record, "caf\xC3\xA9", 3);
  set(record, "b", 4);
  EXPECT_EQ(get(record, "b"), 4);
  EXPECT_TRUE(erase(record, "a"));
  EXPECT_FALSE(erase(record, "a"));
  EXPECT_TRUE(record::get(pool(), record, "a").blank());
  EXPECT_EQ(names(record), (std::vector<std::string>{"b", "caf\xC3\xA9"}));
  reopen();
  EXPECT_EQ(names(record), (std::vector<std::string>{"b", "caf\xC3\xA9"}));
  set(record, "a", 5);
  EXPECT_EQ(get(record, "a"), 5);
  expect_sound();
}

TEST_F(Record, SharesItsShapeWithOthersOfItsClass) {
  const Offset first = make();
  const Offset second = make();
  const Offset other = make(class_id("m:Other"));
  for (const Offset record : {first, second, other}) {
    set(record, "x", 1);
    set(record, "y", 2);
  }
  EXPECT_EQ(shape(first), shape(second));
  EXPECT_NE(shape(first), shape(other));
  const Offset third = make();
  set(third, "y", 1);
  set(third, "x", 2);
  EXPECT_NE(shape(first), shape(third));
  expect_sound();
}

TEST_F(Record, GivesLaterInstancesRoomForAllAttributes) {
  const Offset first = make();
  for (int i = 0; i < 20; ++i) set(first, "name" + std::to_string(i), i);
  const uint64_t before = blocks();
  const Offset second = make();
  for (int i = 0; i < 20; ++i) set(second, "name" + std::to_string(i), i);
  EXPECT_EQ(blocks(), before + 1);  // no overflow
  for (int i = 0; i < 20; ++i) EXPECT_EQ(get(first, "name" + std::to_string(i)), i);
  expect_sound();
}

TEST_F(Record, MovesToADictBeyondTheMostAttributes) {
  const Offset record = make();
  constexpr int kCount = 200;
  const auto name = [](int i) { return "attribute number " + std::to_string(i); };
  for (int i = 0; i < kCount; ++i) {
    if (i % 3 == 0) {
      set(record, name(i), i);
    } else {
      set(record, name(i), values.str("a text of more than a few characters"));
    }
    if (i == 50) {
      EXPECT_TRUE(erase(record, name(10)));
    }
  }
  EXPECT_EQ(names(record).size(), kCount - 1U);
  for (int i = 0; i < kCount; i += 3) EXPECT_EQ(get(record, name(i)), i);
  EXPECT_EQ(record::find(pool(), record, name(0)).slot, record::Place::kInDict);
  EXPECT_EQ(names(record).front(), name(0));
  EXPECT_EQ(names(record).back(), name(kCount - 1));
  EXPECT_TRUE(erase(record, name(0)));
  EXPECT_FALSE(erase(record, name(0)));
  expect_sound();
  reopen();
  EXPECT_EQ(names(record).size(), kCount - 2U);
  bool hit = true;
  record::get_at(pool(), record, record::find(pool(), record, name(3)), hit);
  EXPECT_FALSE(hit);
}

TEST_F(Record, MovesToADictWhenItsClassHasTooManyShapes) {
  const Offset first = make();
  set(first, "shared", 1);
  for (uint64_t i = 0; i + 1 < kMaxShapes; ++i) {
    const Offset record = make();
    set(record, "name" + std::to_string(i), 1);
  }
  const Offset one = make();
  set(one, "shared", 1);  // a shape that there is
  EXPECT_EQ(shape(one), shape(first));
  const Offset other = make();
  set(other, "new", 2);
  EXPECT_EQ(record::find(pool(), other, "new").slot, record::Place::kInDict);
  EXPECT_EQ(get(other, "new"), 2);
  set(first, "more", 3);
  EXPECT_EQ(get(first, "shared"), 1);
  EXPECT_EQ(get(first, "more"), 3);
  EXPECT_EQ(names(first), (std::vector<std::string>{"shared", "more"}));
  expect_sound();
}

TEST_F(Record, IsReadByPlace) {
  const Offset record = make();
  for (int i = 0; i < 12; ++i) set(record, "n" + std::to_string(i), i);
  const Offset same = make();
  for (int i = 0; i < 12; ++i) set(same, "n" + std::to_string(i), 100 + i);
  bool hit = false;
  for (const int i : {0, 6, 7, 11}) {  // inline and in the overflow
    const record::Place place = record::find(pool(), record, "n" + std::to_string(i));
    EXPECT_EQ(record::get_at(pool(), record, place, hit), Cell::integer(i));
    EXPECT_TRUE(hit);
    EXPECT_EQ(record::get_at(pool(), same, place, hit), Cell::integer(100 + i));
    EXPECT_TRUE(hit);
    EXPECT_TRUE(mutate(
        [&](Operation& op) { return record::set_at(op, same, place, Values::integer(200 + i)); }));
    EXPECT_EQ(get(same, "n" + std::to_string(i)), 200 + i);
  }
  const record::Place absent = record::find(pool(), record, "absent");
  EXPECT_EQ(absent.slot, record::Place::kAbsent);
  EXPECT_TRUE(record::get_at(pool(), record, absent, hit).blank());
  EXPECT_TRUE(hit);
  set(record, "absent", 1);
  record::get_at(pool(), record, absent, hit);
  EXPECT_FALSE(hit);
  EXPECT_FALSE(
      mutate([&](Operation& op) { return record::set_at(op, record, absent, Values::none()); }));
  expect_sound();
}

TEST_F(Record, ForgetsShapesThatAnAbortUndoes) {
  const Offset record = make();
  set(record, "a", 1);
  for (int round = 0; round < 3; ++round) {
    pool().begin();
    set(record, "b" + std::to_string(round), 2);
    const Offset other = make();
    set(other, "c", 3);
    EXPECT_EQ(get(other, "c"), 3);
    EXPECT_EQ(names(record), (std::vector<std::string>{"a", "b" + std::to_string(round)}));
    abort();
    EXPECT_EQ(names(record), (std::vector<std::string>{"a"}));
    // The same blocks become other shapes now.
    const Offset next = make();
    set(next, "d" + std::to_string(round), 4);
    EXPECT_EQ(names(next), (std::vector<std::string>{"d" + std::to_string(round)}));
    expect_sound();
  }
}

TEST_F(Record, GivesEveryBlockBackWhenItGoes) {
  const Offset warm = make();
  for (int i = 0; i < 140; ++i) set(warm, "n" + std::to_string(i), 1);
  set_root(values.list());
  const uint64_t before = blocks();
  for (const int count : {0, 1, 9, 40, 128, 129, 140}) {
    const Offset record = make();
    for (int i = 0; i < count; ++i)
      set(record, "n" + std::to_string(i), values.str(std::string(20, 'x')));
    set_root(values.none());
    set_root(values.list());
    EXPECT_EQ(blocks(), before) << count;
    expect_sound();
  }
}

TEST_F(Record, MatchesAModelInAndOutOfTransactions) {
  using Model = std::vector<std::map<std::string, int64_t>>;
  constexpr size_t kRecords = 6;
  std::mt19937_64 random(7);
  std::vector<Offset> records;
  for (size_t i = 0; i < kRecords; ++i) records.push_back(make());
  Model model(kRecords);
  for (int round = 0; round < 150; ++round) {
    const Model before = model;
    const auto how = random() % 3;
    if (how != 0) pool().begin();
    for (int i = 0; i < 20; ++i) {
      const size_t which = random() % kRecords;
      const std::string name = "name" + std::to_string(random() % (which == 0 ? 150 : 12));
      if (random() % 4 == 0) {
        EXPECT_EQ(erase(records[which], name), model[which].erase(name) != 0);
      } else {
        const auto value = static_cast<int64_t>(random() % 1000);
        set(records[which], name, value);
        model[which][name] = value;
      }
    }
    if (how == 1) pool().commit();
    if (how == 2) {
      abort();
      model = before;
    }
    if (round % 10 == 0) reopen();
    for (size_t which = 0; which < kRecords; ++which) {
      ASSERT_EQ(names(records[which]).size(), model[which].size());
      for (const auto& [name, value] : model[which]) ASSERT_EQ(get(records[which], name), value);
    }
  }
  expect_sound();
}

// Readers learn shapes beside one another, and beside a writer whose shapes come and go.
TEST_F(Record, IsReadWhileShapesComeAndGo) {
  constexpr size_t kRecords = 40;
  std::vector<Offset> records;
  for (size_t i = 0; i < kRecords; ++i) {
    records.push_back(make());
    set(records.back(), "first" + std::to_string(i), 1);
    set(records.back(), "value", static_cast<int64_t>(i));
  }
  reopen();
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  for (int reader = 0; reader < 2; ++reader)
    readers.emplace_back([&] {
      while (!stop) {
        for (size_t i = 0; i < kRecords; ++i)
          heap::read(pool(), [&] {
            EXPECT_EQ(record::get(pool(), records[i], "value"),
                      Cell::integer(static_cast<int64_t>(i)));
          });
      }
    });
  for (int round = 0; round < 50; ++round) {
    pool().begin();
    const Offset record = make();
    set(record, "round" + std::to_string(round), 1);
    if (round % 2 == 0) {
      pool().commit();
    } else {
      abort();
    }
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  expect_sound();
}

TEST_F(Record, TellsDamage) {
  const Offset record = make();
  set(record, "a", 1);
  auto& header = *pool().at<record::Header>(record);
  auto& shape = *pool().at<heap::Shape>(this->shape(record));
  const auto damaged = [&](uint64_t& word, uint64_t value) {
    const uint64_t whole = word;
    word = value;
    forget_caches();
    error_of(ErrorKind::corrupt, [&] {
      record::get(pool(), record, "a");
      set(record, "b", 1);
      record::attributes(pool(), record);
    });
    word = whole;
    forget_caches();
    EXPECT_EQ(get(record, "a"), 1);
  };
  damaged(header.shape, 8);
  damaged(header.shape, header.shape | uint64_t{0xFFFF} << 48);
  damaged(shape.count, 0);
  damaged(shape.count, 2);
  damaged(shape.count, 1000);
  damaged(shape.class_id, 2);
  damaged(shape.parent, 64);
  damaged(shape.name, 64);
  damaged(shape.flags, 2);
}

}  // namespace
}  // namespace nvm::object::testing
