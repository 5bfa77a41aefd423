#include "object/store.h"

#include <limits>
#include <string>
#include <vector>

#include "collect/check.h"
#include "object/dict/dict.h"
#include "pool_fixture.h"

namespace nvm::object::testing {
namespace {

class StoreTest : public PoolTest {
 protected:
  Cell item(Offset list, uint64_t index) { return list::get(pool(), list, index); }
  Cell lookup(Offset dict, const Value& key) { return dict::get(pool(), dict, Key(pool(), key)); }
  void expect_sound() {
    pool().own(-1);
    const collect::CheckReport report = collect::check(pool());
    pool().disown();
    for (const collect::Finding& finding : report.findings)
      ADD_FAILURE() << finding.what << " at " << finding.offset;
  }
};

TEST_F(StoreTest, ANewPoolHasARootAndARootDict) {
  EXPECT_EQ(root(), Cell::none());
  const Cell root_dict(pool().root().root_dict);
  ASSERT_EQ(root_dict.kind(), Cell::Kind::object);
  EXPECT_EQ(dict::size(pool(), root_dict.offset()), 0U);
  EXPECT_EQ(count(root_dict.offset()), 1U);
  expect_sound();
}

TEST_F(StoreTest, SharedPartsStayShared) {
  const Value shared = values.list({Values::integer(7)});
  const Value tuple = values.tuple({shared});
  set_root(values.list({shared, tuple, values.dict({values.str("key"), shared}), tuple}));
  const Offset list = item(root_object(), 0).offset();
  EXPECT_EQ(count(list), 3U);
  EXPECT_EQ(item(root_object(), 1), item(root_object(), 3));
  EXPECT_EQ(Cell(tuple::cells(pool(), item(root_object(), 1).offset())[0]), Cell::object(list));
  EXPECT_EQ(lookup(item(root_object(), 2).offset(), values.str("key")), Cell::object(list));
  expect_sound();
}

TEST_F(StoreTest, CyclesAreStored) {
  const Value list = values.list();
  const Value tuple = values.tuple({list});
  const Value dict = values.dict({values.str("up"), list});
  list.node->items = {tuple, dict, list};
  set_root(list);
  const Offset stored = root_object();
  EXPECT_EQ(count(stored), 4U);
  EXPECT_EQ(item(stored, 2), Cell::object(stored));
  EXPECT_EQ(Cell(tuple::cells(pool(), item(stored, 0).offset())[0]), Cell::object(stored));
  EXPECT_EQ(lookup(item(stored, 1).offset(), values.str("up")), Cell::object(stored));
  expect_sound();
}

TEST_F(StoreTest, ATupleThatContainsItselfThroughAListIsStored) {
  const Value list = values.list();
  const Value tuple = values.tuple({list});
  list.node->items = {tuple};
  set_root(tuple);
  const Cell inner(tuple::cells(pool(), root_object())[0]);
  EXPECT_EQ(item(inner.offset(), 0), root());
  expect_sound();
}

TEST_F(StoreTest, KeysOfEveryKindAreFoundAgain) {
  const auto keys = [&] {
    const Value text = values.str(std::string(100, 'k'));
    return std::vector<Value>{values.str("a"),
                              text,
                              values.bytes("a"),
                              values.bytes(std::string(50, 'b')),
                              Values::integer(5),
                              values.big(std::string(20, '\x01')),
                              Values::real(0.5),
                              Values::none(),
                              values.tuple({text, Values::integer(1)}),
                              values.tuple({values.tuple()}),
                              values.frozenset({text, values.tuple({Values::none()})})};
  };
  std::vector<Value> items;
  for (const Value& key : keys()) {
    items.push_back(key);
    items.push_back(Values::integer(static_cast<int64_t>(items.size())));
  }
  set_root(values.dict(items));
  reopen();
  ASSERT_EQ(dict::size(pool(), root_object()), keys().size());
  int64_t expected = 1;
  for (const Value& key : keys()) {
    EXPECT_EQ(lookup(root_object(), key), Cell::integer(expected));
    expected += 2;
  }
  expect_sound();
}

// To Python two NaNs are two keys; here equal bits are one.
TEST_F(StoreTest, OfEqualKeysTheLastValueStays) {
  const Value nan = Values::real(std::numeric_limits<double>::quiet_NaN());
  set_root(values.dict({nan, values.list(), nan, values.str("the value that stays")}));
  EXPECT_EQ(dict::size(pool(), root_object()), 1U);
  EXPECT_EQ(lookup(root_object(), nan).kind(), Cell::Kind::blob);
  expect_sound();
}

TEST_F(StoreTest, UnhashableKeysChangeNothing) {
  const uint64_t before = blocks();
  for (const Value& value : {values.dict({values.list(), Values::none()}),
                             values.list({values.frozenset({values.tuple({values.dict()})})})})
    error_of(ErrorKind::type, [&] { set_root(value); });
  EXPECT_EQ(root(), Cell::none());
  EXPECT_EQ(blocks(), before);
}

TEST_F(StoreTest, WhatASlotHeldIsFreedWithIt) {
  const uint64_t before = blocks();
  const auto sample = [&] {
    return values.list({values.str("a longer text"),
                        values.dict({values.str("key"), values.list()}),
                        values.tuple({values.frozenset({Values::integer(1)})})});
  };
  set_root(sample());
  const uint64_t full = blocks();
  EXPECT_GT(full, before + 6);
  set_root(sample());
  EXPECT_LE(blocks(), full + 1);  // a limbo segment
  set_root(Values::none());
  EXPECT_LE(blocks(), before + 1);
  expect_sound();
}

TEST_F(StoreTest, APinnedObjectOutlivesItsLastReference) {
  set_root(values.list({Values::integer(5)}));
  const Offset list = root_object();
  heap::Handle* const handle = pool().handles().pin(list);
  set_root(Values::none());
  EXPECT_EQ(list::size(pool(), list), 1U);
  set_root(Value::object_at(list));  // and may be referred to again
  pool().handles().unpin(handle);
  EXPECT_EQ(list::size(pool(), root_object()), 1U);
  EXPECT_EQ(count(root_object()), 1U);
  expect_sound();
}

TEST_F(StoreTest, AnAbortTakesBackWhatWasStored) {
  set_root(values.list({values.str("a longer text")}));
  const Cell before = root();
  const uint64_t used = blocks();
  pool().begin();
  set_root(values.dict({values.str("key"), values.list()}));
  abort();
  EXPECT_EQ(root(), before);
  EXPECT_LE(blocks(), used + 2);  // a limbo segment, a payload of the undo log
  expect_sound();
}

TEST_F(StoreTest, DeepNestingIsStoredAndFreedWithoutRecursion) {
  constexpr int kDepth = 100'000;
  const uint64_t before = blocks();
  Value value = Values::integer(0);
  for (int i = 0; i < kDepth; ++i) {
    switch (i % 4) {
      case 0:
        value = values.list({value});
        break;
      case 1:
        value = values.tuple({Values::integer(i), value});
        break;
      case 2:
        value = values.dict({Values::integer(1), value});
        break;
      default:
        value = values.list({value, Values::none()});
    }
  }
  set_root(value);
  EXPECT_GT(blocks(), before + kDepth);
  expect_sound();
  set_root(Values::none());
  EXPECT_LE(blocks(), before + 2);
  expect_sound();
}

TEST_F(StoreTest, AWideGraphIsStoredAtOnceOrNotAtAll) {
  std::vector<Value> items;
  for (int i = 0; i < 20'000; ++i)
    items.push_back(values.list({values.str("text number " + std::to_string(i))}));
  const Value graph = values.list(items);
  set_root(graph);
  EXPECT_EQ(list::size(pool(), root_object()), 20'000U);
  expect_sound();
  set_root(Values::none());
  expect_sound();

  open_small();
  const uint64_t before = blocks();
  for (int i = 20'000; i < 200'000; ++i)
    graph.node->items.push_back(values.list({values.str("text number " + std::to_string(i))}));
  error_of(ErrorKind::full, [&] { set_root(graph); });
  EXPECT_EQ(root(), Cell::none());
  EXPECT_LE(blocks(), before + 2);
  set_root(values.list({values.str("there is room again")}));
  expect_sound();
}

TEST_F(StoreTest, CopiesOwnABlobOfTheirOwn) {
  set_root(values.str("a longer text"));
  const Cell copy = mutate([&](Operation& op) {
    const Cell cell = copy_cell(op, root());
    op.free(cell.offset());  // nothing refers to it
    return cell;
  });
  EXPECT_NE(copy, root());
  EXPECT_EQ(copy.kind(), Cell::Kind::blob);
  expect_sound();
}

}  // namespace
}  // namespace nvm::object::testing
