// Tuples and frozensets, assigned ones and those with an identity, cut at every point.
#include <gtest/gtest.h>

#include "crash/workload.h"
#include "object/tuple/tuple.h"

namespace nvm::crash {
namespace {

using heap::Type;

Value tuple_of(Values& v, Type type, int64_t first) {
  return v.node(type, {integer(first), text(kLong), v.list({integer(2), text(kOther)})});
}
Value frozenset_of(Values& v, Type type, int64_t first) {
  return v.node(type, {integer(first), text(kLong), v.tuple({integer(3), text(kOther)}),
                       v.frozenset({integer(4)})});
}

// pool.root[index] = a value made anew each time
template <class Make>
Step set_made(uint64_t index, Make make) {
  return [=](Pool& pool) {
    Values values;
    const Value value = make(values);
    heap::mutate(pool, [&](Operation& op) {
      object::forget(values.graph);
      object::list::set(op, root_object(op.pool()), index, value);
    });
  };
}
Step set_tuple(uint64_t index, Type type, int64_t first) {
  return set_made(index, [=](Values& v) { return tuple_of(v, type, first); });
}
Step set_frozenset(uint64_t index, Type type, int64_t first) {
  return set_made(index, [=](Values& v) { return frozenset_of(v, type, first); });
}

// pool.new() of one that nothing refers to: it is on the limbo list, and goes at the next opening.
Step make_unreferenced(Type type) {
  return [=](Pool& pool) {
    Values values;
    const Value value =
        type == Type::persistent_tuple ? tuple_of(values, type, 1) : frozenset_of(values, type, 1);
    heap::mutate(pool, [&](Operation& op) {
      object::forget(values.graph);
      op.drop(object::make_cell(op, value).offset());
    });
  };
}

// pool.root[to] = pool.root[from]: two references to one object.
Step share(uint64_t from, uint64_t to) {
  return on_root([=](Operation& op, Offset list) {
    const Cell cell(object::list::cells(op.pool(), list)[from]);
    object::list::set(op, list, to, Value::object_at(cell.offset()));
  });
}

Step a_list() {
  return assign_root([](Values& v) { return v.list({integer(1), integer(2), integer(3)}); });
}

std::vector<Step> changes(Type tuple, Type frozenset) {
  return {
      set_tuple(0, tuple, 1), set_frozenset(1, frozenset, 2), share(0, 2),
      set_at(0, integer(5)),  set_tuple(2, tuple, 6),         set_at(1, text(kLong)),
  };
}
std::vector<Step> assigned() { return changes(Type::tuple, Type::frozenset); }
std::vector<Step> with_identity() {
  std::vector<Step> steps = changes(Type::persistent_tuple, Type::persistent_frozenset);
  steps.push_back(make_unreferenced(Type::persistent_tuple));
  steps.push_back(make_unreferenced(Type::persistent_frozenset));
  return steps;
}

// Each step stores or frees several blocks, whose cuts are much alike.
void hold(const Scenario& scenario) {
  Options options;
  options.effort.samples /= 16;
  expect_whole(scenario, options);
}

TEST(TupleCrash, AssignedOnesAreThereOrNot) {
  hold({"tuples and frozensets", {a_list()}, assigned()});
}

TEST(TupleCrash, PersistentOnesAreThereOrNot) {
  hold({"persistent tuples and frozensets", {a_list()}, with_identity()});
}

TEST(TupleCrash, TheyAreThereOrNotInsideATransaction) {
  hold({"tuples in a transaction", {a_list()}, {transaction(assigned())}});
  hold({"persistent tuples in a transaction", {a_list()}, {transaction(with_identity())}});
}

TEST(TupleCrash, AnAbortedTransactionLeavesNone) {
  const Step kept = set_tuple(1, Type::persistent_tuple, 1);
  hold({"tuples aborted", {a_list(), kept}, {aborted(assigned()), share(1, 0)}});
  hold({"persistent tuples aborted", {a_list(), kept}, {aborted(with_identity()), share(1, 0)}});
}

TEST(TupleCrash, AsKeysTheyAreThereOrNot) {
  const auto put_made = [](auto make) -> Step {
    return [=](Pool& pool) {
      Values values;
      const Value key = make(values);
      heap::mutate(pool, [&](Operation& op) {
        object::forget(values.graph);
        object::dict::set(op, root_object(op.pool()), object::Key(op.pool(), key), integer(1));
      });
    };
  };
  const auto key = [](Values& v) {
    return v.node(Type::persistent_tuple, {integer(1), text(kLong)});
  };
  const auto equal_key = [](Values& v) { return v.tuple({integer(1), text(kLong)}); };
  const auto set_key = [](Values& v) {
    return v.node(Type::persistent_frozenset, {integer(1), text(kLong)});
  };
  const Step a_dict = assign_root([](Values& v) { return v.dict({integer(1), integer(2)}); });
  const Step forget_all =
      on_root([](Operation& op, Offset dict) { object::dict::clear(op, dict); });
  const std::vector<Step> steps{put_made(key), put_made(equal_key), put_made(set_key), forget_all};
  hold({"tuples as keys", {a_dict}, steps});
  hold({"tuples as keys in a transaction", {a_dict}, {transaction(steps)}});
  hold({"tuples as keys aborted", {a_dict}, {aborted(steps), put_made(set_key)}});
}

}  // namespace
}  // namespace nvm::crash
