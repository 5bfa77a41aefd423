#include "object/value/value.h"

#include <bit>

#include "object/key/number.h"

namespace nvm::object {

namespace {

Value pointing_at(Value::Kind kind, const void* data, uint64_t length) {
  Value value;
  value.kind = kind;
  value.data = data;
  value.length = length;
  return value;
}

}  // namespace

Value Value::str(const void* data, uint64_t length, unsigned width, bool ascii) {
  if (width == 1 && length <= Cell::kShortMax)
    return of(Cell::short_str(data, static_cast<unsigned>(length)));
  Value value = pointing_at(Kind::str, data, length);
  value.width = static_cast<uint8_t>(width);
  value.ascii = ascii;
  return value;
}

Value Value::bytes_of(const void* data, uint64_t length) {
  if (length <= Cell::kShortMax) return of(Cell::short_bytes(data, static_cast<unsigned>(length)));
  return pointing_at(Kind::bytes, data, length);
}

Value Value::real_of(double value) {
  if (Cell::real_fits(value)) return of(Cell::real(value));
  Value boxed;
  boxed.kind = Kind::real;
  boxed.low = std::bit_cast<uint64_t>(value);
  return boxed;
}

Value Value::complex_of(double real, double imaginary) {
  Value value;
  value.kind = Kind::complex;
  value.low = std::bit_cast<uint64_t>(real);
  value.high = std::bit_cast<uint64_t>(imaginary);
  return value;
}

Value Value::integer_of(int64_t value) {
  if (Cell::integer_fits(value)) return of(Cell::integer(value));
  Value large;
  large.kind = Kind::int64;
  large.low = static_cast<uint64_t>(value);
  return large;
}

Value Value::big_integer(const void* magnitude, uint64_t length, bool negative) {
  const Number number = Number::of(magnitude, length, negative);
  if (number.data == nullptr) {
    const uint64_t limit = (uint64_t{1} << 63) - (number.negative ? 0 : 1);
    if (number.small <= limit) {
      const uint64_t bits = number.negative ? 0 - number.small : number.small;
      return integer_of(static_cast<int64_t>(bits));
    }
  }
  const uint64_t bytes = number.data == nullptr ? sizeof number.small : number.bytes;
  Value value = pointing_at(Kind::integer, magnitude, bytes);
  value.negative = negative;
  return value;
}

}  // namespace nvm::object
