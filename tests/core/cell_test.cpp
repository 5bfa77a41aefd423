#include "object/value/cell.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <string>

namespace nvm::object {
namespace {

using Kind = Cell::Kind;
using Limits = std::numeric_limits<double>;

double from_bits(uint64_t bits) { return std::bit_cast<double>(bits); }

TEST(Cell, ConstantsAreNeitherBlankNorEqual) {
  const Cell cells[] = {Cell::none(), Cell::boolean(false), Cell::boolean(true), Cell::ellipsis()};
  for (const Cell& cell : cells) {
    EXPECT_EQ(cell.kind(), Kind::constant);
    EXPECT_FALSE(cell.blank());
    for (const Cell& other : cells) EXPECT_EQ(cell == other, &cell == &other);
  }
  EXPECT_EQ(Cell().kind(), Kind::blank);
}

TEST(Cell, IntegersOf48BitsFit) {
  constexpr int64_t kLimit = int64_t{1} << 47;
  for (const int64_t value : {int64_t{0}, int64_t{1}, int64_t{-1}, kLimit - 1, -kLimit}) {
    EXPECT_TRUE(Cell::integer_fits(value));
    EXPECT_EQ(Cell::integer(value).kind(), Kind::integer);
    EXPECT_EQ(Cell::integer(value).as_integer(), value);
  }
  EXPECT_FALSE(Cell::integer_fits(kLimit));
  EXPECT_FALSE(Cell::integer_fits(-kLimit - 1));
}

TEST(Cell, FloatsComeBackBitForBit) {
  for (const double value : {0.0, -0.0, 1.0, -1.5, Limits::infinity(), -Limits::infinity(),
                             Limits::max(), Limits::lowest(), Limits::denorm_min(),
                             -Limits::denorm_min(), from_bits(0x7FF8'0000'0000'0000)}) {
    ASSERT_TRUE(Cell::real_fits(value));
    const Cell cell = Cell::real(value);
    EXPECT_EQ(cell.kind(), Kind::real) << value;
    EXPECT_EQ(std::bit_cast<uint64_t>(cell.as_real()), std::bit_cast<uint64_t>(value));
  }
}

TEST(Cell, NansWithAPayloadOrASignDoNotFit) {
  EXPECT_FALSE(Cell::real_fits(from_bits(0x7FF8'0000'0000'0001)));
  EXPECT_FALSE(Cell::real_fits(from_bits(0x7FF0'0000'0000'0001)));
  EXPECT_FALSE(Cell::real_fits(from_bits(0xFFF8'0000'0000'0000)));
  EXPECT_FALSE(Cell::real_fits(from_bits(0xFFFF'FFFF'FFFF'FFFF)));
}

TEST(Cell, EveryFloatIsToldFromEverythingElse) {
  for (uint64_t top = 0; top < 0x10000; ++top) {
    const double value = from_bits(top << 48 | 0x1234);
    if (!Cell::real_fits(value)) continue;
    ASSERT_EQ(Cell::real(value).kind(), Kind::real) << std::hex << top;
  }
}

TEST(Cell, ShortTextsComeBack) {
  for (const std::string text : {"", "a", "\xE9", "abcde"}) {
    const auto length = static_cast<unsigned>(text.size());
    char copy[Cell::kShortMax];
    const Cell str = Cell::short_str(text.data(), length);
    ASSERT_EQ(str.kind(), Kind::str);
    ASSERT_EQ(str.short_length(), length);
    str.short_copy(copy);
    EXPECT_EQ(std::string(copy, length), text);
    const Cell bytes = Cell::short_bytes(text.data(), length);
    EXPECT_EQ(bytes.kind(), Kind::bytes);
    EXPECT_NE(bytes, str);
  }
  EXPECT_NE(Cell::short_str("", 0), Cell::short_str("\0", 1));
}

TEST(Cell, ReferencesCarryAnOffset) {
  EXPECT_EQ(Cell::blob(heap::kMaxOffset).offset(), heap::kMaxOffset);
  EXPECT_EQ(Cell::blob(64).kind(), Kind::blob);
  EXPECT_EQ(Cell::object(64).kind(), Kind::object);
}

TEST(Cell, ReservedPatternsAreInvalid) {
  for (const uint64_t top : {0x0006U, 0x0007U, 0x8000U, 0x8006U})
    EXPECT_EQ(Cell(uint64_t{top} << 48 | 5).kind(), Kind::invalid) << top;
  EXPECT_EQ(Cell(5).kind(), Kind::invalid);
  EXPECT_EQ(Cell((uint64_t{0x8007} << 48) | 1).kind(), Kind::invalid);
}

}  // namespace
}  // namespace nvm::object
