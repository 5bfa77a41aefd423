#include "object/tuple/tuple.h"

#include <algorithm>
#include <vector>

#include "object/key/compare.h"
#include "object/key/hash.h"
#include "object/key/term.h"
#include "pool_fixture.h"

namespace nvm::object::testing {
namespace {

class TupleTest : public PoolTest {
 protected:
  std::vector<Cell> elements(Offset tuple) {
    std::vector<Cell> result;
    for (const uint64_t bits : tuple::cells(pool(), tuple)) result.emplace_back(bits);
    return result;
  }
};

TEST_F(TupleTest, ElementsAreThereAfterReopening) {
  set_root(values.tuple({Values::integer(1), values.str("a longer text"), Values::none()}));
  reopen();
  ASSERT_EQ(pool().type_number(root_object()), static_cast<uint64_t>(Type::tuple));
  const std::vector<Cell> found = elements(root_object());
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0], Cell::integer(1));
  EXPECT_EQ(found[1].kind(), Cell::Kind::blob);
  EXPECT_EQ(found[2], Cell::none());
}

TEST_F(TupleTest, AnEmptyTupleHasNoElements) {
  set_root(values.tuple());
  EXPECT_TRUE(elements(root_object()).empty());
}

TEST_F(TupleTest, ATupleInTwoSlotsIsCountedTwice) {
  const Value tuple = values.tuple({values.str("a longer text")});
  set_root(values.list({tuple, tuple}));
  const auto cells = list::cells(pool(), root_object());
  EXPECT_EQ(cells[0], cells[1]);
  EXPECT_EQ(count(Cell(cells[0]).offset()), 2U);
}

TEST_F(TupleTest, FrozensetsWithEqualElementsLieAlike) {
  const Value a = Values::integer(1), b = values.str("x"), c = Values::real(2.5);
  set_root(values.frozenset({a, b, c}));
  const std::vector<Cell> first = elements(root_object());
  set_root(values.frozenset({c, b, a}));
  EXPECT_EQ(pool().type_number(root_object()), static_cast<uint64_t>(Type::frozenset));
  EXPECT_EQ(elements(root_object()), first);
  const auto hash = [&](Cell cell) { return hash_of(pool(), Term::of(pool(), cell)); };
  EXPECT_TRUE(std::is_sorted(first.begin(), first.end(),
                             [&](Cell x, Cell y) { return hash(x) < hash(y); }));
}

TEST_F(TupleTest, PersistentOnesEqualOrdinaryOnes) {
  const Value a = Values::integer(1), b = values.str("a longer text");
  const auto hash = [&](Cell cell) { return hash_of(pool(), Term::of(pool(), cell)); };
  set_root(values.list({values.tuple({a, b}), values.node(Type::persistent_tuple, {a, b}),
                        values.frozenset({a, b}), values.node(Type::persistent_frozenset, {b, a}),
                        values.node(Type::persistent_tuple, {b, a})}));
  const auto cells = list::cells(pool(), root_object());
  const auto compared = [&](size_t x, size_t y) {
    return compare(pool(), Term::of(pool(), Cell(cells[x])), Term::of(pool(), Cell(cells[y])));
  };
  EXPECT_EQ(compared(0, 1), 0);
  EXPECT_EQ(compared(2, 3), 0);
  EXPECT_NE(compared(0, 4), 0);
  EXPECT_EQ(hash(Cell(cells[0])), hash(Cell(cells[1])));
  EXPECT_EQ(hash(Cell(cells[2])), hash(Cell(cells[3])));
  EXPECT_EQ(elements(Cell(cells[2]).offset()).size(), 2U);
}

TEST_F(TupleTest, AFrozensetFindsItsElements) {
  std::vector<Value> all;
  for (int i = 0; i < 300; ++i)
    all.push_back(i % 3 == 0   ? Values::integer(i)
                  : i % 3 == 1 ? values.str("element number " + std::to_string(i))
                               : values.tuple({Values::integer(i), values.frozenset()}));
  const std::vector<Value> in(all.begin(), all.begin() + 200);
  for (const Type type : {Type::frozenset, Type::persistent_frozenset}) {
    set_root(values.node(type, in));
    for (size_t i = 0; i < all.size(); ++i)
      EXPECT_EQ(tuple::holds(pool(), root_object(), all[i]), i < in.size()) << i;
    EXPECT_TRUE(tuple::holds(pool(), root_object(), Values::real(3.0)));
  }
  set_root(values.frozenset());
  EXPECT_FALSE(tuple::holds(pool(), root_object(), all[0]));
}

TEST_F(TupleTest, ALargeTupleIsFreedInSteps) {
  const uint64_t before = blocks();
  std::vector<Value> items;
  for (int i = 0; i < 10'000; ++i)
    items.push_back(i % 2 == 0 ? values.str("text number " + std::to_string(i)) : values.list());
  set_root(values.tuple(items));
  EXPECT_GT(blocks(), before + 10'000);
  set_root(Values::none());
  EXPECT_LE(blocks(), before + 1);  // a limbo segment
}

TEST_F(TupleTest, OtherObjectsAreNoTuples) {
  set_root(values.list());
  error_of(ErrorKind::corrupt, [&] { tuple::cells(pool(), root_object()); });
  error_of(ErrorKind::corrupt, [&] { tuple::cells(pool(), heap::kMaxOffset & ~uint64_t{7}); });
}

TEST_F(TupleTest, ALengthBeyondThePoolIsDamage) {
  set_root(values.tuple({Values::none()}));
  auto* const header = pool().at<tuple::Header>(root_object());
  for (const uint64_t length : {heap::kMaxOffset, ~uint64_t{0}, pool().file().size() / 8}) {
    header->length = length;
    error_of(ErrorKind::corrupt, [&] { tuple::cells(pool(), root_object()); });
  }
  header->length = 1;
}

}  // namespace
}  // namespace nvm::object::testing
