#include "object/boxed/boxed.h"

#include <functional>
#include <string>

#include "object/dict/dict.h"
#include "object/key/key.h"
#include "object/record/class_table.h"
#include "object/tuple/tuple.h"
#include "pool_fixture.h"

namespace nvm::object::testing {
namespace {

class BoxedTest : public PoolTest {
 protected:
  Value date(int64_t day) {
    return values.boxed("datetime:date",
                        {integer(day), values.tuple({values.str("date"), integer(day)})});
  }
  Value one() { return values.transparent("m:Color", values.str("RED"), integer(1)); }
  Value keyless() { return values.boxed("m:Moment", {integer(5)}); }
  static Value integer(int64_t value) { return Values::integer(value); }

  // Whether a lookup of `wanted` finds a key that lies there, with equal hashes.
  bool finds(const Value& wanted, const Value& key) {
    set_root(key);
    const StoredKey lying{.kind = StoredKey::Kind::cell, .cell = root()};
    const Key lookup(pool(), wanted);
    const bool found = lookup.equals(pool(), lying);
    EXPECT_EQ(found, equal(pool(), wanted, root()));
    EXPECT_EQ(hash_of(pool(), lying), Key(pool(), key).hash());
    if (found) {
      EXPECT_EQ(hash_of(pool(), lying), lookup.hash());
    }
    return found;
  }
  bool meet(const Value& a, const Value& b) {
    const bool there = finds(a, b);
    EXPECT_EQ(finds(b, a), there);
    return there;
  }

  // A dict in pool.root.
  void put(const Value& key, int64_t value) {
    store(
        [&](Operation& op) { dict::set(op, root_object(), Key(op.pool(), key), integer(value)); });
  }
  Cell get(const Value& key) { return dict::get(pool(), root_object(), Key(pool(), key)); }

  void damage(const Value& value, const std::function<void(tuple::Header*)>& spoil) {
    set_root(value);
    auto* const header = pool().at<tuple::Header>(root_object(), sizeof(tuple::Header) + 16);
    const uint64_t before[] = {header->counted.word, header->length, header->cells[0]};
    spoil(header);
    error_of(ErrorKind::corrupt, [&] { boxed::view(pool(), root_object()); });
    error_of(ErrorKind::corrupt, [&] { equal(pool(), Values::none(), root()); });
    header->counted.word = before[0];
    header->length = before[1];
    header->cells[0] = before[2];
  }
};

TEST_F(BoxedTest, StateKeyAndClassAreThereAfterReopening) {
  set_root(values.boxed("m:Point", {values.str("a longer state"), values.tuple({integer(1)})}));
  reopen();
  const boxed::View view = boxed::view(pool(), root_object());
  EXPECT_EQ(view.form, boxed::Form::registered);
  EXPECT_FALSE(view.transparent);
  EXPECT_EQ(class_table::name_of(pool(), view.class_id), "m:Point");
  EXPECT_EQ(view.state.kind(), Cell::Kind::blob);
  EXPECT_EQ(pool().type_number(view.key.offset()), static_cast<uint64_t>(Type::tuple));
}

TEST_F(BoxedTest, OneWithoutAKeyHasNone) {
  set_root(keyless());
  EXPECT_TRUE(boxed::view(pool(), root_object()).key.blank());
  EXPECT_EQ(tuple::cells(pool(), root_object()).size(), 1U);
}

TEST_F(BoxedTest, EachClassIsInTheTableOnce) {
  const uint64_t before = class_table::count(pool());
  set_root(values.list({date(1), one(), date(2), one(), values.named_tuple("m:P", {integer(1)}),
                        values.named_tuple("m:P", {integer(2)})}));
  EXPECT_EQ(class_table::count(pool()), before + 3);
  set_root(date(3));
  EXPECT_EQ(class_table::count(pool()), before + 3);
}

TEST_F(BoxedTest, AnAbortTakesTheClassAway) {
  const uint64_t before = class_table::count(pool());
  pool().begin();
  set_root(date(1));
  abort();
  EXPECT_EQ(class_table::count(pool()), before);
  set_root(one());
  EXPECT_EQ(class_table::name_of(pool(), boxed::view(pool(), root_object()).class_id), "m:Color");
}

TEST_F(BoxedTest, WhatItHoldsIsFreedWithIt) {
  set_root(values.list());
  set_root(Values::none());
  set_root(values.boxed("m:C", {Values::none()}));
  set_root(Values::none());
  const uint64_t before = blocks();
  set_root(values.boxed("m:C", {values.tuple({values.str("a longer text"), values.list()}),
                                values.tuple({values.str("a longer key")})}));
  EXPECT_EQ(blocks(), before + 6);
  set_root(Values::none());
  EXPECT_EQ(blocks(), before);
}

TEST_F(BoxedTest, ATransparentOneIsEqualToItsKey) {
  EXPECT_TRUE(meet(one(), integer(1)));
  EXPECT_TRUE(meet(one(), Values::boolean(true)));
  EXPECT_TRUE(meet(one(), Values::real(1)));
  EXPECT_TRUE(meet(one(), values.transparent("decimal:Decimal", values.str("1.0"), integer(1))));
  EXPECT_FALSE(meet(one(), integer(2)));
  EXPECT_FALSE(meet(one(), values.str("RED")));
  for (const char* text : {"red", "a text of some length", "a text far too long for an entry"})
    EXPECT_TRUE(
        meet(values.transparent("m:Name", Values::none(), values.str(text)), values.str(text)));
}

TEST_F(BoxedTest, OthersAreEqualByTheirKeysAndOnlyToTheirLike) {
  EXPECT_TRUE(meet(date(1), date(1)));
  EXPECT_FALSE(meet(date(1), date(2)));
  EXPECT_FALSE(meet(date(1), integer(1)));
  const Value key = values.tuple({values.str("path"), values.str("a/b")});
  EXPECT_TRUE(meet(values.boxed("pathlib:PosixPath", {integer(1), key}),
                   values.boxed("pathlib:PurePosixPath", {integer(2), key})));
  EXPECT_FALSE(meet(values.boxed("m:C", {integer(1), key}), key));
  EXPECT_FALSE(meet(values.boxed("m:C", {integer(1), key}), values.frozenset({key})));
  EXPECT_TRUE(meet(values.tuple({date(1), one()}), values.tuple({date(1), integer(1)})));
  EXPECT_TRUE(meet(values.frozenset({date(1), one(), integer(7)}),
                   values.frozenset({Values::real(7), Values::boolean(true), date(1)})));
}

TEST_F(BoxedTest, ANamedTupleIsEqualToItsTuple) {
  const Value plain = values.tuple({integer(1), values.str("a longer text")});
  EXPECT_TRUE(meet(values.named_tuple("m:P", {integer(1), values.str("a longer text")}), plain));
  set_root(values.named_tuple("m:P", {integer(1)}));
  EXPECT_EQ(class_table::name_of(pool(), tuple::class_id(pool(), root_object())), "m:P");
  set_root(plain);
  EXPECT_EQ(tuple::class_id(pool(), root_object()), 0U);
}

TEST_F(BoxedTest, OneWithoutAKeyIsNoKeyHoweverDeep) {
  for (const Value& value : {keyless(), values.tuple({keyless()}), values.frozenset({keyless()}),
                             values.boxed("m:C", {integer(1), values.tuple({keyless()})})}) {
    const std::string message = error_of(ErrorKind::type, [&] { Key(pool(), value); });
    EXPECT_EQ(message.rfind("a 'm:Moment' like this cannot be a key", 0), 0U) << message;
  }
  set_root(keyless());
  EXPECT_FALSE(equal(pool(), integer(5), root()));
}

TEST_F(BoxedTest, KeysOfADictMeetInAnyForm) {
  const Value name = values.transparent("m:Name", values.str("A"), values.str("alpha"));
  const Value longer = values.transparent("m:Name", values.str("B"), values.str("a longer text"));
  set_root(values.dict({integer(1), integer(10), values.str("alpha"), integer(20)}));
  put(longer, 30);
  put(date(4), 40);
  reopen();
  EXPECT_EQ(get(one()), Cell::integer(10));
  EXPECT_EQ(get(name), Cell::integer(20));
  EXPECT_EQ(get(values.str("a longer text")), Cell::integer(30));
  EXPECT_EQ(get(longer), Cell::integer(30));
  EXPECT_EQ(get(date(4)), Cell::integer(40));
  EXPECT_TRUE(get(date(5)).blank());
  put(name, 21);
  put(values.str("a longer text"), 31);
  EXPECT_EQ(dict::size(pool(), root_object()), 4U);
  EXPECT_EQ(get(values.str("alpha")), Cell::integer(21));
  EXPECT_EQ(get(longer), Cell::integer(31));
  // Short texts and None lie in a key's cell as they are.
  put(values.transparent("m:Name", values.str("C"), values.str("abc")), 50);
  EXPECT_EQ(get(values.str("abc")), Cell::integer(50));
}

TEST_F(BoxedTest, ADamagedOneIsToldApart) {
  const auto flags = [](uint64_t bits) {
    return [=](tuple::Header* header) { header->length = 2 | bits << 48; };
  };
  damage(date(1), flags(0));                        // no form
  damage(date(1), flags(7));                        // of a later version
  damage(date(1), flags(4 | 16));                   // a flag of a later version
  damage(date(1), flags(4 | boxed::kTransparent));  // leads to a tuple
  damage(one(), flags(4));                          // leads to no tuple
  damage(date(1), [](tuple::Header* header) { header->length = uint64_t{4} << 48; });
  damage(date(1), [](tuple::Header* header) { header->length = 3 | uint64_t{4} << 48; });
  damage(date(1), [](tuple::Header* header) { header->counted.word &= heap::kCountMask; });
  set_root(values.tuple({integer(1)}));
  error_of(ErrorKind::corrupt, [&] { boxed::view(pool(), root_object()); });
  auto* const header = pool().at<tuple::Header>(root_object());
  header->length = 1 | uint64_t{4} << 48;
  error_of(ErrorKind::corrupt, [&] { tuple::cells(pool(), root_object()); });
  header->length = 1;
}

TEST_F(BoxedTest, AKeyThatLeadsBackToItsValueIsDamage) {
  const Value value = date(1);
  set_root(value);
  const Offset key = boxed::view(pool(), root_object()).key.offset();
  auto* const header = pool().at<tuple::Header>(key, sizeof(tuple::Header) + 16);
  const uint64_t before = header->cells[1];
  header->cells[1] = root().bits();
  const StoredKey lying{.kind = StoredKey::Kind::cell, .cell = root()};
  error_of(ErrorKind::corrupt, [&] { hash_of(pool(), lying); });
  header->cells[1] = before;
}

}  // namespace
}  // namespace nvm::object::testing
