// Every change of a record and of the class table, cut at every point.
#include <gtest/gtest.h>

#include "crash/workload.h"

namespace nvm::crash {
namespace {

Step make_instance(const std::string& name) {
  return [name](Pool& pool) {
    heap::mutate(pool, [&](Operation& op) {
      const uint64_t id = object::class_table::ensure(op, name);
      const Offset record = object::record::create(op, id);
      object::replace(op, &op.pool().root().root, Value::object_at(record));
    });
  };
}
Step attribute(const std::string& name, Value value) {
  return on_root(
      [=](Operation& op, Offset record) { object::record::set(op, record, name, value); });
}
Step remove(const std::string& name) {
  return on_root([=](Operation& op, Offset record) { object::record::erase(op, record, name); });
}

std::vector<Step> all_changes() {
  return {
      attribute("a", integer(1)),   attribute("b", text(kLong)),
      attribute("c", integer(3)),   attribute("a", integer(4)),
      attribute("a", text(kOther)), attribute("a", text(kLong)),
      attribute("a", integer(5)),   remove("c"),
      attribute("c", integer(6)),   remove("b"),
      attribute("d", integer(7)),   attribute("e", integer(8)),
      attribute("f", text(kLong)),  attribute("g", integer(10)),
      attribute("h", integer(11)),  attribute("i", integer(12)),
      attribute("j", integer(13)),  attribute("k", text(kOther)),
  };
}

TEST(RecordCrash, EveryChangeIsThereOrNot) {
  expect_whole({"record changes", {make_instance("m:C")}, all_changes()});
}

TEST(RecordCrash, EveryChangeIsThereOrNotInsideATransaction) {
  std::vector<Step> steps;
  for (const Step& change : all_changes()) steps.push_back(transaction({change}));
  expect_whole({"record changes, each in a transaction", {make_instance("m:C")}, steps});
}

TEST(RecordCrash, AnAbortedTransactionLeavesNothing) {
  expect_whole({"record changes aborted",
                {make_instance("m:C"), attribute("a", text(kLong))},
                {aborted(all_changes()), attribute("x", integer(1)), aborted(all_changes()),
                 attribute("a", integer(2))}});
}

TEST(RecordCrash, NewClassesAndInstancesAreThereOrNot) {
  std::vector<Step> steps;
  for (int i = 0; i < 10; ++i) steps.push_back(make_instance("m:C" + std::to_string(i % 7)));
  expect_whole({"classes and instances", {}, steps});
}

}  // namespace
}  // namespace nvm::crash
