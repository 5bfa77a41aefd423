// Any sequence of changes of a list gives what the same changes of a vector give.
#include <algorithm>
#include <functional>
#include <random>
#include <string>
#include <utility>

#include "list_fixture.h"

namespace nvm::object::testing {
namespace {

class RandomChanges {
 public:
  RandomChanges(uint64_t seed, std::function<void(uint64_t)> change)
      : random_(seed), change_(std::move(change)) {}
  void run(int steps) {
    for (int i = 0; i < steps; ++i) change_(random_());
  }

 private:
  std::mt19937_64 random_;
  std::function<void(uint64_t)> change_;
};

class RandomList : public ListTest {
 protected:
  void change(uint64_t dice) {
    const uint64_t size = model_.size();
    const uint64_t begin = (dice >> 8) % (size + 1);
    const uint64_t end = begin + (dice >> 24) % (size - begin + 1);
    const Value one = value(dice >> 40);
    switch (dice % 10) {
      case 0:
        if (size == 0) break;
        mutate([&](Operation& op) { list::pop(op, list_); });
        model_.pop_back();
        break;
      case 1:
        if (begin == size) break;
        mutate([&](Operation& op) { list::set(op, list_, begin, one); });
        model_[begin] = one;
        break;
      case 2:
        mutate([&](Operation& op) { list::insert(op, list_, begin, one); });
        model_.insert(model_.begin() + static_cast<ptrdiff_t>(begin), one);
        break;
      case 3:
        splice(begin, std::min(end, begin + 6), {});
        break;
      case 4:
        splice(begin, std::min(end, begin + 4), some(dice >> 32, (dice >> 4) % 6));
        break;
      case 5:
        mutate([&](Operation& op) { list::reverse(op, list_); });
        std::reverse(model_.begin(), model_.end());
        break;
      case 6:
        if ((dice >> 4) % 16 == 0) splice(0, size, {});
        break;
      default:
        append(one);
    }
  }
};

TEST_F(RandomList, IsAsItsModel) {
  RandomChanges changes(11, [&](uint64_t dice) { change(dice); });
  for (int round = 0; round < 40; ++round) {
    changes.run(50);
    expect_sound();
  }
}

TEST_F(RandomList, IsAsItsModelAfterEachReopening) {
  RandomChanges changes(12, [&](uint64_t dice) { change(dice); });
  for (int round = 0; round < 20; ++round) {
    shared(1);
    changes.run(30);
    expect_sound();
    splice(0, model_.size(), {Values::integer(1)});
    reopen();
    shared_.clear();
  }
}

TEST_F(RandomList, IsAsBeforeAfterAnAbort) {
  RandomChanges changes(13, [&](uint64_t dice) { change(dice); });
  shared(1);
  for (int round = 0; round < 60; ++round) {
    changes.run(10);
    const Model before = model_;
    pool().begin();
    changes.run(15);
    expect_as_model();
    abort();
    model_ = before;
    expect_sound();
    pool().begin();
    changes.run(10);
    pool().commit();
    expect_sound();
  }
}

class FullPool : public ListTest {
 protected:
  void SetUp() override {
    ListTest::SetUp();
    open_small();
    make_list();
  }
};

TEST_F(FullPool, LeavesTheListAsItWas) {
  const std::string text(10'000, 'x');
  const std::string message = error_of(ErrorKind::full, [&] {
    for (;;) append(values.str(text));
  });
  EXPECT_NE(message.find("full"), std::string::npos);
  expect_sound();
  const Model many(3000, values.str(text));
  error_of(ErrorKind::full, [&] { splice(1, 2, many); });
  expect_sound();
  // Removing makes room.
  mutate([&](Operation& op) { list::pop(op, list_); });
  model_.pop_back();
  append(values.str(text));
  expect_sound();
  splice(0, model_.size(), {});
  expect_sound();
}

}  // namespace
}  // namespace nvm::object::testing
