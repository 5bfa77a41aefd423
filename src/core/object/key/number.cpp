#include "object/key/number.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

namespace nvm::object {

namespace {

constexpr unsigned kPrimeBits = 61;
constexpr uint64_t kPrime = (uint64_t{1} << kPrimeBits) - 1;
constexpr uint64_t kHashOfInfinity = 314159;
constexpr uint64_t kImaginaryFactor = 1000003;
constexpr uint64_t kNanFactor = 0x9E3779B97F4A7C15;  // 2^64 / golden ratio
constexpr int kMantissaBits = std::numeric_limits<double>::digits;
constexpr unsigned kWordBits = 64;

template <class T>
int compare_plain(T a, T b) {
  return a < b ? -1 : a > b ? 1 : 0;
}

// --- modulo 2^61 - 1 -----------------------------------------------------------------------------

uint64_t reduce(unsigned __int128 value) {
  value = (value & kPrime) + (value >> kPrimeBits);
  value = (value & kPrime) + (value >> kPrimeBits);
  const auto low = static_cast<uint64_t>(value);
  return low >= kPrime ? low - kPrime : low;
}

// Times a power of two, which turns the 61 bits round.
uint64_t times_power_of_two(uint64_t residue, int exponent) {
  const int turn = exponent % static_cast<int>(kPrimeBits);
  const unsigned left =
      static_cast<unsigned>(turn < 0 ? turn + static_cast<int>(kPrimeBits) : turn);
  return reduce(static_cast<unsigned __int128>(residue) << left);
}

uint64_t signed_hash(uint64_t residue, bool negative) { return negative ? 0 - residue : residue; }

// --- integers ------------------------------------------------------------------------------------

// The word that holds bytes [8 * index, 8 * index + 8) of the magnitude.
uint64_t word_of(const Number& integer, uint64_t index) {
  if (integer.data == nullptr) return index == 0 ? integer.small : 0;
  const uint64_t begin = index * sizeof(uint64_t);
  if (begin >= integer.bytes) return 0;
  uint64_t word = 0;
  const uint64_t rest = integer.bytes - begin;
  std::memcpy(&word, integer.data + begin, rest < sizeof word ? rest : sizeof word);
  return word;
}

uint64_t words_in(const Number& integer) {
  return integer.data == nullptr ? 1 : (integer.bytes + 7) / sizeof(uint64_t);
}

uint64_t bit_length(const Number& integer) {
  const uint64_t last = words_in(integer) - 1;
  return last * kWordBits + std::bit_width(word_of(integer, last));
}

uint64_t hash_integer(const Number& integer) {
  unsigned __int128 residue = 0;
  for (uint64_t i = words_in(integer); i-- > 0;)
    residue = reduce((residue << kWordBits) + word_of(integer, i));
  return signed_hash(static_cast<uint64_t>(residue), integer.negative);
}

int compare_magnitudes(const Number& a, const Number& b) {
  const uint64_t words = words_in(a);
  if (words != words_in(b)) return compare_plain(words, words_in(b));
  for (uint64_t i = words; i-- > 0;) {
    const int order = compare_plain(word_of(a, i), word_of(b, i));
    if (order != 0) return order;
  }
  return 0;
}

int compare_integers(const Number& a, const Number& b) {
  if (a.negative != b.negative) return a.negative ? -1 : 1;
  return a.negative ? compare_magnitudes(b, a) : compare_magnitudes(a, b);
}

// --- reals ---------------------------------------------------------------------------------------

uint64_t bits_of(double value) { return std::bit_cast<uint64_t>(value); }

uint64_t hash_real(double value) {
  if (std::isnan(value)) return bits_of(value) * kNanFactor;
  if (std::isinf(value)) return signed_hash(kHashOfInfinity, value < 0);
  int exponent = 0;
  const double fraction = std::frexp(std::fabs(value), &exponent);
  const auto mantissa = static_cast<uint64_t>(std::ldexp(fraction, kMantissaBits));
  const uint64_t residue = times_power_of_two(mantissa, exponent - kMantissaBits);
  return signed_hash(residue, value < 0);
}

// Whether any of the lowest `count` bits is set.
bool any_low_bits(const Number& integer, uint64_t count) {
  for (uint64_t i = 0; i < count / kWordBits; ++i)
    if (word_of(integer, i) != 0) return true;
  const uint64_t rest = count % kWordBits;
  return rest != 0 && (word_of(integer, count / kWordBits) << (kWordBits - rest)) != 0;
}

// The 64 bits from bit `begin` on.
uint64_t bits_from(const Number& integer, uint64_t begin) {
  const uint64_t index = begin / kWordBits;
  const unsigned shift = begin % kWordBits;
  if (shift == 0) return word_of(integer, index);
  return word_of(integer, index) >> shift | word_of(integer, index + 1) << (kWordBits - shift);
}

// An integer's magnitude with a finite, positive real.
int compare_magnitude(const Number& integer, double real) {
  int exponent = 0;
  const double fraction = std::frexp(real, &exponent);
  const uint64_t length = bit_length(integer);
  if (exponent < 1) return length == 0 ? -1 : 1;  // real < 1
  if (length != static_cast<uint64_t>(exponent)) {
    return compare_plain(length, static_cast<uint64_t>(exponent));
  }
  // Both have `length` bits before the point; put the highest at bit 63.
  const auto mantissa = static_cast<uint64_t>(std::ldexp(fraction, kWordBits));
  const uint64_t top = length >= kWordBits ? bits_from(integer, length - kWordBits)
                                           : integer.small << (kWordBits - length);
  const int order = compare_plain(top, mantissa);
  if (order != 0 || length <= kWordBits) return order;
  return any_low_bits(integer, length - kWordBits) ? 1 : 0;
}

int compare_integer_to_real(const Number& integer, double real) {
  if (std::isinf(real)) return real > 0 ? -1 : 1;
  const bool zero = integer.data == nullptr && integer.small == 0;
  if (real == 0) return zero ? 0 : integer.negative ? -1 : 1;
  if (zero || integer.negative != (real < 0)) return real < 0 ? 1 : -1;
  const int order = compare_magnitude(integer, std::fabs(real));
  return integer.negative ? -order : order;
}

// --- all -----------------------------------------------------------------------------------------

bool has_nan(const Number& number) {
  return std::isnan(number.real) || std::isnan(number.imaginary);
}

int compare_real_parts(const Number& a, const Number& b) {
  const bool a_integer = a.kind == Number::Kind::integer;
  const bool b_integer = b.kind == Number::Kind::integer;
  if (a_integer && b_integer) return compare_integers(a, b);
  if (a_integer) return compare_integer_to_real(a, b.real);
  if (b_integer) return -compare_integer_to_real(b, a.real);
  return compare_plain(a.real, b.real);
}

int compare_nans(const Number& a, const Number& b) {
  if (has_nan(a) != has_nan(b)) return has_nan(a) ? 1 : -1;
  if (a.kind != b.kind) return compare_plain(a.kind, b.kind);
  const int order = compare_plain(bits_of(a.real), bits_of(b.real));
  return order != 0 ? order : compare_plain(bits_of(a.imaginary), bits_of(b.imaginary));
}

}  // namespace

Number Number::of(int64_t value) {
  Number number;
  number.negative = value < 0;
  number.small = value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  return number;
}

Number Number::of(const void* magnitude, uint64_t bytes, bool negative) {
  const auto* data = static_cast<const unsigned char*>(magnitude);
  while (bytes > 0 && data[bytes - 1] == 0) --bytes;
  Number number;
  number.negative = negative && bytes != 0;
  if (bytes <= sizeof number.small) {
    if (bytes != 0) std::memcpy(&number.small, data, bytes);
  } else {
    number.data = data;
    number.bytes = bytes;
  }
  return number;
}

Number Number::of(double real) {
  Number number;
  number.kind = Kind::real;
  number.real = real;
  return number;
}

Number Number::of(double real, double imaginary) {
  Number number = of(real);
  number.kind = Kind::complex;
  number.imaginary = imaginary;
  return number;
}

uint64_t hash_of(const Number& number) {
  if (number.kind == Number::Kind::integer) return hash_integer(number);
  return hash_real(number.real) + kImaginaryFactor * hash_real(number.imaginary);
}

int compare(const Number& a, const Number& b) {
  if (has_nan(a) || has_nan(b)) return compare_nans(a, b);
  const int order = compare_real_parts(a, b);
  return order != 0 ? order : compare_plain(a.imaginary, b.imaginary);
}

}  // namespace nvm::object
