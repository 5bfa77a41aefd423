// A cell: one value in 8 bytes, so that it can be replaced by one atomic store.
//
// A float is its bits XOR 0xFFFF'0000'0000'0000. What that leaves free (the NaNs other than the
// canonical one) holds everything else, told apart by the top 16 bits:
//   0x0000  a constant: None 1, False 2, True 3, Ellipsis 4. The cell 0 is a blank place.
//   0x0001  an integer of 48 bits, two's complement
//   0x0002  a str of at most 5 Latin-1 characters: byte 5 the length, bytes 0..4 the characters
//   0x0003  bytes of at most 5 bytes, likewise
//   0x0004  a blob that this slot owns alone (blob.h): its offset
//   0x0005  a reference to a counted object: its offset
//   0x0006, 0x0007, 0x8000..0x8006  reserved
//
// No value's cell is 0. Equal floats have equal cells but for 0.0 and -0.0; a NaN whose bits are
// not 0x7FF8'0000'0000'0000 is a blob.
#pragma once

#include <cstdint>
#include <cstring>

#include "heap/format.h"

namespace nvm::object {

using heap::Offset;

class Cell {
 public:
  constexpr Cell() = default;
  constexpr explicit Cell(uint64_t bits) : bits_(bits) {}
  constexpr uint64_t bits() const { return bits_; }
  constexpr bool blank() const { return bits_ == 0; }
  friend constexpr bool operator==(Cell, Cell) = default;

  enum class Kind : uint8_t { blank, constant, integer, str, bytes, blob, object, real, invalid };
  constexpr Kind kind() const;

  static constexpr Cell none() { return Cell(1); }
  static constexpr Cell boolean(bool value) { return Cell(value ? 3 : 2); }
  static constexpr Cell ellipsis() { return Cell(4); }

  static constexpr bool integer_fits(int64_t value) {
    return value >= -(int64_t{1} << 47) && value < (int64_t{1} << 47);
  }
  static constexpr Cell integer(int64_t value) {
    return Cell((kInteger << kShift) | (static_cast<uint64_t>(value) & kPayload));
  }
  constexpr int64_t as_integer() const { return static_cast<int64_t>(bits_ << 16) >> 16; }

  static bool real_fits(double value) { return value == value || bits_of(value) == kCanonicalNan; }
  static Cell real(double value) { return Cell(bits_of(value) ^ kFloatMask); }
  double as_real() const {
    const uint64_t bits = bits_ ^ kFloatMask;
    double value = 0;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }

  static constexpr unsigned kShortMax = 5;
  // Latin-1 characters or bytes; REQUIRES length <= kShortMax.
  static Cell short_str(const void* characters, unsigned length) {
    return short_text(kStr, characters, length);
  }
  static Cell short_bytes(const void* bytes, unsigned length) {
    return short_text(kBytes, bytes, length);
  }
  // Valid cells have at most kShortMax; a damaged one may say more, up to 255.
  constexpr unsigned short_length() const { return static_cast<unsigned>((bits_ >> 40) & 0xFF); }
  // REQUIRES a str or bytes: what lies behind its characters is zero, as in every cell that was
  // made.
  constexpr bool short_is_sound() const {
    const uint64_t text = bits_ & ((uint64_t{1} << 8 * kShortMax) - 1);
    return short_length() <= kShortMax && text >> 8 * short_length() == 0;
  }
  void short_copy(char* destination) const { std::memcpy(destination, &bits_, kShortMax); }

  static constexpr Cell blob(Offset offset) { return Cell((kBlob << kShift) | offset); }
  static constexpr Cell object(Offset offset) { return Cell((kObject << kShift) | offset); }
  constexpr Offset offset() const { return bits_ & kPayload; }

 private:
  static constexpr unsigned kShift = 48;
  static constexpr uint64_t kPayload = (uint64_t{1} << kShift) - 1;
  static constexpr uint64_t kInteger = 1, kStr = 2, kBytes = 3, kBlob = 4, kObject = 5;
  static constexpr uint64_t kFloatMask = uint64_t{0xFFFF} << kShift;
  static constexpr uint64_t kCanonicalNan = uint64_t{0x7FF8} << kShift;

  static uint64_t bits_of(double value) {
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
  }
  static Cell short_text(uint64_t tag, const void* text, unsigned length) {
    uint64_t bits = (tag << kShift) | (uint64_t{length} << 40);
    if (length != 0) std::memcpy(&bits, text, length);  // little-endian: the low bytes
    return Cell(bits);
  }

  uint64_t bits_ = 0;
};
static_assert(sizeof(Cell) == 8);

constexpr Cell::Kind Cell::kind() const {
  const uint64_t top = bits_ >> kShift;
  switch (top) {
    case 0:
      return bits_ == 0 ? Kind::blank : bits_ <= 4 ? Kind::constant : Kind::invalid;
    case kInteger:
      return Kind::integer;
    case kStr:
      return Kind::str;
    case kBytes:
      return Kind::bytes;
    case kBlob:
      return Kind::blob;
    case kObject:
      return Kind::object;
    default:
      break;
  }
  const uint64_t magnitude = top & 0x7FFF;
  if (magnitude > 7) return Kind::real;
  // 0x8007 is the canonical NaN's place; everything else here is reserved.
  return bits_ == (kCanonicalNan ^ kFloatMask) ? Kind::real : Kind::invalid;
}

}  // namespace nvm::object
