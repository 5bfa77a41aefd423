// Every change of a dict, outside and inside a transaction, cut at every point.
#include <gtest/gtest.h>

#include "crash/workload.h"

namespace nvm::crash {
namespace {

Step dict_of(uint64_t entries) {
  return assign_root([entries](Values& v) {
    std::vector<Value> items;
    for (uint64_t i = 0; i < entries; ++i) {
      items.push_back(text("key number " + std::to_string(i)));
      items.push_back(integer(static_cast<int64_t>(i)));
    }
    return v.dict(std::move(items));
  });
}
Step clear() {
  return on_root([](Operation& op, Offset dict) { object::dict::clear(op, dict); });
}
Value key(int i) { return text("key number " + std::to_string(i)); }

std::vector<Step> all_changes() {
  return {
      put(key(100), integer(1)),       // an inline key and value
      put(key(101), text(kLong)),      // an owned value
      put(text(kLong), integer(2)),    // an owned key
      put(text(kOther), text(kLong)),  // both
      put(integer(5), integer(3)),     // a key that is a cell
      put(key(100), integer(4)),       // overwrite: plain by plain,
      put(key(100), text(kOther)),     // plain by owned,
      put(key(100), text(kLong)),      // owned by owned,
      put(key(100), integer(5)),       // owned by plain
      erase(key(100)),
      put(key(102), integer(6)),
      erase(key(101)),
      erase(text(kOther)),
      put(key(100), integer(7)),
      erase(integer(5)),
      clear(),
      put(key(103), integer(8)),
  };
}

TEST(DictCrash, EveryChangeIsThereOrNot) {
  expect_whole({"changes of a small dict", {dict_of(2)}, all_changes()});
}

TEST(DictCrash, EveryChangeOfALargeOneIsThereOrNot) {
  expect_whole({"changes of a dict with an index", {dict_of(20)}, all_changes()});
}

TEST(DictCrash, EveryChangeIsThereOrNotInsideATransaction) {
  std::vector<Step> steps;
  for (const Step& change : all_changes()) steps.push_back(transaction({change}));
  expect_whole({"dict changes, each in a transaction", {dict_of(20)}, steps});
}

TEST(DictCrash, ATransactionOfEveryChangeIsThereOrNot) {
  expect_whole({"dict changes in one transaction", {dict_of(20)}, {transaction(all_changes())}});
}

TEST(DictCrash, AnAbortedTransactionLeavesNothing) {
  expect_whole({"dict changes aborted",
                {dict_of(20)},
                {aborted(all_changes()), put(key(100), integer(1)), aborted({erase(key(3))}),
                 erase(key(4)), put(key(3), integer(2))}});
}

TEST(DictCrash, GrowthIsThereOrNot) {
  std::vector<Step> steps;
  for (int i = 0; i < 40; ++i) steps.push_back(put(key(i), integer(i)));
  expect_whole({"a dict that grows from nothing", {dict_of(0)}, steps});
}

TEST(DictCrash, RebuildingIsThereOrNot) {
  std::vector<Step> steps;
  for (int i = 0; i < 20; ++i) steps.push_back(erase(key(i)));
  for (int i = 0; i < 4; ++i) steps.push_back(put(key(50 + i), integer(i)));
  expect_whole({"a dict that is emptied and filled", {dict_of(20)}, steps});
}

// ---- Sequences that broke earlier drafts

TEST(DictCrash, SlotAndUsedUnderDifferentFences) {
  expect_whole({"insert, insert",
                {dict_of(20)},
                {put(key(100), integer(1)), put(key(101), integer(2)), put(key(102), integer(3))}});
  expect_whole({"insert by one thread, insert by another",
                {dict_of(20)},
                {in_another_thread(put(key(100), integer(1))), put(key(101), integer(2)),
                 in_another_thread(put(key(102), integer(3)))}});
}

TEST(DictCrash, CutTwice) {
  expect_whole_twice(
      {"a transaction cut in its abort",
       {dict_of(20)},
       {aborted({put(key(100), integer(1)), put(key(101), text(kLong))}), put(key(102), integer(3)),
        erase(key(3))}},
      {put(key(101), integer(4)), put(key(100), text(kOther)), erase(key(100)),
       aborted({erase(key(5)), put(key(104), integer(1))}), put(key(105), integer(5))});
}

TEST(DictCrash, StaleSlotsOfAnAbortedInsertAreNotFound) {
  expect_whole({"an insert aborted, then inserts",
                {dict_of(20)},
                {aborted({put(key(100), integer(1))}), put(key(101), integer(2)),
                 put(key(100), integer(3)), put(key(102), integer(4))}});
}

TEST(DictCrash, AStaleMarkDoesNotBringAnAbortedKeyBack) {
  expect_whole({"an insert aborted, an insert of another key",
                {dict_of(20)},
                {aborted({put(key(100), text(kLong))}), put(key(200), integer(2)),
                 aborted({put(key(100), integer(1)), put(key(101), integer(1))}),
                 put(text(kLong), integer(3))}});
}

TEST(DictCrash, ARebuildInsideAnAbortedTransaction) {
  std::vector<Step> changes;
  for (int i = 0; i < 15; ++i) changes.push_back(erase(key(i)));
  for (int i = 0; i < 10; ++i) changes.push_back(put(key(50 + i), integer(i)));
  expect_whole({"insert; delete, insert, rebuild aborted",
                {dict_of(20)},
                {put(key(100), integer(1)), aborted(changes), put(key(101), integer(2)),
                 erase(key(19)), put(key(102), integer(3))}});
}

TEST(DictCrash, DeletingTheLastAndInsertingAgain) {
  expect_whole(
      {"insert, delete it, insert",
       {dict_of(20)},
       {put(key(100), integer(1)), erase(key(100)), put(key(101), integer(2)), erase(key(101)),
        erase(key(19)), put(key(102), text(kLong)), erase(key(102)), put(key(103), integer(3))}});
}

TEST(DictCrash, KeysThatAreObjects) {
  const auto tuple_key = [](Step& step, int number) {
    step = [number](Pool& pool) {
      Values values;
      const Value key = values.tuple({integer(number), text(kLong)});
      heap::mutate(pool, [&](Operation& op) {
        object::forget(values.graph);
        object::dict::set(op, root_object(op.pool()), object::Key(op.pool(), key), integer(1));
      });
    };
  };
  const auto erase_tuple = [](int number) {
    return Step([number](Pool& pool) {
      Values values;
      const Value key = values.tuple({integer(number), text(kLong)});
      heap::mutate(pool, [&](Operation& op) {
        object::dict::erase(op, root_object(op.pool()), object::Key(op.pool(), key));
      });
    });
  };
  std::vector<Step> steps(3);
  tuple_key(steps[0], 1);
  tuple_key(steps[1], 2);
  tuple_key(steps[2], 1);
  steps.push_back(erase_tuple(1));
  steps.push_back(erase_tuple(2));
  expect_whole({"tuples as keys", {dict_of(3)}, steps});
}

}  // namespace
}  // namespace nvm::crash
