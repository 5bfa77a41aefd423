// A repair, cut at every point: what can be read is as it was, and the next repair does the rest.
#include <gtest/gtest.h>

#include <algorithm>

#include "collect/repair.h"
#include "crash/workload.h"
#include "object/dict/dict_table.h"

namespace nvm::crash {
namespace {

Step repair() {
  return [](Pool& pool) {
    const heap::Surveying surveying(pool, "check()");
    collect::CheckReport report = collect::check(pool);
    collect::repair(pool, report);
    if (!collect::check(pool).findings.empty())
      throw Error(ErrorKind::internal, "a repair has left something");
  };
}

// pool.root is a list, whose items are spoilt.
void expect_whole_repair(const std::string& name, std::function<std::vector<Value>(Values&)> make,
                         Step spoil) {
  Scenario scenario{
      name,
      {assign_root([make](Values& values) { return values.list(make(values)); }), std::move(spoil)},
      {repair(), append(integer(1)), repair()}};
  scenario.damaged = true;
  expect_whole(scenario);
}

uint64_t& item(Pool& pool, uint64_t index) {
  return const_cast<uint64_t&>(object::list::cells(pool, root_object(pool))[index]);
}
uint64_t& count_of_item(Pool& pool, uint64_t index) {
  return pool.at<heap::Counted>(Cell(item(pool, index)).offset())->word;
}
object::dict::Table dict_at(Pool& pool, uint64_t index) {
  const Offset dict = Cell(item(pool, index)).offset();
  return {pool, object::dict::settled(pool, dict)};
}
Value numbers(Values& values) {
  const Value dict = values.dict();
  for (int64_t i = 0; i < 20; ++i) {
    dict.node->items.push_back(integer(i));
    dict.node->items.push_back(integer(i));
  }
  return dict;
}

TEST(RepairCrash, ACutInARepairOfCountsLeavesTheRestForTheNext) {
  expect_whole_repair(
      "repair of counts",
      [](Values& values) {
        const Value shared = values.list({text(kLong)});
        return std::vector<Value>{shared, values.list({shared, text(kOther)}), values.list()};
      },
      [](Pool& pool) {
        count_of_item(pool, 0) = 1;       // too low
        count_of_item(pool, 2) = 9;       // too high
        item(pool, 1) = integer(5).bits;  // lost, with a reference to the first
      });
}

TEST(RepairCrash, ACutInARepairOfLeaksLeavesTheRestForTheNext) {
  expect_whole_repair(
      "repair of leaks",
      [](Values& values) {
        return std::vector<Value>{text(kLong), text(std::string(5000, 'z')),
                                  values.list({text(kOther), values.list()})};
      },
      [](Pool& pool) {
        count_of_item(pool, 2) = 0;
        for (uint64_t index = 0; index < 3; ++index) item(pool, index) = integer(5).bits;
      });
}

TEST(RepairCrash, ACutInARepairOfAnIndexLeavesTheOldOneOrTheNewOne) {
  expect_whole_repair(
      "repair of an index",
      [](Values& values) {
        return std::vector<Value>{numbers(values), numbers(values)};
      },
      [](Pool& pool) {
        for (uint64_t index = 0; index < 2; ++index) {
          const object::dict::Table table = dict_at(pool, index);
          std::fill_n(table.slots().begin, table.slots().count, uint64_t{0});
        }
      });
}

TEST(RepairCrash, ACutInARepairOfLimboLeavesTheRestForTheNext) {
  expect_whole_repair(
      "repair of limbo",
      [](Values& values) { return std::vector<Value>{values.list({text(kLong)})}; },
      [](Pool& pool) {
        auto* const segment = pool.at<heap::LimboSegment>(pool.root().limbo);
        segment->slots[5] = segment->slots[7] = Cell(item(pool, 0)).offset();
        segment->slots[9] = 8;
      });
}

}  // namespace
}  // namespace nvm::crash
