// Cycles are found and freed, and nothing else is; damage stops a collection before it begins.
#include "collect/gc.h"

#include <map>
#include <string>

#include "collect/check.h"
#include "core/pool_fixture.h"
#include "object/dict/dict.h"
#include "object/record/class_table.h"
#include "object/record/record.h"

namespace nvm::object::testing {
namespace {

using collect::GcReport;

class Gc : public PoolTest {
 protected:
  GcReport collect(const collect::Progress& progress = {}, bool list_garbage = false) {
    const heap::Surveying surveying(pool(), "gc()");
    return collect::gc(pool(), {}, progress, list_garbage);
  }
  collect::CheckReport check() {
    const heap::Surveying surveying(pool(), "check()");
    return collect::check(pool());
  }
  void expect_sound() {
    for (const collect::Finding& finding : check().findings) ADD_FAILURE() << finding.what;
  }
  // Collects, and says how many objects went.
  uint64_t collected() {
    const GcReport report = collect();
    expect_sound();
    EXPECT_EQ(check().cyclic_garbage, 0U);
    EXPECT_EQ(report.orphans_uncounted, 0U);
    EXPECT_EQ(report.orphans_miscounted, 0U);
    return report.collections;
  }

  // A ring of containers, each the next one's first item or value; gives its first.
  Value ring(Type type, uint64_t length, const Value& ballast = Values::none()) {
    std::vector<Value> nodes;
    for (uint64_t i = 0; i < length; ++i) nodes.push_back(values.node(type));
    for (uint64_t i = 0; i < length; ++i) {
      std::vector<Value>& items = nodes[i].node->items;
      if (type == Type::dict) items.push_back(values.str("the next one"));
      items.push_back(nodes[(i + 1) % length]);
      if (type == Type::dict) items.push_back(Values::integer(0));
      items.push_back(ballast);
    }
    return nodes.front();
  }
  // The value is stored and let go.
  void lose(const Value& value) {
    set_root(value);
    set_root(Values::none());
  }
  Offset make_record(Operation& op, const std::string& class_name) {
    return record::create(op, class_table::ensure(op, class_name));
  }
};

TEST_F(Gc, OfASoundPoolFreesNothing) {
  set_root(
      values.list({values.dict({Values::integer(1), values.list()}), values.str("long text")}));
  const uint64_t before = blocks();
  const GcReport report = collect();
  EXPECT_EQ(report.collections, 0U);
  EXPECT_EQ(report.containers_total, 4U);  // the pool's own dict is one
  EXPECT_EQ(report.containers_live, 4U);
  EXPECT_EQ(report.other_total, 1U);
  EXPECT_EQ(report.other_live, 1U);
  const std::map<std::string, uint64_t> types{{"dict", 2}, {"list", 2}, {"str", 1}};
  EXPECT_EQ(report.types, types);
  EXPECT_EQ(blocks(), before);
  expect_sound();
}

TEST_F(Gc, FreesAListThatHoldsItself) {
  const uint64_t before = blocks();
  lose(ring(Type::list, 1));
  EXPECT_GT(blocks(), before);
  EXPECT_EQ(collected(), 1U);
  EXPECT_EQ(blocks(), before);
  EXPECT_EQ(collected(), 0U);
}

TEST_F(Gc, FreesRingsOfAnyLength) {
  const uint64_t before = blocks();
  for (const uint64_t length : {2, 3, 1000, 20'000}) {
    for (const Type type : {Type::list, Type::dict}) {
      lose(ring(type, length, values.str("a text in a block of its own")));
      EXPECT_EQ(collected(), length);
      EXPECT_EQ(blocks(), before);
    }
  }
}

TEST_F(Gc, FreesCyclesThroughTuplesAndFrozensets) {
  const Value list = values.list();
  const Value tuple = values.tuple({Values::integer(1), list});
  const Value deep = values.tuple({tuple, values.frozenset({Values::integer(2)})});
  list.node->items = {deep, deep};
  lose(list);
  EXPECT_EQ(collected(), 4U);
}

TEST_F(Gc, FreesObjectsThatReferToOneAnother) {
  mutate([&](Operation& op) {
    const Offset first = make_record(op, "m:First");
    const Offset second = make_record(op, "m:Second");
    record::set(op, first, "other", Value::object_at(second));
    record::set(op, first, "text", values.str("a text in a block of its own"));
    record::set(op, second, "other", Value::object_at(first));
  });
  const GcReport report = collect({}, true);
  EXPECT_EQ(report.collections, 2U);
  ASSERT_EQ(report.met.size(), 2U);
  EXPECT_EQ(report.met[0].type, "m:First");
  EXPECT_EQ(report.met[1].type, "m:Second");
  EXPECT_EQ(report.other_total, 1U);
  EXPECT_EQ(report.other_live, 0U);
  expect_sound();
  EXPECT_EQ(check().objects, 1U);
}

TEST_F(Gc, FreesObjectsWithManyAttributes) {
  for (const int attributes : {40, 128, 200}) {  // the last ones lie in a dict
    Offset record = 0;
    mutate([&](Operation& op) {
      record = make_record(op, "m:Many");
      op.refer(record);
    });
    for (int i = 0; i < attributes; ++i) {
      mutate([&](Operation& op) {
        record::set(op, record, "a" + std::to_string(i), Value::object_at(record));
      });
    }
    mutate([&](Operation& op) { op.drop(record); });
    EXPECT_EQ(collected(), attributes > 128 ? 2U : 1U);
  }
}

TEST_F(Gc, FreesLargeContainersInSteps) {
  const Value list = values.list();
  const Value dict = values.dict();
  for (int i = 0; i < 3000; ++i) {
    list.node->items.push_back(i % 2 == 0 ? dict : values.str("number " + std::to_string(i)));
    dict.node->items.push_back(Values::integer(i));
    dict.node->items.push_back(i % 2 == 0 ? list : values.str("number " + std::to_string(i)));
  }
  lose(list);
  EXPECT_EQ(collected(), 2U);
  EXPECT_EQ(check().objects, 1U);
}

TEST_F(Gc, KeepsWhatGarbageRefersTo) {
  const Value live = values.list({values.str("a text in a block of its own")});
  const Value lost = ring(Type::list, 3, live);
  set_root(values.list({live, lost}));
  const Offset kept = Cell(list::get(pool(), root_object(), 0)).offset();
  mutate([&](Operation& op) { list::pop(op, root_object()); });
  EXPECT_EQ(count(kept), 4U);
  EXPECT_EQ(collected(), 3U);
  EXPECT_EQ(count(kept), 1U);
  EXPECT_EQ(list::size(pool(), kept), 1U);
}

TEST_F(Gc, KeepsWhatAHandleHolds) {
  set_root(ring(Type::list, 3));
  const Offset held = list::get(pool(), root_object(), 0).offset();
  heap::Handle* const handle = pool().handles().pin(held);
  set_root(Values::none());
  EXPECT_EQ(collected(), 0U);
  EXPECT_EQ(list::size(pool(), held), 2U);
  pool().handles().unpin(handle);
  EXPECT_EQ(collected(), 3U);
}

TEST_F(Gc, KeepsWhatAnObjectOnLimboRefersTo) {
  set_root(values.list({ring(Type::dict, 2)}));
  heap::Handle* const handle = pool().handles().pin(root_object());
  set_root(Values::none());
  EXPECT_EQ(collected(), 0U);
  EXPECT_EQ(list::size(pool(), handle->offset()), 1U);
  pool().handles().unpin(handle);
  EXPECT_EQ(collected(), 2U);  // the list has gone by itself
}

TEST_F(Gc, WorksInAFullPool) {
  open_small();
  lose(ring(Type::list, 3));
  lose(ring(Type::dict, 40, values.str("a text in a block of its own")));
  set_root(values.list());
  for (uint64_t bytes = 1 << 20; bytes > 8; bytes /= 2) {
    error_of(ErrorKind::full, [&] {
      for (;;) {
        const Value text = values.bytes(std::string(bytes, 'x'));
        mutate([&](Operation& op) { list::append(op, root_object(), text); });
      }
    });
  }
  EXPECT_EQ(collected(), 43U);
}

TEST_F(Gc, StopsWhereProgressThrowsAndGoesOnNextTime) {
  lose(ring(Type::list, 30'000));
  struct Stop {};
  uint64_t calls = 0;
  const auto stop = [&](uint64_t done, uint64_t total) {
    EXPECT_LE(done, total);
    if (++calls == 2) throw Stop{};
  };
  EXPECT_THROW(collect(stop), Stop);
  expect_sound();
  lose(ring(Type::dict, 3));
  collect();
  expect_sound();
  EXPECT_EQ(check().objects, 1U);
}

TEST_F(Gc, TellsItsProgressFromBeginningToEnd) {
  lose(ring(Type::list, 1000));
  std::vector<std::pair<uint64_t, uint64_t>> calls;
  collect([&](uint64_t done, uint64_t total) { calls.emplace_back(done, total); });
  ASSERT_GE(calls.size(), 2U);
  EXPECT_EQ(calls.front().first, 0U);
  EXPECT_EQ(calls.back().first, calls.back().second);
  EXPECT_EQ(calls.back().second, 1001U);
}

TEST_F(Gc, LetsNothingChangeMeanwhile) {
  lose(ring(Type::list, 3));
  collect([&](uint64_t, uint64_t) {
    error_of(ErrorKind::transaction, [&] { set_root(Values::integer(1)); });
    error_of(ErrorKind::transaction, [&] { pool().begin(); });
    error_of(ErrorKind::transaction, [&] { pool().close(); });
    error_of(ErrorKind::transaction, [&] { collect(); });
    EXPECT_EQ(root(), Cell::none());  // can be read
  });
  set_root(Values::integer(1));
  EXPECT_EQ(check().objects, 1U);
}

TEST_F(Gc, IsRefusedInsideATransaction) {
  pool().begin();
  error_of(ErrorKind::transaction, [&] { collect(); });
  pool().commit();
  pool().begin_reading();
  error_of(ErrorKind::transaction, [&] { collect(); });
  pool().end_reading();
}

TEST_F(Gc, FreesOrphans) {
  set_root(values.list({values.list({Values::integer(1)}), values.dict(), values.tuple()}));
  const auto item = [&](uint64_t i) { return list::get(pool(), root_object(), i).offset(); };
  const Offset uncounted = item(0);
  const Offset miscounted = item(1);
  pool().at<heap::Counted>(uncounted)->word = 0;
  pool().at<heap::Counted>(miscounted)->word = 7;
  // The list forgets all three, without letting go.
  pool().at<list::Header>(root_object())->size = 0;
  const GcReport report = collect();
  EXPECT_EQ(report.orphans_uncounted, 1U);
  EXPECT_EQ(report.orphans_miscounted, 2U);
  EXPECT_EQ(report.collections, 0U);
  expect_sound();
  EXPECT_EQ(check().objects, 2U);
}

TEST_F(Gc, PutsCountsRightThatAreTooLow) {
  const Value shared = values.list();
  lose(ring(Type::list, 3, shared));
  const auto first_of = [&](Type type, uint64_t size) {
    heap::HeapWalk walk(pool().file().base(), pool().file().size());
    heap::Block block;
    while (walk.next(block))
      if (block.type == static_cast<uint64_t>(type) && list::size(pool(), block.offset) == size)
        return block.offset;
    return heap::Offset{0};
  };
  pool().at<heap::Counted>(first_of(Type::list, 0))->word = 1;
  const GcReport report = collect();
  EXPECT_EQ(report.orphans_miscounted, 1U);
  EXPECT_EQ(report.collections, 3U);
  expect_sound();
  EXPECT_EQ(check().objects, 1U);
}

TEST_F(Gc, LeavesADamagedPoolAlone) {
  lose(ring(Type::list, 3));
  set_root(values.list({values.list({Values::integer(1)})}));
  const Offset damaged = list::get(pool(), root_object(), 0).offset();
  const uint64_t before = blocks();
  uint64_t& body = pool().at<list::Header>(damaged)->body;
  const uint64_t right = body;
  body = 8;
  error_of(ErrorKind::corrupt, [&] { collect(); });
  body = right;
  uint64_t& cell = *const_cast<uint64_t*>(list::cells(pool(), damaged).data());
  const uint64_t was = cell;
  for (const uint64_t bad :
       {uint64_t{0}, uint64_t{9}, Cell::object(8).bits(), Cell::blob(uint64_t{1} << 47).bits()}) {
    cell = bad;
    error_of(ErrorKind::corrupt, [&] { collect(); });
  }
  cell = was;
  EXPECT_EQ(blocks(), before);
  EXPECT_EQ(collected(), 3U);
}

TEST_F(Gc, LeavesAPoolWithObjectsOfAnUnknownTypeAlone) {
  lose(ring(Type::list, 3));
  Offset unknown = 0;
  mutate([&](Operation& op) {
    unknown = op.allocate_object(static_cast<Type>(200), 64);
    op.refer(unknown);
  });
  EXPECT_NE(error_of(ErrorKind::corrupt, [&] { collect(); }).find("unknown type"),
            std::string::npos);
}

}  // namespace
}  // namespace nvm::object::testing
