#include "object/list/list.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "list_fixture.h"

namespace nvm::object::testing {
namespace {

TEST_F(ListTest, AppendedValuesAreThereAfterReopening) {
  fill(1000);
  expect_sound();
  EXPECT_EQ(list::size(pool(), list_), 1000U);
  reopen();
  shared_.clear();  // the pins went with the pool; the list still refers to them
  expect_as_model();
}

TEST_F(ListTest, AppendingTakesFewBodies) {
  uint64_t bodies = 0, known = 0;
  for (int i = 0; i < 100'000; ++i) {
    append(Values::integer(i));
    if (capacity() != known) ++bodies;
    known = capacity();
  }
  EXPECT_LT(bodies, 40U);
  EXPECT_LT(capacity(), 140'000U);
}

TEST_F(ListTest, SetReplacesAndReleases) {
  fill(20);
  for (uint64_t i = 0; i < 20; ++i) {
    model_[i] = value(i + 101);
    mutate([&](Operation& op) { list::set(op, list_, i, model_[i]); });
  }
  expect_sound();
}

TEST_F(ListTest, AnElementMayBeSetToItself) {
  append(value(3));
  const Offset object = list::get(pool(), list_, 0).offset();
  mutate([&](Operation& op) { list::set(op, list_, 0, Value::object_at(object)); });
  EXPECT_EQ(count(object), 1U);
  expect_sound();
}

TEST_F(ListTest, InsertShiftsWhatIsBehind) {
  fill(10);
  for (const uint64_t place : {0, 5, 12, 11}) {
    const Value added = value(50 + place);
    mutate([&](Operation& op) { list::insert(op, list_, place, added); });
    model_.insert(model_.begin() + static_cast<ptrdiff_t>(place), added);
    expect_as_model();
  }
  expect_sound();
}

TEST_F(ListTest, PopReleasesTheLast) {
  fill(10);
  while (!model_.empty()) {
    mutate([&](Operation& op) { list::pop(op, list_); });
    model_.pop_back();
    expect_sound();
  }
  error_of(ErrorKind::index, [&] { mutate([&](Operation& op) { list::pop(op, list_); }); });
}

TEST_F(ListTest, WhatWasPoppedMakesRoomForOthers) {
  fill(10);
  for (int i = 0; i < 3; ++i) {
    mutate([&](Operation& op) { list::pop(op, list_); });
    model_.pop_back();
  }
  for (uint64_t i = 0; i < 5; ++i) append(value(70 + i));
  expect_sound();
  reopen();
  shared_.clear();
  expect_as_model();
}

TEST_F(ListTest, AShrinkingListGivesRoomBack) {
  fill(2000);
  const uint64_t full = capacity();
  while (model_.size() > 100) {
    mutate([&](Operation& op) { list::pop(op, list_); });
    model_.pop_back();
  }
  EXPECT_LT(capacity(), full / 4);
  expect_sound();
}

TEST_F(ListTest, EverySpliceOfAShortList) {
  for (uint64_t size = 0; size <= 4; ++size)
    for (uint64_t begin = 0; begin <= size; ++begin)
      for (uint64_t end = begin; end <= size; ++end)
        for (uint64_t added = 0; added <= 5; ++added) {
          splice(0, model_.size(), some(0, size));
          splice(begin, end, some(10, added));
          expect_as_model();
        }
  expect_sound();
}

TEST_F(ListTest, WrongIndexesChangeNothing) {
  fill(5);
  const auto refused = [&](const std::function<void(Operation&)>& change) {
    error_of(ErrorKind::index, [&] { mutate(change); });
  };
  const Model two = some(20, 2);
  error_of(ErrorKind::index, [&] { list::get(pool(), list_, 5); });
  refused([&](Operation& op) { list::set(op, list_, 5, two[0]); });
  refused([&](Operation& op) { list::insert(op, list_, 6, two[0]); });
  refused([&](Operation& op) { list::splice(op, list_, 4, 6, two); });
  refused([&](Operation& op) { list::splice(op, list_, 3, 2, two); });
  refused([&](Operation& op) { list::set_strided(op, list_, 3, 2, two); });
  refused([&](Operation& op) { list::set_strided(op, list_, 1, -2, two); });
  refused([&](Operation& op) { list::set_strided(op, list_, 1, 0, two); });
  refused([&](Operation& op) { list::erase_strided(op, list_, 5, 1, 1); });
  refused([&](Operation& op) { list::erase_strided(op, list_, 1, INT64_MAX, 3); });
  refused([&](Operation& op) { list::erase_strided(op, list_, 1, INT64_MIN, 2); });
  expect_sound();
}

TEST_F(ListTest, StridedChangesOfEveryKind) {
  for (const int64_t step : {1, 2, 3, -1, -2, -3})
    for (uint64_t count = 0; count <= 7; ++count)
      for (const bool erase : {false, true}) {
        splice(0, model_.size(), some(0, 22));
        const uint64_t begin = step > 0 ? 1 : 20;
        const Model with = some(30, count);
        mutate([&](Operation& op) {
          if (erase)
            list::erase_strided(op, list_, begin, step, count);
          else
            list::set_strided(op, list_, begin, step, with);
        });
        std::vector<uint64_t> places;
        for (uint64_t k = 0; k < count; ++k)
          places.push_back(begin + static_cast<uint64_t>(static_cast<int64_t>(k) * step));
        if (!erase)
          for (uint64_t k = 0; k < count; ++k) model_[places[k]] = with[k];
        std::sort(places.begin(), places.end(), std::greater<>());
        if (erase)
          for (const uint64_t place : places)
            model_.erase(model_.begin() + static_cast<ptrdiff_t>(place));
        expect_as_model();
      }
  expect_sound();
}

TEST_F(ListTest, ReverseAndPermute) {
  fill(33);
  mutate([&](Operation& op) { list::reverse(op, list_); });
  std::reverse(model_.begin(), model_.end());
  expect_sound();
  std::vector<uint64_t> order(33);
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), std::mt19937(7));
  mutate([&](Operation& op) { list::permute(op, list_, order); });
  Model permuted;
  for (const uint64_t place : order) permuted.push_back(model_[place]);
  model_ = permuted;
  expect_sound();
  order[3] = order[4];
  error_of(ErrorKind::value,
           [&] { mutate([&](Operation& op) { list::permute(op, list_, order); }); });
  order.pop_back();
  error_of(ErrorKind::value,
           [&] { mutate([&](Operation& op) { list::permute(op, list_, order); }); });
  expect_sound();
}

TEST_F(ListTest, RepeatCopiesBlobsAndCountsReferences) {
  fill(9);
  mutate([&](Operation& op) { list::repeat(op, list_, 1); });
  mutate([&](Operation& op) { list::repeat(op, list_, 4); });
  const Model once = model_;
  for (int i = 0; i < 3; ++i) model_.insert(model_.end(), once.begin(), once.end());
  expect_sound();
  error_of(ErrorKind::value,
           [&] { mutate([&](Operation& op) { list::repeat(op, list_, UINT64_MAX); }); });
  expect_sound();
  mutate([&](Operation& op) { list::repeat(op, list_, 0); });
  model_.clear();
  expect_sound();
}

TEST_F(ListTest, RepeatOftenAndInATransaction) {
  append(value(1));
  append(Values::integer(2));
  pool().begin();
  mutate([&](Operation& op) { list::pop(op, list_); });
  mutate([&](Operation& op) { list::repeat(op, list_, 3); });
  abort();
  expect_sound();
  mutate([&](Operation& op) { list::pop(op, list_); });
  model_.pop_back();
  mutate([&](Operation& op) { list::repeat(op, list_, 20'000); });
  model_.resize(20'000, value(1));
  expect_sound();
}

TEST_F(ListTest, ClearOfAShortAndOfALongList) {
  const uint64_t before = blocks();
  for (const uint64_t length : {uint64_t{0}, uint64_t{5}, uint64_t{5000}}) {
    splice(0, 0, some(0, length));
    mutate([&](Operation& op) { list::clear(op, list_); });
    model_.clear();
    expect_sound();
  }
  EXPECT_LE(blocks(), before + shared_.size() + 1);  // a limbo segment
  append(value(1));
  expect_sound();
}

TEST_F(ListTest, OneOperationMayAppendOften) {
  for (const bool in_transaction : {false, true}) {
    if (in_transaction) pool().begin();
    if (in_transaction) mutate([&](Operation& op) { list::pop(op, list_); });
    if (in_transaction) model_.pop_back();
    const Model added = some(0, 100);
    mutate([&](Operation& op) {
      for (const Value& value : added) list::append(op, list_, value);
    });
    model_.insert(model_.end(), added.begin(), added.end());
    if (in_transaction) pool().commit();
    expect_sound();
  }
}

TEST_F(ListTest, ABlankLastCellIsDroppedAtFirstTouch) {
  append(Values::integer(1));
  // What a cut leaves of an append whose size arrived and whose cell did not.
  auto* const header = pool().at<list::Header>(list_);
  ASSERT_EQ(pool().at<list::Body>(header->body)->cells[1], 0U);
  header->size = 2;
  header->session = 0;
  EXPECT_EQ(list::size(pool(), list_), 1U);
  EXPECT_EQ(header->session, pool().session());
  expect_sound();
}

TEST_F(ListTest, DamageIsReportedNotFollowed) {
  fill(10);
  auto* const header = pool().at<list::Header>(list_);
  auto* const body = pool().at<list::Body>(header->body);
  const auto damaged = [&](uint64_t& word, uint64_t value) {
    const uint64_t sound = std::exchange(word, value);
    error_of(ErrorKind::corrupt, [&] { list::cells(pool(), list_); });
    error_of(ErrorKind::corrupt, [&] { list::get(pool(), list_, 0); });
    word = sound;
  };
  damaged(header->size, body->capacity + 1);
  damaged(header->body, 0);
  damaged(header->body, header->body + 4);
  damaged(header->body, heap::kMaxOffset);
  damaged(body->capacity, pool().file().size() / 8);
  damaged(body->capacity, uint64_t{1} << 61);
  error_of(ErrorKind::corrupt, [&] { list::size(pool(), header->body); });
  error_of(ErrorKind::corrupt, [&] { list::size(pool(), 0); });
  expect_sound();
}

}  // namespace
}  // namespace nvm::object::testing
