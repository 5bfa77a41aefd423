// Every change of a list, outside and inside a transaction, cut at every point.
#include <gtest/gtest.h>

#include "crash/workload.h"

namespace nvm::crash {
namespace {

Step three_items() {
  return assign_root([](Values& v) { return v.list({integer(1), text(kLong), integer(3)}); });
}

std::vector<Step> all_changes() {
  return {
      append(integer(4)),
      append(text(kLong)),
      append(integer(5)),
      append(text(kOther)),
      pop(),
      append(integer(6)),
      pop(),
      append(text("short")),
      set_at(0, integer(7)),
      set_at(0, text(kOther)),
      set_at(0, text(kLong)),
      set_at(0, integer(8)),
      insert_at(1, integer(9)),
      insert_at(0, text(kLong)),
      on_root([](Operation& op, Offset list) {
        const Value values[] = {integer(10), text(kLong), integer(11)};
        object::list::splice(op, list, 1, 3, values);
      }),
      on_root([](Operation& op, Offset list) { object::list::splice(op, list, 0, 2, {}); }),
      on_root([](Operation& op, Offset list) { object::list::erase_strided(op, list, 0, 2, 2); }),
      on_root([](Operation& op, Offset list) { object::list::reverse(op, list); }),
      on_root([](Operation& op, Offset list) {
        const Value values[] = {text(kOther), integer(12)};
        object::list::set_strided(op, list, 0, 2, values);
      }),
      on_root([](Operation& op, Offset list) { object::list::repeat(op, list, 3); }),
      on_root([](Operation& op, Offset list) { object::list::clear(op, list); }),
      append(integer(13)),
  };
}

TEST(ListCrash, EveryChangeIsThereOrNot) {
  expect_whole({"list changes", {three_items()}, all_changes()});
}

TEST(ListCrash, EveryChangeIsThereOrNotInsideATransaction) {
  std::vector<Step> steps;
  for (const Step& change : all_changes()) steps.push_back(transaction({change}));
  expect_whole({"list changes, each in a transaction", {three_items()}, steps});
}

TEST(ListCrash, ATransactionOfEveryChangeIsThereOrNot) {
  expect_whole({"list changes in one transaction", {three_items()}, {transaction(all_changes())}});
}

TEST(ListCrash, AnAbortedTransactionLeavesNothing) {
  expect_whole({"list changes aborted",
                {three_items()},
                {aborted(all_changes()), append(integer(1)), aborted({pop(), append(text(kLong))}),
                 append(integer(2))}});
}

// ---- Sequences that broke earlier drafts

TEST(ListCrash, AStaleCellUnderOneFence) {
  expect_whole({"append, pop, append",
                {three_items()},
                {append(integer(4)), pop(), append(integer(5)), aborted({append(integer(6))}),
                 append(integer(7))}});
}

TEST(ListCrash, ATornRangeIsNotCompletedByTheNextRecord) {
  expect_whole({"three appends, insert, pop, insert",
                {three_items()},
                {append(integer(4)), append(integer(5)), append(integer(6)),
                 insert_at(1, integer(7)), pop(), insert_at(1, integer(8))}});
}

TEST(ListCrash, CutTwice) {
  expect_whole_twice(
      {"three appends, insert in the middle",
       {three_items()},
       {append(integer(4)), append(integer(5)), append(integer(6)), insert_at(1, integer(7)),
        insert_at(0, text(kLong))}},
      {pop(), insert_at(1, integer(8)), append(integer(9)),
       transaction({insert_at(0, integer(1)), append(text(kOther))}), set_at(0, integer(3))});
}

TEST(ListCrash, TransactionsCutTwice) {
  const Step three =
      transaction({set_at(0, integer(1)), set_at(1, integer(2)), set_at(2, integer(3))});
  expect_whole_twice(
      {"a transaction of three changes", {three_items()}, {three, append(integer(4))}},
      {set_at(2, integer(9)), transaction({set_at(0, integer(5)), set_at(1, text(kLong))})});
}

// ---- References

TEST(ListCrash, ReferencesAreCountedWithTheirCells) {
  const auto nested = [](Values& v) { return v.list({v.list({integer(1)}), integer(2)}); };
  const Step refer_again = on_root([](Operation& op, Offset list) {
    const Cell first(object::list::get(op.pool(), list, 0));
    object::list::append(op, list, Value::object_at(first.offset()));
  });
  expect_whole({"nested lists",
                {assign_root(nested)},
                {refer_again, refer_again, set_at(0, integer(0)), pop(),
                 transaction({pop(), append(integer(3))}), assign_root(nested),
                 aborted({refer_again, set_at(0, integer(0)), pop()}), set_at(0, integer(5))}});
}

TEST(ListCrash, DeepStructuresAreFreedWhole) {
  const auto deep = [](Values& v) {
    Value inner = integer(1);
    for (int i = 0; i < 4; ++i) inner = v.list({inner, text(kLong)});
    return v.list({inner});
  };
  expect_whole({"a deep structure",
                {assign_root([](Values& v) { return v.list({}); })},
                {assign_root(deep), assign_root([](Values&) { return integer(1); })}});
}

TEST(ListCrash, ManyBlobsInOneChange) {
  const auto many = [](Values& v) {
    std::vector<Value> items;
    for (int i = 0; i < 60; ++i) items.push_back(text(kLong));
    return v.list(std::move(items));
  };
  Options options;
  options.effort.samples /= 8;
  expect_whole({"sixty blobs",
                {assign_root([](Values& v) { return v.list({}); })},
                {assign_root(many), on_root([](Operation& op, Offset list) {
                   object::list::splice(op, list, 2, 58, {});
                 }),
                 assign_root(many), assign_root([](Values& v) { return v.list({}); })}},
               options);
}

}  // namespace
}  // namespace nvm::crash
