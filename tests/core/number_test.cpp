#include "object/key/number.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace nvm::object {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
const double kNan = std::bit_cast<double>(uint64_t{0x7FF8'0000'0000'0000});
const double kOtherNan = std::bit_cast<double>(uint64_t{0x7FF8'0000'0000'0001});

// An integer with its magnitude.
class Integer {
 public:
  explicit Integer(const std::string& hexadecimal, bool negative = false)
      : magnitude_((hexadecimal.size() + 1) / 2, '\0'), negative_(negative) {
    for (size_t i = 0; i < hexadecimal.size(); ++i) {
      const char digit = hexadecimal[hexadecimal.size() - 1 - i];
      const int value = digit <= '9' ? digit - '0' : digit - 'a' + 10;
      magnitude_[i / 2] = static_cast<char>(magnitude_[i / 2] | value << (4 * (i % 2)));
    }
  }
  explicit Integer(__int128 value) : negative_(value < 0) {
    auto rest = static_cast<unsigned __int128>(negative_ ? -value : value);
    for (; rest != 0; rest >>= 8) magnitude_.push_back(static_cast<char>(rest & 0xFF));
  }
  Number number() const { return Number::of(magnitude_.data(), magnitude_.size(), negative_); }

 private:
  std::string magnitude_;
  bool negative_;
};

int sign(int order) { return (order > 0) - (order < 0); }

// The answer of both directions, which must agree.
int order(const Number& a, const Number& b) {
  EXPECT_EQ(sign(compare(a, b)), -sign(compare(b, a)));
  return sign(compare(a, b));
}

TEST(NumberHash, IntegersHashAsInPython) {
  struct Case {
    std::string magnitude;
    bool negative;
    uint64_t hash;
  };
  const std::string zeros(250, '0');
  for (const Case& one : std::vector<Case>{
           {"0", false, 0},
           {"1", false, 1},
           {"2", true, 0xfffffffffffffffe},
           {"800000000000", true, 0xffff800000000000},
           {"1ffffffffffffffe", false, 0x1ffffffffffffffe},
           {"1fffffffffffffff", false, 0},
           {"2000000000000000", false, 1},
           {"7fffffffffffffff", false, 3},
           {"8000000000000000", true, 0xfffffffffffffffc},
           {"ffffffffffffffff", false, 7},
           {"10000000000000000", false, 8},
           {"10000000000000005", true, 0xfffffffffffffff3},
           {"c9f2c9cd04674edea40000000", false, 0x674ee4f3964e682},
           {"c9f2c9cd04674edea40000000", true, 0xf98b11b0c69b197e},
           {"3ffffffffffffffffffffffffffffff", false, 0},
           {"1fd5863c3eb0469ec21a937a76f3432ffd73d97e447606b683ecf6f6e4a7ae225bfaff1eaaf8b0a1",
            false, 0x5e3cf3fd8a82b5c},
           {"1" + zeros, false, 0x1000000},
       })
    EXPECT_EQ(hash_of(Integer(one.magnitude, one.negative).number()), one.hash) << one.magnitude;
}

TEST(NumberHash, RealsHashAsInPython) {
  struct Case {
    double value;
    uint64_t hash;
  };
  for (const Case one : {
           Case{0.0, 0},
           {-0.0, 0},
           {1.0, 1},
           {-2.0, 0xfffffffffffffffe},
           {0.5, 0x1000000000000000},
           {0.1, 0x333333333333340},
           {-0.1, 0xfcccccccccccccc0},
           {1e300, 0x11000eb38017e43c},
           {-1e-300, 0xf94dfea91e03d071},
           {5e-324, 0x1000000},
           {std::numeric_limits<double>::max(), 0x1f00ffffffffffff},
           {0x1p+61, 1},
           {0x1.0000000000001p+60, 0x1000000000000100},
           {123456.789, 0x193f7ced9201e240},
           {kInfinity, 0x4cb2f},
           {-kInfinity, 0xfffffffffffb34d1},
       })
    EXPECT_EQ(hash_of(Number::of(one.value)), one.hash) << one.value;
}

TEST(NumberHash, ComplexNumbersHashAsInPython) {
  EXPECT_EQ(hash_of(Number::of(0.0, 1.0)), 0xf4243U);
  EXPECT_EQ(hash_of(Number::of(1.0, 2.0)), 0x1e8487U);
  EXPECT_EQ(hash_of(Number::of(0.5, -0.25)), 0xf800000000000000U);
  EXPECT_EQ(hash_of(Number::of(-1.5, 1e10)), 0xf02386f96be4abffU);
  EXPECT_EQ(hash_of(Number::of(0.0, kInfinity)), 0x4925644b4dU);
  EXPECT_EQ(hash_of(Number::of(3.0, -0.0)), 3U);
}

TEST(NumberOrder, EqualNumbersOfAllTypesMeet) {
  const Number integer = Number::of(int64_t{1});
  for (const Number& other : {Number::of(1.0), Number::of(1.0, 0.0), Number::of(1.0, -0.0)}) {
    EXPECT_EQ(order(integer, other), 0);
    EXPECT_EQ(hash_of(integer), hash_of(other));
  }
  EXPECT_EQ(order(Number::of(0.0), Number::of(-0.0)), 0);
  EXPECT_EQ(order(Number::of(int64_t{0}), Number::of(-0.0)), 0);
  EXPECT_NE(order(integer, Number::of(1.0, 5e-324)), 0);
}

TEST(NumberOrder, IntegersBeyondThePrecisionOfRealsAreToldApart) {
  const Integer exact("20000000000000"), above("20000000000001");
  EXPECT_EQ(order(exact.number(), Number::of(0x1p53)), 0);
  EXPECT_EQ(order(above.number(), Number::of(0x1p53)), 1);
  const std::string zeros(30, '0');
  EXPECT_EQ(order(Integer("1" + zeros).number(), Number::of(0x1p120)), 0);
  EXPECT_EQ(order(Integer("1" + zeros.substr(1) + "1").number(), Number::of(0x1p120)), 1);
  EXPECT_EQ(order(Integer("1" + zeros, true).number(), Number::of(-0x1p120)), 0);
  EXPECT_EQ(order(Integer("1" + zeros.substr(1) + "1", true).number(), Number::of(-0x1p120)), -1);
}

TEST(NumberOrder, IntegersThatNoRealReachesAreLessThanInfinity) {
  const Integer huge("1" + std::string(300, '0'));
  EXPECT_EQ(order(huge.number(), Number::of(std::numeric_limits<double>::max())), 1);
  EXPECT_EQ(order(huge.number(), Number::of(kInfinity)), -1);
  EXPECT_EQ(order(huge.number(), Number::of(-kInfinity)), 1);
}

TEST(NumberOrder, FractionsLieBetweenIntegers) {
  EXPECT_EQ(order(Number::of(int64_t{1}), Number::of(1.5)), -1);
  EXPECT_EQ(order(Number::of(int64_t{2}), Number::of(1.5)), 1);
  EXPECT_EQ(order(Number::of(int64_t{0}), Number::of(0.5)), -1);
  EXPECT_EQ(order(Number::of(int64_t{0}), Number::of(-0.5)), 1);
  EXPECT_EQ(order(Number::of(int64_t{-1}), Number::of(-0.5)), -1);
  EXPECT_EQ(order(Number::of(int64_t{-1}), Number::of(-1.5)), 1);
}

TEST(NumberOrder, NansEqualThemselvesAndNothingElse) {
  EXPECT_EQ(order(Number::of(kNan), Number::of(kNan)), 0);
  EXPECT_EQ(hash_of(Number::of(kNan)), hash_of(Number::of(kNan)));
  EXPECT_NE(order(Number::of(kNan), Number::of(kOtherNan)), 0);
  EXPECT_NE(order(Number::of(kNan), Number::of(kNan, 0.0)), 0);
  EXPECT_NE(order(Number::of(kNan), Number::of(int64_t{0})), 0);
  EXPECT_NE(order(Number::of(kNan), Number::of(kInfinity)), 0);
  EXPECT_EQ(order(Number::of(1.0, kNan), Number::of(1.0, kNan)), 0);
  EXPECT_NE(order(Number::of(1.0, kNan), Number::of(kNan, 1.0)), 0);
}

TEST(NumberOrder, LeadingZerosAndTheSignOfZeroMeanNothing) {
  const std::string padded("\x05\0\0\0\0\0\0\0\0\0\0", 11);
  EXPECT_EQ(order(Number::of(padded.data(), padded.size(), false), Number::of(int64_t{5})), 0);
  EXPECT_EQ(order(Number::of(padded.data() + 1, 10, true), Number::of(int64_t{0})), 0);
}

// A real of about the size of an integer of up to 110 bits, often equal to it.
double real_near(__int128 value, std::mt19937_64& random) {
  auto real = static_cast<double>(value);
  const uint64_t choice = random() % 4;
  if (choice == 1) real = std::nextafter(real, kInfinity);
  if (choice == 2) real = std::nextafter(real, -kInfinity);
  if (choice == 3) real += 0.5;
  return real;
}

int exact_order(__int128 value, double real) {
  const double whole = std::floor(real);
  const auto below = static_cast<__int128>(whole);
  if (value != below) return value < below ? -1 : 1;
  return real == whole ? 0 : -1;
}

TEST(NumberOrder, RandomIntegersAndRealsCompareExactly) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 100'000; ++i) {
    const unsigned bits = static_cast<unsigned>(random() % 110);
    auto value = static_cast<__int128>(random()) << 64 | random();
    value = (value & ((__int128{1} << bits) - 1)) * (random() % 2 == 0 ? 1 : -1);
    if (random() % 2 == 0) value = static_cast<__int128>(static_cast<double>(value));
    const double real = real_near(value, random);
    const Integer integer(value);
    ASSERT_EQ(order(integer.number(), Number::of(real)), exact_order(value, real)) << real;
    if (exact_order(value, real) == 0) {
      ASSERT_EQ(hash_of(integer.number()), hash_of(Number::of(real)));
    }
  }
}

TEST(NumberOrder, RandomIntegersCompareExactly) {
  std::mt19937_64 random(2);
  const auto any = [&] {
    const auto bits = static_cast<unsigned>(random() % 126);
    const auto value = static_cast<__int128>(random()) << 64 | random();
    return (value & ((__int128{1} << bits) - 1)) * (random() % 2 == 0 ? 1 : -1);
  };
  for (int i = 0; i < 100'000; ++i) {
    const __int128 a = any();
    const __int128 b = random() % 2 == 0 ? any() : a + static_cast<int>(random() % 3) - 1;
    ASSERT_EQ(order(Integer(a).number(), Integer(b).number()), (a > b) - (a < b));
  }
}

}  // namespace
}  // namespace nvm::object
