// A collection of cycles, cut at every point: what lives is as it was, what is left of the garbage
// is sound and goes with the next collection.
#include <gtest/gtest.h>

#include "collect/check.h"
#include "collect/gc.h"
#include "crash/workload.h"

namespace nvm::crash {
namespace {

Step collect_garbage() {
  return [](Pool& pool) {
    {
      const heap::Surveying surveying(pool, "gc()");
      collect::gc(pool);
    }
    const heap::Surveying surveying(pool, "check()");
    if (collect::check(pool).cyclic_garbage != 0)
      throw Error(ErrorKind::internal, "a collection has left garbage");
  };
}

// A list that is kept, and below it cycles that a later step lets go of.
Step store_cycles(std::function<std::vector<Value>(Values&)> make) {
  return assign_root([make](Values& values) {
    return values.list({text(kLong), values.list(make(values))});
  });
}
// The cycles are lost: only their own references are left.
Step lose_cycles() { return set_at(1, integer(5)); }

void expect_whole_collection(const std::string& name,
                             std::function<std::vector<Value>(Values&)> make) {
  expect_whole({name,
                {store_cycles(std::move(make)), lose_cycles()},
                {collect_garbage(), append(integer(1)), collect_garbage()}});
}

TEST(GcCrash, ACutInACollectionOfListsLeavesTheRestForTheNext) {
  expect_whole_collection("gc of lists", [](Values& values) {
    const Value self = values.list({text(kLong)});
    self.node->items.push_back(self);
    const Value first = values.list({text(kOther)});
    const Value second = values.list({first, integer(1)});
    first.node->items.push_back(second);
    return std::vector<Value>{self, first};
  });
}

TEST(GcCrash, ACutInACollectionOfDictsLeavesTheRestForTheNext) {
  expect_whole_collection("gc of dicts", [](Values& values) {
    const Value small = values.dict();
    const Value large = values.dict();
    for (int64_t i = 0; i < 20; ++i) {
      large.node->items.push_back(integer(i));
      large.node->items.push_back(i % 9 == 0 ? text(kLong) : small);
    }
    small.node->items = {text(kOther), large};
    return std::vector<Value>{small};
  });
}

TEST(GcCrash, ACutInACollectionThroughTuplesLeavesTheRestForTheNext) {
  expect_whole_collection("gc through tuples", [](Values& values) {
    const Value list = values.list();
    const Value tuple = values.tuple({list, text(kLong)});
    list.node->items = {values.tuple({tuple, values.frozenset({integer(1), text(kOther)})})};
    return std::vector<Value>{list, tuple};
  });
}

TEST(GcCrash, ACutInACollectionOfLongListsLeavesTheRestForTheNext) {
  expect_whole_collection("gc of long lists", [](Values& values) {
    const Value list = values.list();
    for (int64_t i = 0; i < 24; ++i)
      list.node->items.push_back(i % 2 == 0 ? list : values.list({text(kLong)}));
    return std::vector<Value>{list};
  });
}

TEST(GcCrash, ACutInACollectionOfObjectsLeavesTheRestForTheNext) {
  const auto ring = [](Pool& pool) {
    heap::mutate(pool, [](Operation& op) {
      const uint64_t id = object::class_table::ensure(op, "m:C");
      const Offset first = object::record::create(op, id);
      const Offset second = object::record::create(op, id);
      object::replace(op, &op.pool().root().root, Value::object_at(first));
      object::record::set(op, first, "a", Value::object_at(second));
      object::record::set(op, second, "a", Value::object_at(first));
    });
    for (int64_t i = 0; i < 12; ++i) {  // more than one publish takes, and an overflow
      heap::mutate(pool, [i](Operation& op) {
        object::record::set(op, root_object(op.pool()), "b" + std::to_string(i),
                            i % 2 == 0 ? text(kLong) : integer(i));
      });
    }
  };
  expect_whole({"gc of objects",
                {ring, assign_root([](Values& values) { return values.list({text(kLong)}); })},
                {collect_garbage(), append(integer(1)), collect_garbage()}});
}

// Orphans: what a damaged pool holds though nothing refers to it.
TEST(GcCrash, ACutInACollectionOfOrphansLeavesTheRestForTheNext) {
  const auto lose_counts = [](Pool& pool) {
    const auto cells = object::list::cells(pool, root_object(pool));
    pool.at<heap::Counted>(Cell(cells[1]).offset())->word = 3;
    const_cast<uint64_t&>(cells[1]) = integer(1).bits;
  };
  Scenario scenario{"gc of orphans",
                    {assign_root([](Values& values) {
                       return values.list({text(kLong), values.list({text(kOther)})});
                     }),
                     lose_counts},
                    {collect_garbage(), append(integer(1)), collect_garbage()}};
  scenario.damaged = true;
  expect_whole(scenario);
}

}  // namespace
}  // namespace nvm::crash
