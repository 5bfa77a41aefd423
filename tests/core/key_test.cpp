#include "object/key/key.h"

#include <algorithm>
#include <bit>
#include <vector>

#include "object/key/compare.h"
#include "object/key/hash.h"
#include "pool_fixture.h"

namespace nvm::object::testing {
namespace {

constexpr int64_t kPrime = (int64_t{1} << 61) - 1;  // hashes like 0

class KeyTest : public PoolTest {
 protected:
  uint32_t hash(const Value& value) { return Key(pool(), value).hash(); }

  // The value's cell, stored in pool.root.
  Cell stored(const Value& value) {
    set_root(value);
    return root();
  }
  // Whether a lookup of `a` would find `b`, and the other way round.
  bool equal(const Value& a, const Value& b) {
    const bool there = finds(a, b);
    EXPECT_EQ(finds(b, a), there);
    return there;
  }
  bool finds(const Value& wanted, const Value& key) {
    const StoredKey lying{.kind = StoredKey::Kind::cell, .cell = stored(key)};
    const Key lookup(pool(), wanted);
    const bool equal = lookup.equals(pool(), lying);
    EXPECT_EQ(equal, object::equal(pool(), wanted, lying.cell));
    EXPECT_EQ(hash_of(pool(), lying), Key(pool(), key).hash());
    if (equal) {
      EXPECT_EQ(hash_of(pool(), lying), lookup.hash());
    }
    return equal;
  }
};

TEST_F(KeyTest, EqualNumbersOfAllTypesAreOneKey) {
  const Value ones[] = {Values::integer(1), Values::real(1), Values::boolean(true),
                        Value::complex_of(1, 0)};
  for (const Value& a : ones)
    for (const Value& b : ones) EXPECT_TRUE(equal(a, b));
  const std::string two_to_100 = std::string(12, '\0') + "\x10";
  EXPECT_TRUE(equal(values.big(two_to_100), Values::real(0x1p100)));
  EXPECT_TRUE(equal(Values::integer(int64_t{1} << 60), Values::real(0x1p60)));
  EXPECT_TRUE(equal(Values::boolean(false), Values::real(-0.0)));
  EXPECT_FALSE(equal(Values::integer(1), Values::integer(2)));
  EXPECT_FALSE(equal(Values::integer(0), Values::integer(kPrime)));
  EXPECT_FALSE(equal(Values::none(), Values::integer(0)));
}

TEST_F(KeyTest, ANanIsFoundByItsBits) {
  const auto nan = [](uint64_t bits) { return Values::real(std::bit_cast<double>(bits)); };
  EXPECT_TRUE(equal(nan(0x7FF8'0000'0000'0000), nan(0x7FF8'0000'0000'0000)));
  EXPECT_TRUE(equal(nan(0x7FF8'0000'0000'0001), nan(0x7FF8'0000'0000'0001)));
  EXPECT_FALSE(equal(nan(0x7FF8'0000'0000'0000), nan(0x7FF8'0000'0000'0001)));
}

TEST_F(KeyTest, TextsAreEqualByTypeAndCharacters) {
  const std::string long_text(100, 'x');
  EXPECT_TRUE(equal(values.str(long_text), values.str(long_text)));
  EXPECT_TRUE(equal(values.str("abc"), values.str("abc")));
  EXPECT_FALSE(equal(values.str("abc"), values.bytes("abc")));
  EXPECT_FALSE(equal(values.str(long_text), values.bytes(long_text)));
  EXPECT_FALSE(equal(values.str(long_text), values.str(long_text, 2)));
  EXPECT_FALSE(equal(values.str(long_text), values.str(long_text + "x")));
  EXPECT_FALSE(equal(values.str("1"), Values::integer(1)));
}

TEST_F(KeyTest, InlineTextsHashAndCompareAsOthers) {
  const std::string text = "nineteen characters";
  for (const size_t length : {size_t{0}, size_t{1}, size_t{5}, size_t{6}, text.size()}) {
    const std::string part = text.substr(0, length);
    StoredKey lying{.kind = StoredKey::Kind::str,
                    .ascii = true,
                    .length = static_cast<uint8_t>(length),
                    .data = part.data()};
    const Key str(pool(), values.str(part));
    EXPECT_EQ(str.hash(), hash_of(pool(), lying));
    EXPECT_TRUE(str.equals(pool(), lying));
    EXPECT_FALSE(Key(pool(), values.bytes(part)).equals(pool(), lying));
    EXPECT_FALSE(Key(pool(), values.str(part + "!")).equals(pool(), lying));
    lying.kind = StoredKey::Kind::bytes;
    const Key bytes(pool(), values.bytes(part));
    EXPECT_EQ(bytes.hash(), hash_of(pool(), lying));
    EXPECT_TRUE(bytes.equals(pool(), lying));
    EXPECT_FALSE(str.equals(pool(), lying));
    EXPECT_FALSE(Key(pool(), Values::integer(1)).equals(pool(), lying));
  }
  const std::string wide = "\x16\x04\x17\x04";
  const StoredKey lying{.kind = StoredKey::Kind::str, .width = 2, .length = 2, .data = wide.data()};
  EXPECT_EQ(hash(values.str(wide, 2)), hash_of(pool(), lying));
  EXPECT_TRUE(Key(pool(), values.str(wide, 2)).equals(pool(), lying));
  EXPECT_FALSE(Key(pool(), values.str("\x16\x04")).equals(pool(), lying));
}

TEST_F(KeyTest, HashesAreNever0AndDifferBetweenPools) {
  uint32_t same = 0;
  std::vector<uint32_t> first;
  for (int i = 0; i < 100'000; ++i) {
    first.push_back(hash(Values::integer(i)));
    ASSERT_NE(first.back(), 0U);
  }
  open_small();
  for (int i = 0; i < 100'000; ++i) same += hash(Values::integer(i)) == first[i] ? 1 : 0;
  EXPECT_LT(same, 10U);
}

TEST_F(KeyTest, HashesSpreadNeighbouringIntegers) {
  constexpr uint32_t kSlots = 1 << 16;
  std::vector<bool> low(kSlots), high(kSlots);
  for (int64_t i = 0; i < kSlots; ++i) {
    const uint32_t hashed = hash(Values::integer(i * 4096));
    low[hashed % kSlots] = true;
    high[hashed >> 16] = true;
  }
  // A random function leaves 1/e of the slots empty.
  EXPECT_GT(std::count(low.begin(), low.end(), true), kSlots * 6 / 10);
  EXPECT_GT(std::count(high.begin(), high.end(), true), kSlots * 6 / 10);
}

TEST_F(KeyTest, TuplesAreEqualByTheirElements) {
  const auto sample = [&](int64_t last) {
    return values.tuple({Values::integer(1), values.str("a longer text"),
                         values.tuple({values.bytes("b"), Values::none()}), Values::integer(last)});
  };
  EXPECT_TRUE(equal(sample(3), sample(3)));
  EXPECT_FALSE(equal(sample(3), sample(4)));
  EXPECT_FALSE(equal(values.tuple(), values.frozenset()));
  EXPECT_TRUE(equal(values.tuple(), values.tuple()));
  EXPECT_TRUE(equal(values.tuple({Values::integer(1)}), values.tuple({Values::boolean(true)})));
  EXPECT_FALSE(equal(values.tuple({Values::integer(1)}), Values::integer(1)));
  const Value a = Values::integer(1), b = Values::integer(2);
  EXPECT_FALSE(equal(values.tuple({a, b}), values.tuple({b, a})));
  EXPECT_FALSE(equal(values.tuple({a}), values.tuple({a, a})));
}

TEST_F(KeyTest, FrozensetsAreEqualInAnyOrder) {
  const Value a = Values::integer(1), b = values.str("a longer text");
  const Value c = values.tuple({a, b});
  const Value d = values.frozenset({b, a});
  EXPECT_TRUE(equal(values.frozenset({a, b, c, d}), values.frozenset({d, b, a, c})));
  EXPECT_TRUE(equal(values.frozenset({values.frozenset({a, b})}), values.frozenset({d})));
  EXPECT_FALSE(equal(values.frozenset({a, b}), values.frozenset({a, c})));
  EXPECT_FALSE(equal(values.frozenset({a, b}), values.frozenset({a})));
}

TEST_F(KeyTest, ElementsOfFrozensetsWithEqualHashesAreToldApart) {
  const auto number = [](int64_t value) { return Values::integer(value); };
  const auto in_tuple = [&](int64_t value) { return values.tuple({number(value)}); };
  const auto in_set = [&](int64_t value) { return values.frozenset({in_tuple(value)}); };
  EXPECT_TRUE(equal(values.frozenset({number(0), number(kPrime)}),
                    values.frozenset({number(kPrime), Values::real(0)})));
  EXPECT_TRUE(equal(values.frozenset({in_set(0), in_set(kPrime), in_tuple(kPrime), in_tuple(0)}),
                    values.frozenset({in_tuple(0), in_tuple(kPrime), in_set(kPrime), in_set(0)})));
  EXPECT_FALSE(equal(values.frozenset({in_tuple(0), number(0)}),
                     values.frozenset({in_tuple(kPrime), number(0)})));
  EXPECT_FALSE(equal(in_set(0), in_set(kPrime)));
}

TEST_F(KeyTest, ListsAndDictsAreUnhashableHoweverDeep) {
  for (const Value& value : {values.list(), values.tuple({values.list()}),
                             values.tuple({values.tuple({values.list()})})})
    EXPECT_EQ(error_of(ErrorKind::type, [&] { hash(value); }), "unhashable type: 'list'");
  EXPECT_EQ(error_of(ErrorKind::type, [&] { hash(values.dict()); }), "unhashable type: 'dict'");

  set_root(values.list({values.dict()}));
  const Value list = Value::object_at(root_object());
  EXPECT_EQ(error_of(ErrorKind::type, [&] { hash(list); }), "unhashable type: 'PersistentList'");
  EXPECT_EQ(error_of(ErrorKind::type, [&] { hash(values.tuple({list})); }),
            "unhashable type: 'PersistentList'");
  const Value dict = Value::object_at(list::get(pool(), root_object(), 0).offset());
  EXPECT_EQ(error_of(ErrorKind::type, [&] { hash(dict); }), "unhashable type: 'PersistentDict'");
}

TEST_F(KeyTest, ATupleThatContainsItselfIsNoKey) {
  const Value tuple = values.tuple();
  tuple.node->items = {tuple};
  error_of(ErrorKind::type, [&] { hash(tuple); });
  error_of(ErrorKind::type, [&] { hash(values.tuple({tuple})); });
}

TEST_F(KeyTest, AnUnhashableListDoesNotSpoilATupleForLater) {
  const Value list = values.list();
  const Value tuple = values.tuple({Values::integer(1), list});
  error_of(ErrorKind::type, [&] { hash(tuple); });
  tuple.node->items.pop_back();
  EXPECT_TRUE(equal(tuple, values.tuple({Values::integer(1)})));
}

TEST_F(KeyTest, DeepNestingDoesNotRecurse) {
  constexpr int kDepth = 30'000;
  const auto nest = [&](int64_t innermost) {
    Value value = Values::integer(innermost);
    for (int i = 0; i < kDepth; ++i)
      value = i % 3 == 0 ? values.frozenset({value}) : values.tuple({value, Values::integer(i)});
    return value;
  };
  const Value a = nest(1), b = nest(1), c = nest(2);
  EXPECT_TRUE(finds(a, b));
  EXPECT_FALSE(finds(c, b));
}

// Without care, the time would double with each level.
TEST_F(KeyTest, SharedPartsAreLookedAtOnce) {
  const auto braid = [&] {
    Value value = values.tuple({Values::integer(1)});
    for (int i = 0; i < 60; ++i) value = values.tuple({value, value});
    return value;
  };
  EXPECT_TRUE(equal(braid(), braid()));
}

TEST_F(KeyTest, AStoredTupleThatContainsItselfIsDamage) {
  const Cell cell = stored(values.tuple({Values::integer(1)}));
  const StoredKey lying{.kind = StoredKey::Kind::cell, .cell = cell};
  auto* const header = pool().at<tuple::Header>(cell.offset(), sizeof(tuple::Header) + 8);
  header->cells[0] = cell.bits();
  error_of(ErrorKind::corrupt, [&] { hash_of(pool(), lying); });
  header->cells[0] = Cell(6).bits();
  error_of(ErrorKind::corrupt, [&] { hash_of(pool(), lying); });
  header->length = heap::kMaxOffset;
  error_of(ErrorKind::corrupt, [&] { hash_of(pool(), lying); });
}

}  // namespace
}  // namespace nvm::object::testing
