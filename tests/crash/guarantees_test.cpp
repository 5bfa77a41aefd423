// Holds the flushes, fences and publishes of each operation to docs/guarantees.md: the tables there
// that follow a line `<!-- counts: ... -->` are read, and each row's operation is run and counted.
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "core/pool_fixture.h"
#include "object/bytearray/bytearray.h"
#include "object/dict/dict.h"
#include "object/key/key.h"
#include "object/list/list.h"
#include "object/raw/raw.h"
#include "object/record/class_table.h"
#include "object/record/record.h"
#include "object/set/set.h"
#include "pmem/store.h"

namespace nvm::object::testing {
namespace {

struct Counts {
  uint64_t flushes = 0;
  uint64_t fences = 0;
  uint64_t publishes = 0;
  bool operator==(const Counts&) const = default;
};

std::ostream& operator<<(std::ostream& stream, const Counts& counts) {
  return stream << counts.flushes << " flushes, " << counts.fences << " fences, "
                << counts.publishes << " publishes";
}

// ---- The page

std::vector<std::string> columns_of(const std::string& line) {
  std::vector<std::string> columns;
  std::stringstream stream(line);
  for (std::string column; std::getline(stream, column, '|');) {
    const size_t begin = column.find_first_not_of(' ');
    if (begin == std::string::npos) continue;
    columns.push_back(column.substr(begin, column.find_last_not_of(' ') - begin + 1));
  }
  return columns;
}

// Operation -> what the page says of it, for the tables of one name.
std::map<std::string, Counts> counts_of_page(const std::string& table) {
  std::ifstream stream(NVM_DOCS "/guarantees.md");
  std::map<std::string, Counts> counts;
  bool inside = false;
  for (std::string line; std::getline(stream, line);) {
    if (line.rfind("<!-- counts: ", 0) == 0) inside = line == "<!-- counts: " + table + " -->";
    if (line.empty()) inside = false;
    const std::vector<std::string> columns = columns_of(line);
    if (!inside || columns.size() < 4 || columns.back().find_first_not_of("0123456789") == 0)
      continue;
    const auto number = [&](size_t from_end) {
      return std::stoull(columns[columns.size() - from_end]);
    };
    counts[columns[0]] = {number(3), number(2), number(1)};
  }
  return counts;
}

// ---- The code

// A backend that keeps nothing but counts as one that has to flush.
class Silent final : public backend::Backend {
 public:
  backend::Kind kind() const noexcept override { return backend::Kind::dax; }
  void flush(const void*, size_t) noexcept override {}
  void drain() noexcept override {}
};

class Counter final : public pmem::Observer {
 public:
  void stored(const void*, size_t) noexcept override {}
  bool may_flush(const pmem::Site&) noexcept override { return ++counts.flushes != 0; }
  bool may_drain(const pmem::Site&) noexcept override { return ++counts.fences != 0; }
  void publishing() noexcept override { ++counts.publishes; }
  Counts counts;
};

class Guarantees : public PoolTest {
 protected:
  using Step = std::function<void(Operation&)>;
  struct Case {
    std::vector<Step> before;  // operations that set the scene
    Step counted;
  };

  void SetUp() override {
    before_ = backend::set_factory([](backend::Kind) -> std::unique_ptr<backend::Backend> {
      return std::make_unique<Silent>();
    });
    PoolTest::SetUp();
  }
  void TearDown() override {
    PoolTest::TearDown();
    backend::set_factory(before_);
  }

  // Runs the cases, and compares them with the page, both ways.
  void hold(const std::string& table, const std::map<std::string, Case>& cases) {
    std::map<std::string, Counts> seen;
    for (const auto& [name, wanted] : cases) {
      for (const Step& step : wanted.before) mutate(step);
      seen[name] = count([&] { mutate(wanted.counted); });
    }
    compare(table, seen);
  }
  void hold_transactions(const std::map<std::string, std::function<void()>>& cases) {
    std::map<std::string, Counts> seen;
    for (const auto& [name, changes] : cases) {
      seen[name] = count([&] {
        pool().begin();
        changes();
        pool().commit();
      });
    }
    compare("transaction", seen);
  }

  Value self() const { return Value::object_at(object_); }

  Offset object_ = 0;  // what a case works on

 private:
  static Counts count(const std::function<void()>& run) {
    Counter counter;
    pmem::Observer* const others = pmem::set_observer(&counter);
    run();
    pmem::set_observer(others);
    return counter.counts;
  }

  static void compare(const std::string& table, const std::map<std::string, Counts>& seen) {
    std::map<std::string, Counts> page = counts_of_page(table);
    for (const auto& [name, counts] : seen) {
      SCOPED_TRACE(name);
      const auto said = page.find(name);
      if (said == page.end()) {
        ADD_FAILURE() << "not on the page: " << counts;
        continue;
      }
      EXPECT_EQ(counts, said->second);
      page.erase(said);
    }
    for (const auto& [name, counts] : page) ADD_FAILURE() << "not measured: " << name;
  }

  backend::Factory before_ = nullptr;
};

// ---- list

TEST_F(Guarantees, ListsKeepToTheirCounts) {
  const Value small = Values::integer(1);
  const Value owned = values.str("too long for a cell");
  const auto made_of = [this](uint64_t length, Value value) -> Step {
    return [=, this](Operation& op) {
      object_ = list::create(op, 64);
      op.refer(object_);
      std::vector<uint64_t> cells;
      for (uint64_t i = 0; i < length; ++i) cells.push_back(make_cell(op, value).bits());
      list::fill_fresh(op, object_, cells);
    };
  };
  const auto set = [this](Value value) -> Step {
    return [=, this](Operation& op) { list::set(op, object_, 1, value); };
  };
  const auto append = [this](Value value) -> Step {
    return [=, this](Operation& op) { list::append(op, object_, value); };
  };
  const Step pop = [this](Operation& op) { list::pop(op, object_); };
  const auto splice = [this](uint64_t begin, uint64_t end, std::vector<Value> with) -> Step {
    return [=, this](Operation& op) { list::splice(op, object_, begin, end, with); };
  };
  // Of a class that the pool knows already.
  set_root(values.list({values.transparent("m:Color", small, small)}));
  const Value color = values.transparent("m:Color", small, small);
  const Value date = values.boxed("m:Color", {small, values.tuple({small, small})});
  // fill_fresh() leaves no spare room, the first append() some.
  const std::vector<Step> with_room{made_of(3, small), append(small)};
  const std::vector<Step> owned_with_room{made_of(3, owned), append(owned)};
  const std::vector<Step> popped{made_of(3, small), append(small), append(small), pop};
  const std::vector<Step> logged{made_of(3, small), append(small), splice(1, 1, {small}),
                                 splice(1, 2, {})};

  hold("list",
       {{"`l[i] = small` over a small value", {with_room, set(small)}},
        {"`l[i] = owned` over a small value", {with_room, set(owned)}},
        {"`l[i] = small` over an owned value", {owned_with_room, set(small)}},
        {"`append(small)`, the spare cell is blank", {with_room, append(small)}},
        {"`append(small)`, the spare cell is not blank", {popped, append(small)}},
        {"`append(owned)`", {with_room, append(owned)}},
        {"`append(value of a class)`, equal to a number or text", {with_room, append(color)}},
        {"`append(value of a class)`, any other", {with_room, append(date)}},
        {"`append(small)`, no spare cell", {{made_of(7, small)}, append(small)}},
        {"`extend` by small values into spare room", {with_room, splice(4, 4, {small, small})}},
        {"`pop()` of a small value", {with_room, pop}},
        {"`pop()` of an owned value", {owned_with_room, pop}},
        {"`insert(i, small)`", {logged, splice(1, 1, {small})}},
        {"`del l[i]`", {logged, splice(1, 2, {})}},
        {"`reverse()`, `sort()`", {logged, [this](Operation& op) { list::reverse(op, object_); }}},
        {"`clear()` of small values",
         {with_room, [this](Operation& op) { list::clear(op, object_); }}}});
}

// ---- dict

TEST_F(Guarantees, DictsKeepToTheirCounts) {
  const Value small = Values::integer(1);
  const Value owned = values.str("too long for a cell");
  const auto set = [this](int64_t key, Value value) -> Step {
    return [=, this](Operation& op) {
      dict::set(op, object_, Key(op.pool(), Values::integer(key)), value);
    };
  };
  const auto erase = [this](int64_t key) -> Step {
    return [=, this](Operation& op) {
      dict::erase(op, object_, Key(op.pool(), Values::integer(key)));
    };
  };
  const auto made_of = [=, this](int64_t length) -> std::vector<Step> {
    std::vector<Step> steps{[this](Operation& op) {
      object_ = dict::create(op);
      op.refer(object_);
    }};
    for (int64_t key = 0; key < length; ++key) steps.push_back(set(key, small));
    return steps;
  };
  const auto then = [](std::vector<Step> steps, const std::vector<Step>& more) {
    steps.insert(steps.end(), more.begin(), more.end());
    return steps;
  };
  const int64_t few = 5, many = 50;

  hold("dict", {{"`d[k] = small`, k is there, over a small value", {made_of(many), set(1, small)}},
                {"`d[k] = owned`, k is there, over a small value", {made_of(many), set(1, owned)}},
                {"`d[k] = small`, k is new, up to 15 entries", {made_of(few), set(few, small)}},
                {"`d[k] = small`, k is new, more entries", {made_of(many), set(many, small)}},
                {"`d[k] = small`, k is new, in the place of an erased one",
                 {then(made_of(many), {erase(many - 1)}), set(many, small)}},
                {"`d[k] = owned`, k is new, more entries", {made_of(many), set(many, owned)}},
                {"`del d[k]`, the last entry", {made_of(many), erase(many - 1)}},
                {"`del d[k]`, another entry", {made_of(many), erase(1)}},
                {"`del d[k]` of an owned value", {then(made_of(many), {set(1, owned)}), erase(1)}},
                {"`clear()` of up to 15 small values",
                 {made_of(few), [this](Operation& op) { dict::clear(op, object_); }}}});
}

// ---- set

TEST_F(Guarantees, SetsKeepToTheirCounts) {
  const auto keys_of = [this](int64_t begin, int64_t end) {
    std::vector<Key> keys;
    for (int64_t i = begin; i < end; ++i) keys.emplace_back(pool(), Values::integer(i));
    return keys;
  };
  const auto add = [this](int64_t element) -> Step {
    return [=, this](Operation& op) {
      set::add(op, object_, Key(op.pool(), Values::integer(element)));
    };
  };
  const auto discard = [this](int64_t element) -> Step {
    return [=, this](Operation& op) {
      set::discard(op, object_, Key(op.pool(), Values::integer(element)));
    };
  };
  using Change = void (*)(Operation&, Offset, set::Keys);
  const auto bulk = [&](Change change, int64_t begin, int64_t end) -> Step {
    return [=, this](Operation& op) { change(op, object_, keys_of(begin, end)); };
  };
  const auto made_of = [&](int64_t length) -> std::vector<Step> {
    return {[=, this](Operation& op) {
      object_ = set::create(op);
      op.refer(object_);
      set::update(op, object_, keys_of(0, length));
    }};
  };
  const int64_t few = 5, many = 50;
  // Makes room in the log, which the first to need it would do.
  std::vector<Step> logged = made_of(many);
  const Step toggle = bulk(set::symmetric_difference_update, many - 1, many + 1);
  logged.insert(logged.end(), 2, toggle);

  hold("set", {{"`add(small)` of what is there", {made_of(many), add(1)}},
               {"`add(small)`, up to 15 elements", {made_of(few), add(few)}},
               {"`add(small)`, more elements", {made_of(many), add(many)}},
               {"`discard(small)`, `pop()`, the last element", {made_of(many), discard(many - 1)}},
               {"`discard(small)`, another element", {made_of(many), discard(1)}},
               {"`update` by 4 small ones that are new",
                {made_of(many), bulk(set::update, many, many + 4)}},
               {"`-=` 2 small ones", {made_of(many), bulk(set::difference_update, 1, 3)}},
               {"`^=` 2 small ones, one of them new", {logged, toggle}},
               {"`&=` none of up to 15 small ones, `clear()`",
                {made_of(few), bulk(set::intersection_update, many, many)}}});
}

// ---- tuple, frozenset

TEST_F(Guarantees, TuplesAndFrozensetsKeepToTheirCounts) {
  const Value small = Values::integer(1);
  const Value owned = values.str("too long for a cell");
  const auto assign = [this](std::function<Value(Values&)> make) -> Step {
    return [=, this](Operation& op) {
      Values made;
      list::set(op, object_, 0, make(made));
    };
  };
  // As pool.new() does: nothing refers to it yet but its proxy.
  const auto make_new = [](Type type, std::vector<Value> items) -> Step {
    return [=](Operation& op) {
      Values made;
      const Offset fresh = make_cell(op, made.node(type, items)).offset();
      op.drop(fresh);
      op.pool().handles().pin(fresh);
    };
  };
  const auto of = [](Type type, std::vector<Value> items) {
    return [=](Values& made) { return made.node(type, items); };
  };
  const auto same_again = [this](Operation& op) {
    list::set(op, object_, 1, Value::object_at(Cell(list::cells(op.pool(), object_)[0]).offset()));
  };
  const auto set_small = [=, this](Operation& op) { list::set(op, object_, 0, small); };
  const std::vector<Step> made{[=, this](Operation& op) {
    object_ = list::create(op, 8);
    op.refer(object_);
    list::fill_fresh(op, object_, std::vector<uint64_t>(2, small.bits));
  }};
  const auto holding = [&](const Step& step) {
    std::vector<Step> steps = made;
    steps.push_back(step);
    return steps;
  };
  const Step small_tuple = assign(of(Type::tuple, {small, small}));
  const Step small_persistent = assign(of(Type::persistent_tuple, {small, small}));

  hold("tuple", {{"`l[i] = (small, small)`", {made, small_tuple}},
                 {"`l[i] = (owned, small)`", {made, assign(of(Type::tuple, {owned, small}))}},
                 {"`l[i] = frozenset((small, small))`",
                  {made, assign(of(Type::frozenset, {small, Values::integer(2)}))}},
                 {"`l[i] = small` over a tuple of small values", {holding(small_tuple), set_small}},
                 {"`pool.new(PersistentTuple, (small, small))`",
                  {made, make_new(Type::persistent_tuple, {small, small})}},
                 {"`pool.new(PersistentFrozenSet, (small, small))`",
                  {made, make_new(Type::persistent_frozenset, {small, Values::integer(2)})}},
                 {"`l[i] = t`, which something refers to already",
                  {holding(small_persistent), same_again}}});
}

// ---- Blocks of a memory manager

TEST_F(Guarantees, BlocksKeepToTheirCounts) {
  const auto alloc = [this](bool zeroed) -> Step {
    return [=, this](Operation& op) { object_ = raw::allocate(op, 100, 1, zeroed); };
  };
  const Step resize = [this](Operation& op) { object_ = raw::resize(op, object_, 200, 1, true); };
  const Step release = [this](Operation& op) { raw::release(op, object_); };
  const Step add = [this](Operation& op) { raw::add_reference(op, object_); };
  const Step drop = [this](Operation& op) { raw::drop_reference(op, object_); };
  const Step snapshot = [this](Operation& op) {
    raw::snapshot(op, raw::view(op.pool(), object_).begin, 100);
  };
  const std::vector<Step> made{alloc(true)};
  const auto and_then = [&](std::vector<Step> more) {
    more.insert(more.begin(), alloc(true));
    return more;
  };

  hold("block", {{"`alloc`, `zalloc`", {{}, alloc(true)}},
                 {"`realloc`, `zrealloc`", {made, resize}},
                 {"`free`", {made, release}},
                 {"`incref`", {made, add}},
                 {"`decref`, not the last", {and_then({add, add}), drop}},
                 {"`decref`, the last", {and_then({add}), drop}},
                 {"`snapshot_range` of 100 bytes, to the end of its transaction",
                  {and_then({snapshot}), snapshot}}});
}

// ---- bytearray

TEST_F(Guarantees, ByteArraysKeepToTheirCounts) {
  const auto bytes_of = [](const std::string& text) -> bytearray::Bytes {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
  };
  const auto splice = [=, this](uint64_t begin, uint64_t end, const std::string& with) -> Step {
    return [=, this](Operation& op) { bytearray::splice(op, object_, begin, end, bytes_of(with)); };
  };
  const Step set = [this](Operation& op) { bytearray::set(op, object_, 5, 1); };
  const auto made_of = [=, this](uint64_t length) -> Step {
    return [=, this](Operation& op) {
      object_ = bytearray::create(op, bytes_of(std::string(length, 'x')));
      op.refer(object_);
    };
  };
  const uint64_t full = 104;  // a block of 112 bytes
  const std::vector<Step> made{made_of(100), splice(100, 100, "y")};
  const std::vector<Step> logged{made_of(100), splice(100, 100, "y"), splice(1, 1, "z"),
                                 splice(1, 2, "")};

  hold("bytearray",
       {{"`b[i] = byte`", {made, set}},
        {"`append(byte)`, `+=` into spare room", {made, splice(101, 101, "z")}},
        {"`append(byte)`, `+=`, no spare room", {{made_of(full)}, splice(full, full, "z")}},
        {"`pop()`, `del b[i:]`", {made, splice(100, 101, "")}},
        {"`b[i:j]` = as many bytes, within 8", {made, splice(8, 16, "abcdefgh")}},
        {"`b[i:j]` = as many bytes, more than 32", {logged, splice(0, 50, std::string(50, 'y'))}},
        {"`insert(i, byte)`, `del b[i]`", {logged, splice(1, 1, "z")}},
        {"`clear()`", {made, [this](Operation& op) { bytearray::clear(op, object_); }}}});
}

// ---- object

TEST_F(Guarantees, ObjectsKeepToTheirCounts) {
  const Value small = Values::integer(1);
  const Value owned = values.str("too long for a cell");
  const auto set = [this](const char* name, Value value) -> Step {
    return [=, this](Operation& op) { record::set(op, object_, name, value); };
  };
  const auto erase = [this](const char* name) -> Step {
    return [=, this](Operation& op) { record::erase(op, object_, name); };
  };
  const Step make = [this](Operation& op) {
    object_ = record::create(op, class_table::ensure(op, "module:Class"));
    op.refer(object_);
  };
  // The first of its class has made the shapes already.
  const std::vector<Step> first{make, set("a", small), set("b", small)};
  const auto second = [&](std::vector<Step> more) {
    std::vector<Step> steps = first;
    steps.push_back(make);
    steps.insert(steps.end(), more.begin(), more.end());
    return steps;
  };

  hold("object", {{"`o.a = small`, a is there, over a small value", {first, set("a", small)}},
                  {"`o.a = owned`, a is there, over a small value", {first, set("a", owned)}},
                  {"`o.a = small`, a is new", {second({set("a", small)}), set("b", small)}},
                  {"`o.a = small`, the first of its class", {first, set("c", small)}},
                  {"`del o.a` of a small value", {first, erase("a")}},
                  {"`del o.a` of an owned value", {second({set("a", owned)}), erase("a")}}});
}

// ---- Collections of cycles

TEST_F(Guarantees, CollectionsKeepToTheirCounts) {
  const Value small = Values::integer(1);
  const Value owned = values.str("too long for a cell");
  const Step clear = [this](Operation& op) { clear_step(op, object_); };
  const auto list_of_itself = [this](uint64_t times) -> Step {
    return [=, this](Operation& op) {
      object_ = list::create(op);
      op.refer(object_);
      std::vector<uint64_t> cells;
      for (uint64_t i = 0; i < times; ++i) cells.push_back(make_cell(op, self()).bits());
      list::fill_fresh(op, object_, cells);
    };
  };
  const Step make_dict = [this](Operation& op) {
    object_ = dict::create(op);
    op.refer(object_);
  };
  const auto put = [this](int64_t key) -> Step {
    return [=, this](Operation& op) {
      dict::set(op, object_, Key(op.pool(), Values::integer(key)), self());
    };
  };
  std::vector<Step> large_dict{make_dict};
  for (int64_t key = 0; key < 20; ++key) large_dict.push_back(put(key));
  const Step make_record = [this](Operation& op) {
    object_ = record::create(op, class_table::ensure(op, "module:Class"));
    op.refer(object_);
  };
  const auto set = [this](const char* name, Value value) -> Step {
    return [=, this](Operation& op) { record::set(op, object_, name, value); };
  };
  const Step refer = [this](Operation& op) { record::set(op, object_, "itself", self()); };

  hold("gc", {{"a list of a few references", {{list_of_itself(2)}, clear}},
              {"a list of many", {{list_of_itself(50)}, clear}},
              {"a dict of up to 15 entries", {{make_dict, put(1)}, clear}},
              {"a dict of more entries", {large_dict, clear}},
              {"an object with one reference", {{make_record, set("a", small), refer}, clear}},
              {"the same, and a large value", {{make_record, refer, set("b", owned)}, clear}},
              {"an orphan's count, put right",
               {{make_record}, [this](Operation& op) { op.recount(object_, 2); }}}});
}

// ---- Transactions

TEST_F(Guarantees, TransactionsKeepToTheirCounts) {
  const Value small = Values::integer(1);
  mutate([&](Operation& op) {
    object_ = list::create(op, 64);
    op.refer(object_);
    for (int i = 0; i < 10; ++i) list::append(op, object_, small);
  });
  const auto overwrite = [&](uint64_t index) {
    mutate([&](Operation& op) { list::set(op, object_, index, small); });
  };
  hold_transactions({{"nothing", [] {}},
                     {"one overwrite of a small value", [&] { overwrite(1); }},
                     {"the same place overwritten twice",
                      [&] {
                        overwrite(1);
                        overwrite(1);
                      }},
                     {"ten overwrites of different places",
                      [&] {
                        for (uint64_t i = 0; i < 10; ++i) overwrite(i);
                      }},
                     {"an append of a small value",
                      [&] { mutate([&](Operation& op) { list::append(op, object_, small); }); }}});
}

}  // namespace
}  // namespace nvm::object::testing
