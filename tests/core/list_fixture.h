// A persistent list beside its model.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "collect/check.h"
#include "object/key/compare.h"
#include "object/key/term.h"
#include "object/list/list.h"
#include "object/list/list_body.h"
#include "pool_fixture.h"

namespace nvm::object::testing {

using Model = std::vector<Value>;

// A list in pool.root, and a vector that every change is made to as well.
class ListTest : public PoolTest {
 protected:
  void SetUp() override {
    PoolTest::SetUp();
    make_list();
  }
  void make_list() {
    set_root(values.list());
    list_ = root_object();
    model_.clear();
  }

  // A value of any kind of ownership: plain, a blob, or a reference to one of two lists.
  Value value(uint64_t number) {
    switch (number % 4) {
      case 0:
        return Values::integer(static_cast<int64_t>(number));
      case 1:
        return values.str("text number " + std::to_string(number));
      case 2:
        return Value::of(Cell::real(static_cast<double>(number) / 2));
      default:
        return Value::object_at(shared(number / 4 % 2));
    }
  }
  Model some(uint64_t begin, uint64_t count) {
    Model result;
    for (uint64_t i = begin; i < begin + count; ++i) result.push_back(value(i));
    return result;
  }
  // A list that is kept alive by a pin, however often the tested list refers to it.
  Offset shared(size_t which) {
    while (shared_.size() <= which) {
      mutate([&](Operation& op) {
        const Offset list = list::create(op);
        pool().handles().pin(list);
        shared_.push_back(list);
      });
    }
    return shared_[which];
  }

  void append(const Value& value) {
    mutate([&](Operation& op) { list::append(op, list_, value); });
    model_.push_back(value);
  }
  void fill(uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) append(value(i));
  }
  void splice(uint64_t begin, uint64_t end, const Model& with) {
    mutate([&](Operation& op) { list::splice(op, list_, begin, end, with); });
    model_.erase(model_.begin() + static_cast<ptrdiff_t>(begin),
                 model_.begin() + static_cast<ptrdiff_t>(end));
    model_.insert(model_.begin() + static_cast<ptrdiff_t>(begin), with.begin(), with.end());
  }

  bool same(const Value& value, Cell cell) {
    if (value.kind == Value::Kind::object) return cell == Cell::object(value.offset);
    return compare(pool(), Term::of(pool(), value), Term::of(pool(), cell)) == 0;
  }
  void expect_as_model() {
    const auto cells = list::cells(pool(), list_);
    ASSERT_EQ(cells.size(), model_.size());
    for (size_t i = 0; i < cells.size(); ++i)
      ASSERT_TRUE(same(model_[i], Cell(cells[i]))) << "element " << i;
  }
  void expect_counts_right() {
    for (const Offset object : shared_) {
      const auto references = std::count_if(model_.begin(), model_.end(), [&](const Value& value) {
        return value.kind == Value::Kind::object && value.offset == object;
      });
      ASSERT_EQ(count(object), static_cast<uint64_t>(references));
    }
  }
  void expect_sound() {
    expect_as_model();
    expect_counts_right();
    pool().own(-1);
    const collect::CheckReport report = collect::check(pool());
    pool().disown();
    for (const collect::Finding& finding : report.findings)
      ADD_FAILURE() << finding.what << " at " << finding.offset;
  }
  uint64_t capacity() { return list::contents(pool(), list_).capacity; }

  Offset list_ = 0;
  Model model_;
  std::vector<Offset> shared_;
};

}  // namespace nvm::object::testing
