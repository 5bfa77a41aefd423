// Numbers as keys: equal and hashed as Python does it, across its types and exactly.
//
// The hash is that of Python's documentation, "Hashing of numeric types": a number's value modulo
// the prime 2^61 - 1, with inf, and imaginary parts times 1000003; it is part of the format. A NaN
// is equal to a number of the same type with the same bits, and is hashed by them.
#pragma once

#include <cstdint>

namespace nvm::object {

struct Number {
  enum class Kind : uint8_t { integer, real, complex };
  Kind kind = Kind::integer;
  bool negative = false;                // integer; false for 0
  uint64_t small = 0;                   // its magnitude, if data is nullptr
  const unsigned char* data = nullptr;  // a larger one: little-endian, the last byte is not 0
  uint64_t bytes = 0;                   // more than 8
  double real = 0;
  double imaginary = 0;

  static Number of(int64_t value);
  // Any little-endian magnitude; leading zeros are left out.
  static Number of(const void* magnitude, uint64_t bytes, bool negative);
  static Number of(double real);
  static Number of(double real, double imaginary);
};

uint64_t hash_of(const Number& number);

// A total order in which 0 means equal as keys: by real, then by imaginary part; what holds a NaN
// comes last.
int compare(const Number& a, const Number& b);

}  // namespace nvm::object
