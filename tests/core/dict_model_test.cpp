// Random operations, in and out of transactions, against a model.
#include <atomic>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "core/dict_fixture.h"

namespace nvm::object::testing {
namespace {

// What a dict should be: keys are numbers that stand for keys of all kinds.
class Model {
 public:
  bool set(int key, int64_t value) {
    const auto found = entries_.find(key);
    if (found != entries_.end()) {
      found->second.second = value;
      return false;
    }
    order_[next_] = key;
    entries_[key] = {next_++, value};
    return true;
  }
  bool erase(int key) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) return false;
    order_.erase(found->second.first);
    entries_.erase(found);
    return true;
  }
  void clear() {
    order_.clear();
    entries_.clear();
  }
  size_t size() const { return entries_.size(); }
  int last() const { return order_.rbegin()->second; }
  int first() const { return order_.begin()->second; }
  std::vector<std::pair<int, int64_t>> items() const {
    std::vector<std::pair<int, int64_t>> result;
    for (const auto& [place, key] : order_) result.emplace_back(key, entries_.at(key).second);
    return result;
  }

 private:
  std::map<int, std::pair<uint64_t, int64_t>> entries_;
  std::map<uint64_t, int> order_;
  uint64_t next_ = 0;
};

class DictModel : public DictTest {
 protected:
  Value name(int key) {
    const std::string text = std::to_string(key);
    switch (key % 6) {
      case 0:
        return Values::integer(key);
      case 1:
        return values.str("name " + text);
      case 2:
        return values.str("a name that is longer than 19 characters " + text);
      case 3:
        return values.bytes(text);
      case 4:
        return values.tuple({Values::integer(key), values.str("element " + text)});
      default:
        return Values::real(key + 0.5);
    }
  }
  // Every fourth value is a blob, the others lie in the cell.
  Value content(int64_t value) {
    if (value % 4 != 0) return Values::integer(value);
    return Values::integer((int64_t{1} << 60) + value);
  }

  // One random change of both.
  void change(Model& model, int keys) {
    const int key = static_cast<int>(random_() % static_cast<unsigned>(keys));
    const int64_t value = static_cast<int64_t>(random_() % 1000);
    const unsigned what = static_cast<unsigned>(random_() % 1000);
    if (what < 450) {
      EXPECT_EQ(set(name(key), content(value)), model.set(key, value));
    } else if (what < 700) {
      EXPECT_EQ(erase(name(key)), model.erase(key));
    } else if (what < 998 && model.size() != 0) {
      const int end = what % 2 == 0 ? model.first() : model.last();
      EXPECT_TRUE(erase(name(end)));
      model.erase(end);
    } else if (what >= 998 && keys < 300) {
      mutate([&](Operation& op) { dict::clear(op, dict()); });
      model.clear();
    }
  }

  void expect_equal(const Model& model) {
    const auto wanted = model.items();
    ASSERT_EQ(size(), wanted.size());
    uint64_t position = 0;
    dict::Item item{};
    for (const auto& [key, value] : wanted) {
      ASSERT_TRUE(dict::next(pool(), dict(), position, item));
      ASSERT_TRUE(this->key(name(key)).equals(pool(), dict::key_at(pool(), dict(), item.number)));
      ASSERT_TRUE(equal(pool(), content(value), item.value));
      ASSERT_EQ(get(name(key)), item.value);
    }
    ASSERT_FALSE(dict::next(pool(), dict(), position, item));
  }

  // `rounds` of so many changes each, in a transaction or not, which is aborted or not.
  void run(int keys, int rounds, int changes) {
    Model model;
    for (int round = 0; round < rounds; ++round) {
      const unsigned how = static_cast<unsigned>(random_() % 4);
      const Model before = model;
      if (how >= 2) pool().begin();
      for (int i = 0; i < changes; ++i) change(model, keys);
      if (how >= 2) expect_equal(model);
      if (how == 2) pool().commit();
      if (how == 3) {
        abort();
        model = before;
      }
      if (round % 7 == 0) reopen();
      expect_equal(model);
      if (HasFatalFailure()) return;
    }
    expect_sound();
  }

  std::mt19937_64 random_{20260101};
};

TEST_F(DictModel, HoldsWhileSmall) { run(12, 300, 8); }
TEST_F(DictModel, HoldsAroundTheFirstLargeBody) { run(40, 200, 30); }
TEST_F(DictModel, HoldsWhileLarge) { run(1000, 60, 400); }
TEST_F(DictModel, HoldsAroundTheLargerDirectory) { run(4000, 12, 3000); }

TEST_F(DictModel, HoldsAfterManyAborts) {
  Model model;
  for (int i = 0; i < 50; ++i) {
    set(name(i), content(i));
    model.set(i, i);
  }
  for (int round = 0; round < 200; ++round) {
    pool().begin();
    for (int i = 0; i < 20; ++i) set(name(1000 + 20 * round + i), content(i));
    abort();
  }
  expect_equal(model);
  for (int i = 50; i < 80; ++i) {
    EXPECT_TRUE(set(name(i), content(i)));
    model.set(i, i);
  }
  expect_equal(model);
  expect_sound();
}

TEST_F(DictModel, ComesBackWhenWhatWasErasedIsOverwrittenAndAborted) {
  Model model;
  for (int i = 0; i < 30; ++i) {
    set(name(i), content(i));
    model.set(i, i);
  }
  for (int erased = 1; erased < 30; erased += 4) {
    pool().begin();
    for (int i = 29; i >= 30 - erased; --i) EXPECT_TRUE(erase(name(i)));
    for (int i = 0; i < 40; ++i) EXPECT_TRUE(set(name(100 + i), content(i)));
    abort();
    expect_equal(model);
    expect_sound();
  }
}

TEST_F(DictModel, AnOperationThatFailsChangesNothing) {
  Model model;
  for (int i = 0; i < 30; ++i) {
    set(name(i), content(i));
    model.set(i, i);
  }
  for (const bool transaction : {false, true}) {
    if (transaction) pool().begin();
    error_of(ErrorKind::value, [&] {
      store([&](Operation& op) {
        for (int i = 29; i >= 20; --i) dict::erase(op, dict(), key(name(i)));
        for (int i = 0; i < 30; ++i) dict::set(op, dict(), key(name(200 + i)), content(i));
        for (int i = 0; i < 10; ++i) dict::erase(op, dict(), key(name(i)));
        throw Error(ErrorKind::value, "on purpose");
      });
    });
    expect_equal(model);
    if (transaction) pool().commit();
  }
  expect_equal(model);
  expect_sound();
}

// Readers beside a writer see each change whole.
TEST_F(DictModel, IsReadWhileItChanges) {
  constexpr int64_t kKeys = 64;
  for (int64_t i = 0; i < kKeys; ++i) set(i, 0);
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  for (int reader = 0; reader < 2; ++reader)
    readers.emplace_back([&] {
      while (!stop) {
        heap::read(pool(), [&] {
          dict::Item item{};
          for (uint64_t position = 0; dict::next(pool(), dict(), position, item);)
            EXPECT_EQ(item.value.kind(), Cell::Kind::integer);
          EXPECT_EQ(dict::size(pool(), dict()), static_cast<uint64_t>(kKeys));
        });
      }
    });
  for (int64_t i = 0; i < 300; ++i) {
    set(i, i);
    mutate([&](Operation& op) {
      dict::erase(op, dict(), key(Values::integer(i)));
      dict::set(op, dict(), key(Values::integer(i + kKeys)), Values::integer(i));
    });
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  expect_sound();
}

}  // namespace
}  // namespace nvm::object::testing
