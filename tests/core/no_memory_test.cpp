// Every allocation of the core fails in turn, in every operation of every type.
#include "core/no_memory_fixture.h"

namespace nvm::object::testing {
namespace {

INSTANTIATE_TEST_SUITE_P(Backends, NoMemory, ::testing::Values(Kind::memory, Kind::journal),
                         name_of_backend);

// ---- Lists

TEST_P(NoMemory, ListAppend) {
  try_all([this] {
    const Offset list = at("list");
    mutate([&](Operation& op) {
      list::append(op, list, values_.list({text(10), values_.dict({text(11), Values::none()})}));
    });
  });
}
TEST_P(NoMemory, ListInsert) {
  try_all([this] {
    const Offset list = at("list");
    mutate([&](Operation& op) { list::insert(op, list, 0, text(10)); });
  });
}
TEST_P(NoMemory, ListExtendSoThatManyBlocksArePublished) {
  try_all([this] {
    const Offset list = at("list");
    std::vector<Value> more;
    for (int i = 0; i < 120; ++i) more.push_back(text(i));
    mutate([&](Operation& op) { list::splice(op, list, 4, 4, more); });
  });
}
TEST_P(NoMemory, ListSliceAssigned) {
  try_all([this] {
    const Offset list = at("list");
    mutate([&](Operation& op) {
      list::splice(op, list, 0, 3, std::vector<Value>{text(20), values_.list({text(21)})});
    });
  });
}
TEST_P(NoMemory, ListStridesReverseAndPermute) {
  try_all([this] {
    const Offset list = at("list");
    mutate([&](Operation& op) {
      list::set_strided(op, list, 0, 2, std::vector<Value>{text(20), values_.set({text(21)})});
    });
  });
  try_all([this] {
    const Offset list = at("list");
    mutate([&](Operation& op) { list::reverse(op, list); });
  });
  try_all([this] {
    const Offset list = at("list");
    mutate([&](Operation& op) { list::permute(op, list, std::vector<uint64_t>{3, 1, 0, 2}); });
  });
}
TEST_P(NoMemory, ListPopAndClear) {
  try_all([this] {
    const Offset list = at("list");
    mutate([&](Operation& op) { list::pop(op, list); });
  });
  try_all([this] {
    const Offset list = at("list");
    mutate([&](Operation& op) { list::clear(op, list); });
  });
}

// ---- Dicts and sets

TEST_P(NoMemory, DictInsertAndOverwrite) {
  try_all([this] {
    const Offset dict = at("dict");
    const Value fresh = text(30);
    mutate([&](Operation& op) {
      dict::set(op, dict, Key(op.pool(), fresh), values_.list({text(31)}));
    });
  });
  try_all([this] {
    const Offset dict = at("dict");
    const Value known = values_.str("b");
    mutate([&](Operation& op) { dict::set(op, dict, Key(op.pool(), known), text(31)); });
  });
}
TEST_P(NoMemory, DictUpdateSoThatItsBodyIsBuiltAnew) {
  try_all([this] {
    const Offset dict = at("dict");
    std::vector<Value> keys;
    for (int i = 0; i < 60; ++i) keys.push_back(text(100 + i));
    mutate([&](Operation& op) {
      dict::reserve(op, dict, keys.size());
      for (const Value& key : keys) dict::set(op, dict, Key(op.pool(), key), text(1));
    });
  });
}
TEST_P(NoMemory, DictEraseAndClear) {
  try_all([this] {
    const Offset dict = at("dict");
    const Value known = values_.str("b");
    mutate([&](Operation& op) { dict::erase(op, dict, Key(op.pool(), known)); });
  });
  try_all([this] {
    const Offset dict = at("dict");
    mutate([&](Operation& op) { dict::clear(op, dict); });
  });
}
TEST_P(NoMemory, SetOperators) {
  const auto keys = [this] {
    return std::vector<Value>{Values::integer(1), text(40), values_.tuple({text(6)})};
  };
  using Operator = void (*)(Operation&, Offset, set::Keys);
  for (const Operator apply :
       {Operator{set::update}, Operator{set::difference_update}, Operator{set::intersection_update},
        Operator{set::symmetric_difference_update}}) {
    try_all([&] {
      const Offset set = at("set");
      const std::vector<Value> plain = keys();
      mutate([&](Operation& op) {
        std::vector<Key> elements;
        for (const Value& value : plain) elements.emplace_back(op.pool(), value);
        apply(op, set, elements);
      });
    });
  }
}

// ---- Others

TEST_P(NoMemory, Bytearray) {
  try_all([this] {
    const Offset array = at("bytearray");
    const std::vector<uint8_t> more(5000, 'x');
    mutate([&](Operation& op) { bytearray::splice(op, array, 2, 4, more); });
  });
  try_all([this] {
    const Offset array = at("bytearray");
    mutate([&](Operation& op) { bytearray::reverse(op, array); });
  });
  try_all([this] {
    const Offset array = at("bytearray");
    mutate([&](Operation& op) { bytearray::clear(op, array); });
  });
}
TEST_P(NoMemory, TheFirstObjectThatANewPoolLetsGo) {
  for (const Which which : {Which::once, Which::from_then}) {
    for (uint64_t number = 1;; ++number) {
      pool_.reset();
      std::filesystem::remove(path());
      open();
      values_ = Values();
      const std::string after = describe(pool());
      put("list", values_.list({values_.list()}));
      const std::string before = describe(pool());
      const Value key = values_.str("list");
      Outcome outcome;
      {
        const FailingMemory failing(number, which);
        outcome = outcome_of([&] {
          mutate([&](Operation& op) { dict::erase(op, root_dict(), Key(op.pool(), key)); });
        });
      }
      const uint64_t failed = FailingMemory::failed();
      SCOPED_TRACE("allocation " + std::to_string(number));
      judge(outcome, before, after, number);
      if (failed == 0) break;
      ASSERT_FALSE(HasFailure());
    }
  }
}

TEST_P(NoMemory, RecordOfANewClassWithNewShapes) {
  int number = 0;
  try_all([&] {
    ++number;
    const Value key = values_.str("new");
    const std::string name = "m:New" + std::to_string(number);
    mutate([&](Operation& op) {
      const Offset record = record::create(op, class_table::ensure(op, name));
      record::set(op, record, "first", text(50));
      record::set(op, record, "second", values_.list({text(51)}));
      dict::set(op, root_dict(), Key(op.pool(), key), Value::object_at(record));
    });
  });
}
TEST_P(NoMemory, RecordWithMoreAttributesThanAShapeHas) {
  try_all([this] {
    const Offset record = at("record");
    mutate([&](Operation& op) {
      for (int i = 0; i < 140; ++i)
        record::set(op, record, "n" + std::to_string(i), Values::integer(i));
    });
  });
}
TEST_P(NoMemory, RecordEraseAndRootReplaced) {
  try_all([this] {
    const Offset record = at("record");
    mutate([&](Operation& op) { record::erase(op, record, "a"); });
  });
  try_all([this] {
    mutate([&](Operation& op) {
      replace(op, &op.pool().root().root, values_.frozenset({text(60), values_.tuple({text(61)})}));
    });
  });
}

TEST_P(NoMemory, NamedTupleOfANewClassStoredReplacedAndErased) {
  int number = 0;
  try_all([&] {
    const Value inner = values_.tuple({text(70), values_.frozenset({text(71)})});
    put("tuple", values_.named_tuple("m:Point" + std::to_string(++number), {inner, text(72)}));
  });
  try_all([this] { put("list", values_.tuple({text(73), values_.tuple({text(74)})})); });
  try_all([this] {
    const Value key = values_.str("set");  // it holds a tuple
    mutate([&](Operation& op) { dict::erase(op, root_dict(), Key(op.pool(), key)); });
  });
}

// ---- Growth

TEST_P(NoMemory, Growth) {
  try_all([this] { put("large", values_.bytearray(std::string(size_t{20} << 20, 'x'))); });
}

}  // namespace
}  // namespace nvm::object::testing
