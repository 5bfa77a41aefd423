// Opening, recovery, limbo and the undo log itself, cut at every point.
#include <gtest/gtest.h>

#include "crash/workload.h"
#include "heap/undo/tx_state.h"

namespace nvm::crash {
namespace {

Step list_of(int count) {
  return assign_root([count](Values& v) {
    std::vector<Value> items;
    for (int i = 0; i < count; ++i) items.push_back(integer(i));
    return v.list(std::move(items));
  });
}

TEST(PoolCrash, OpeningIsHarmless) {
  Options options;
  options.cut_opening = true;
  expect_whole({"opening", {list_of(3)}, {append(integer(1))}}, options);
}

// A pool that was left in the middle of a transaction, cut again while it recovers.
class Interrupted : public ::testing::Test {
 protected:
  // Runs `steps` in a transaction that never ends, and lets every cut of the recovery be judged.
  static void expect_recovery(const std::string& name, const std::vector<Step>& prepare,
                              const std::vector<Step>& steps) {
    const auto leave_open = [steps](Pool& pool) {
      pool.begin();
      for (const Step& step : steps) step(pool);
    };
    Options options;
    options.cut_opening = true;
    expect_whole_after(name, prepare, leave_open, options);
  }

  static void expect_whole_after(const std::string& name, const std::vector<Step>& prepare,
                                 const Step& interrupted, const Options& options) {
    Scenario scenario{name, prepare, {append(integer(77)), pop()}};
    scenario.interrupted = interrupted;
    expect_whole(scenario, options);
  }
};

TEST_F(Interrupted, RecoveryOfWordsIsIdempotent) {
  expect_recovery("recovery of words", {list_of(3)},
                  {set_at(0, integer(9)), set_at(1, integer(9)), append(integer(4)), pop(), pop()});
}

TEST_F(Interrupted, RecoveryOfRangesAndBlocksIsIdempotent) {
  expect_recovery("recovery of ranges and blocks", {list_of(5)},
                  {insert_at(1, text(kLong)), insert_at(0, text(kOther)), set_at(1, integer(4)),
                   on_root([](Operation& op, Offset list) { object::list::reverse(op, list); })});
}

TEST_F(Interrupted, RecoveryOfPublishedBatchesIsIdempotent) {
  std::vector<Step> steps;
  for (int i = 0; i < 80; ++i) steps.push_back(append(text(kLong)));
  Options options;
  expect_recovery("recovery of early publishes", {list_of(2)}, steps);
}

TEST(PoolCrash, LargeCommitsGoThroughTheirFrees) {
  const auto many = [](Values& v) {
    std::vector<Value> items;
    for (int i = 0; i < 90; ++i) items.push_back(text(kLong));
    return v.list(std::move(items));
  };
  std::vector<Step> drop;
  for (int i = 0; i < 90; ++i) drop.push_back(set_at(static_cast<uint64_t>(i), integer(i)));
  expect_whole({"ninety frees in one transaction",
                {assign_root(many)},
                {transaction(drop), append(integer(1))}});
}

TEST(PoolCrash, GenerationsWrap) {
  const auto near_wrap = [](Pool& pool) {
    pool.root().tx.state = heap::tx_state((uint64_t{1} << 20) - 2, heap::Phase::idle);
  };
  std::vector<Step> steps;
  for (int i = 0; i < 4; ++i)
    steps.push_back(transaction({set_at(0, integer(10 + i)), set_at(1, integer(20 + i))}));
  expect_whole({"generations wrap", {list_of(3), near_wrap}, steps});
}

TEST(PoolCrash, AnOverwriteAfterATornTransactionStays) {
  const Step three =
      transaction({set_at(0, integer(1)), set_at(1, integer(2)), set_at(2, integer(3))});
  const Step two = transaction({set_at(0, integer(4)), set_at(1, integer(5))});
  expect_whole({"a transaction of three, an overwrite, one of two",
                {list_of(3)},
                {three, set_at(2, integer(9)), two}});
}

TEST(PoolCrash, ASavepointInsideATransaction) {
  const Step failing = [](Pool& pool) {
    try {
      heap::mutate(pool, [](Operation& op) {
        object::list::insert(op, root_object(op.pool()), 0, integer(5));
        throw Error(ErrorKind::value, "on purpose");
      });
    } catch (const Error&) {
    }
  };
  expect_whole({"an operation that fails inside a transaction",
                {list_of(4)},
                {transaction({insert_at(1, integer(8)), failing, insert_at(2, integer(9))}),
                 aborted({insert_at(1, integer(8)), failing, failing}), append(integer(1))}});
}

// ---- Objects that nothing refers to

TEST(PoolCrash, AnObjectThatOnlyAProxyHolds) {
  const Step made_and_dropped = [](Pool& pool) {
    heap::Handle* handle = nullptr;
    heap::mutate(pool, [&](Operation& op) {
      if (handle != nullptr) op.pool().handles().unpin(handle);
      handle = op.pool().handles().pin(object::list::create(op));
    });
    pool.handles().unpin(handle);
    append(integer(1))(pool);
  };
  const Step made_and_kept = [](Pool& pool) {
    heap::Handle* handle = nullptr;
    const Offset made = heap::mutate(pool, [&](Operation& op) {
      if (handle != nullptr) op.pool().handles().unpin(handle);
      const Offset list = object::list::create(op);
      handle = op.pool().handles().pin(list);
      return list;
    });
    append(Value::object_at(made))(pool);
    pool.handles().unpin(handle);
  };
  expect_whole({"new objects",
                {list_of(1)},
                {transaction({made_and_dropped}), transaction({made_and_kept}), pop(),
                 aborted({made_and_kept}), append(integer(3))}});
}

}  // namespace
}  // namespace nvm::crash
