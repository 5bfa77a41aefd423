// Every change of a set, outside and inside a transaction, cut at every point.
#include <gtest/gtest.h>

#include "crash/workload.h"
#include "object/set/set.h"

namespace nvm::crash {
namespace {

Value element(int i) { return text("element number " + std::to_string(i)); }

Step set_of(int elements) {
  return assign_root([elements](Values& v) {
    std::vector<Value> items;
    for (int i = 0; i < elements; ++i) items.push_back(element(i));
    return v.set(std::move(items));
  });
}
Step add(Value value) {
  return on_root(
      [=](Operation& op, Offset set) { object::set::add(op, set, object::Key(op.pool(), value)); });
}
Step discard(Value value) {
  return on_root([=](Operation& op, Offset set) {
    object::set::discard(op, set, object::Key(op.pool(), value));
  });
}
Step pop() {
  return on_root([](Operation& op, Offset set) { object::set::pop(op, set); });
}
Step clear() {
  return on_root([](Operation& op, Offset set) { object::set::clear(op, set); });
}
template <class Change>
Step bulk(Change change, std::vector<Value> values) {
  return on_root([=](Operation& op, Offset set) {
    std::vector<object::Key> keys;
    for (const Value& value : values) keys.emplace_back(op.pool(), value);
    change(op, set, keys);
  });
}

std::vector<Step> all_changes() {
  return {
      add(element(100)),  // an inline element
      add(text(kLong)),   // an owned one
      add(integer(5)),    // one that is a cell
      add(element(100)),  // is there
      discard(element(0)),
      discard(element(100)),
      pop(),
      add(text(kOther)),
      discard(text(kLong)),
      bulk(object::set::update, {element(1), integer(6), text(kLong), element(101)}),
      bulk(object::set::difference_update, {element(1), text(kLong), integer(9)}),
      bulk(object::set::symmetric_difference_update, {element(1), element(101), integer(6)}),
      bulk(object::set::intersection_update, {element(1), text(kOther), integer(5), element(3)}),
      clear(),
      bulk(object::set::update, {integer(7), text(kLong)}),
      bulk(object::set::intersection_update, {}),
      add(element(102)),
  };
}

TEST(SetCrash, EveryChangeIsThereOrNot) {
  expect_whole({"changes of a small set", {set_of(2)}, all_changes()});
}

TEST(SetCrash, EveryChangeOfALargeOneIsThereOrNot) {
  expect_whole({"changes of a set with an index", {set_of(20)}, all_changes()});
}

TEST(SetCrash, EveryChangeIsThereOrNotInsideATransaction) {
  std::vector<Step> steps;
  for (const Step& change : all_changes()) steps.push_back(transaction({change}));
  expect_whole({"set changes, each in a transaction", {set_of(20)}, steps});
}

TEST(SetCrash, ATransactionOfEveryChangeIsThereOrNot) {
  expect_whole({"set changes in one transaction", {set_of(20)}, {transaction(all_changes())}});
}

TEST(SetCrash, AnAbortedTransactionLeavesNothing) {
  expect_whole({"set changes aborted",
                {set_of(20)},
                {aborted(all_changes()), add(element(100)),
                 aborted({bulk(object::set::symmetric_difference_update,
                               {element(3), element(4), element(200)})}),
                 bulk(object::set::difference_update, {element(19), element(100), element(2)}),
                 add(element(201))}});
}

TEST(SetCrash, StoringNestedSetsIsThereOrNot) {
  const Step nested = assign_root([](Values& v) {
    const Value inner = v.set({integer(1), text(kLong), v.tuple({integer(2), text(kOther)})});
    return v.list({inner, v.set(), inner});
  });
  expect_whole({"sets in a list", {set_of(3)}, {nested, set_of(20), nested}});
}

}  // namespace
}  // namespace nvm::crash
