#include "object/value/value.h"

#include <bit>
#include <limits>

#include "object/value/blob.h"
#include "pool_fixture.h"

namespace nvm::object::testing {
namespace {

using Kind = Value::Kind;
using blob::BlobType;

TEST(Value, TextsOfAFewCharactersAreCells) {
  EXPECT_EQ(Value::str("", 0, 1, true).kind, Kind::cell);
  EXPECT_EQ(Value::str("abcde", 5, 1, true).kind, Kind::cell);
  EXPECT_EQ(Value::str("abcdef", 6, 1, true).kind, Kind::str);
  EXPECT_EQ(Value::str(u"\u0416", 1, 2, false).kind, Kind::str);
  EXPECT_EQ(Value::bytes_of("abcde", 5).kind, Kind::cell);
  EXPECT_EQ(Value::bytes_of("abcdef", 6).kind, Kind::bytes);
  EXPECT_NE(Value::bytes_of("abc", 3).bits, Value::str("abc", 3, 1, true).bits);
}

TEST(Value, IntegersTakeTheShortestForm) {
  constexpr int64_t kLimit = int64_t{1} << 47;
  EXPECT_EQ(Value::integer_of(kLimit - 1).kind, Kind::cell);
  EXPECT_EQ(Value::integer_of(kLimit).kind, Kind::int64);
  EXPECT_EQ(static_cast<int64_t>(Value::integer_of(-kLimit - 1).low), -kLimit - 1);
}

TEST(Value, BigIntegersAreNormalized) {
  const std::string padded("\x2a\0\0\0\0\0\0\0\0\0", 10);
  EXPECT_EQ(Value::big_integer(padded.data(), 10, true).bits, Cell::integer(-42).bits());
  EXPECT_EQ(Value::big_integer(padded.data() + 1, 9, true).bits, Cell::integer(0).bits());
  EXPECT_EQ(Value::big_integer("", 0, false).bits, Cell::integer(0).bits());

  const std::string minimum("\0\0\0\0\0\0\0\x80\0", 9);
  const Value lowest = Value::big_integer(minimum.data(), 9, true);
  EXPECT_EQ(lowest.kind, Kind::int64);
  EXPECT_EQ(static_cast<int64_t>(lowest.low), std::numeric_limits<int64_t>::min());
  const Value beyond = Value::big_integer(minimum.data(), 9, false);
  EXPECT_EQ(beyond.kind, Kind::integer);
  EXPECT_EQ(beyond.length, 8U);

  const std::string large("\x01\0\0\0\0\0\0\0\x01\0", 10);
  const Value integer = Value::big_integer(large.data(), 10, true);
  EXPECT_EQ(integer.kind, Kind::integer);
  EXPECT_EQ(integer.length, 9U);
  EXPECT_TRUE(integer.negative);
}

TEST(Value, OnlyNansWithAPayloadAreBoxed) {
  EXPECT_EQ(Value::real_of(-0.0).kind, Kind::cell);
  EXPECT_EQ(Value::real_of(std::bit_cast<double>(uint64_t{0x7FF8'0000'0000'0000})).kind,
            Kind::cell);
  constexpr uint64_t kPayload = 0xFFF8'0000'0000'0007;
  const Value nan = Value::real_of(std::bit_cast<double>(kPayload));
  EXPECT_EQ(nan.kind, Kind::real);
  EXPECT_EQ(nan.low, kPayload);
}

class Blob : public PoolTest {
 protected:
  Offset store_blob(const Value& value) {
    set_root(value);
    EXPECT_EQ(root().kind(), Cell::Kind::blob);
    return root().offset();
  }
  blob::View view(const Value& value) { return blob::view(pool(), store_blob(value)); }
  static std::string content(const blob::View& view) { return {view.data, view.bytes}; }
};

TEST_F(Blob, KeepsAStr) {
  const std::string text(100, 'x');
  const blob::View narrow = view(values.str(text));
  EXPECT_EQ(narrow.type, BlobType::str);
  EXPECT_TRUE(narrow.ascii);
  EXPECT_EQ(narrow.width, 1);
  EXPECT_EQ(narrow.length, 100U);
  EXPECT_EQ(content(narrow), text);

  const blob::View wide = view(values.str(text, 4));
  EXPECT_FALSE(wide.ascii);
  EXPECT_EQ(wide.width, 4);
  EXPECT_EQ(wide.length, 25U);
  EXPECT_EQ(content(wide), text);
}

TEST_F(Blob, KeepsBytes) {
  const std::string text("\0\xff\0abc", 6);
  const blob::View found = view(values.bytes(text));
  EXPECT_EQ(found.type, BlobType::bytes);
  EXPECT_EQ(content(found), text);
}

TEST_F(Blob, KeepsIntegersOfAnySize) {
  const blob::View middle = view(Values::integer(-(int64_t{1} << 50)));
  EXPECT_EQ(middle.type, BlobType::integer);
  EXPECT_TRUE(middle.negative);
  EXPECT_EQ(content(middle), std::string("\0\0\0\0\0\0\x04", 7));

  const blob::View lowest = view(Values::integer(std::numeric_limits<int64_t>::min()));
  EXPECT_EQ(content(lowest), std::string("\0\0\0\0\0\0\0\x80", 8));

  const std::string magnitude(1000, '\x01');
  const blob::View large = view(values.big(magnitude));
  EXPECT_FALSE(large.negative);
  EXPECT_EQ(content(large), magnitude);
}

TEST_F(Blob, KeepsBoxedFloatsAndComplexNumbers) {
  constexpr uint64_t kPayload = 0x7FF8'0000'0000'0007;
  const blob::View nan = view(Values::real(std::bit_cast<double>(kPayload)));
  EXPECT_EQ(nan.type, BlobType::real);
  EXPECT_EQ(std::memcmp(nan.data, &kPayload, 8), 0);

  const double parts[] = {1.5, -0.0};
  const blob::View number = view(Value::complex_of(parts[0], parts[1]));
  EXPECT_EQ(number.type, BlobType::complex);
  ASSERT_EQ(number.bytes, 16U);
  EXPECT_EQ(std::memcmp(number.data, parts, 16), 0);
}

TEST_F(Blob, IsThereAfterReopening) {
  const std::string text(1 << 20, 'y');
  store_blob(values.str(text));
  reopen();
  EXPECT_EQ(content(blob::view(pool(), root().offset())), text);
}

TEST_F(Blob, IsFreedWithItsSlot) {
  const uint64_t before = blocks();
  store_blob(values.str(std::string(100, 'x')));
  EXPECT_EQ(blocks(), before + 1);
  store_blob(values.str(std::string(200, 'x')));
  EXPECT_EQ(blocks(), before + 1);
  set_root(Values::none());
  EXPECT_EQ(blocks(), before);
}

TEST_F(Blob, DamagedHeadersAreRefused) {
  const Offset blob = store_blob(values.str(std::string(100, 'x')));
  auto* const header = pool().at<uint64_t>(blob);
  const uint64_t sound = *header;
  const uint64_t damaged[] = {
      0,                                   // no type
      sound | 0xFF,                        // an unknown type
      (sound & ~uint64_t{0xF00}) | 0x300,  // characters of 3 bytes
      sound | uint64_t{0xFFFF} << 48,      // longer than any pool
      sound | uint64_t{1} << 40,           // longer than this one
      sound | uint64_t{5000} << 16,        // longer than its block
      4,                                   // a real of no bytes
  };
  for (const uint64_t word : damaged) {
    *header = word;
    error_of(ErrorKind::corrupt, [&] { blob::view(pool(), blob); });
  }
  *header = sound;
  error_of(ErrorKind::corrupt, [&] { blob::view(pool(), 0); });
  error_of(ErrorKind::corrupt, [&] { blob::view(pool(), blob + 1); });
  error_of(ErrorKind::corrupt, [&] { blob::view(pool(), heap::kMaxOffset - 7); });
}

}  // namespace
}  // namespace nvm::object::testing
