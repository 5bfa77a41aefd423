#include "object/value/blob.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "heap/layout/heap_walk.h"
#include "object/key/number.h"

namespace nvm::object::blob {

namespace {

constexpr unsigned kWidthShift = 8;
constexpr uint64_t kWidthMask = 0xF;
constexpr uint64_t kFlag = uint64_t{1} << 12;
constexpr unsigned kLengthShift = 16;
constexpr uint64_t kHeaderBytes = sizeof(uint64_t);
constexpr uint64_t kMaxLength = heap::kMaxOffset >> 2;  // times the width it is an offset still

// What is to be written: the header's fields and the bytes behind it.
struct Content {
  BlobType type;
  unsigned width = 0;
  bool flag = false;
  uint64_t length = 0;
  const void* data = nullptr;
  uint64_t bytes = 0;

  uint64_t header() const {
    return static_cast<uint64_t>(type) | uint64_t{width} << kWidthShift | (flag ? kFlag : 0) |
           length << kLengthShift;
  }
};

Content plain(BlobType type, const void* data, uint64_t bytes) {
  return {.type = type, .length = bytes, .data = data, .bytes = bytes};
}

// `buffer` holds what the value does not point at.
Content content_of(const Value& value, uint64_t (&buffer)[2]) {
  switch (value.kind) {
    case Value::Kind::str:
      return {BlobType::str, value.width, value.ascii,
              value.length,  value.data,  value.length * value.width};
    case Value::Kind::bytes:
      return plain(BlobType::bytes, value.data, value.length);
    case Value::Kind::int64: {
      const Number number = Number::of(static_cast<int64_t>(value.low));
      buffer[0] = number.small;
      Content content = plain(BlobType::integer, buffer, (std::bit_width(number.small) + 7) / 8);
      content.flag = number.negative;
      return content;
    }
    case Value::Kind::integer: {
      Content content = plain(BlobType::integer, value.data, value.length);
      content.flag = value.negative;
      return content;
    }
    case Value::Kind::real:
      buffer[0] = value.low;
      return plain(BlobType::real, buffer, sizeof buffer[0]);
    case Value::Kind::complex:
      buffer[0] = value.low;
      buffer[1] = value.high;
      return plain(BlobType::complex, buffer, sizeof buffer);
    default:
      throw Error(ErrorKind::internal, "no blob holds a value of this kind");
  }
}

[[noreturn]] void throw_no_blob(Offset blob) {
  throw_corrupt("no str, bytes or number at offset " + std::to_string(blob));
}

bool is_sound(const View& view) {
  switch (view.type) {
    case BlobType::str:
      return view.width == 1 || view.width == 2 || view.width == 4;
    case BlobType::bytes:
    case BlobType::integer:
      return true;
    case BlobType::real:
      return view.length == sizeof(double);
    case BlobType::complex:
      return view.length == 2 * sizeof(double);
  }
  return false;
}

template <class Character>
uint32_t largest(const void* characters, uint64_t length) {
  uint32_t most = 0;
  for (uint64_t i = 0; i < length; ++i) {
    Character character;
    std::memcpy(&character, static_cast<const char*>(characters) + i * sizeof character,
                sizeof character);
    most = std::max<uint32_t>(most, character);
  }
  return most;
}

// A damaged length gives what lies behind the blob: not so much that it takes long, or deceives.
constexpr uint64_t kAlwaysRead = 4096;

bool fits_its_block(const heap::Pool& pool, Offset blob, uint64_t size) {
  const heap::PoolFile& file = pool.file();
  const auto block = heap::quick_block_at(file.base(), file.size(), blob);
  return !block || size <= block->usable;  // if there is none, it is not published yet
}

double real_at(const char* data) {
  double value = 0;
  std::memcpy(&value, data, sizeof value);
  return value;
}

}  // namespace

View view(const heap::Pool& pool, Offset blob) {
  const uint64_t* word = pool.at<uint64_t>(blob);
  const uint64_t header = *word;
  View view{};
  view.type = static_cast<BlobType>(header & 0xFF);
  view.width = static_cast<uint8_t>(header >> kWidthShift & kWidthMask);
  view.length = header >> kLengthShift;
  if (!is_sound(view) || view.length > kMaxLength) throw_no_blob(blob);
  const bool text = view.type == BlobType::str;
  view.bytes = text ? view.length * view.width : view.length;
  view.ascii = text && (header & kFlag) != 0;
  view.negative = view.type == BlobType::integer && (header & kFlag) != 0;
  const uint64_t size = kHeaderBytes + view.bytes;
  pool.at<char>(blob, size);  // checks where it ends
  if (size > kAlwaysRead && !fits_its_block(pool, blob, size)) throw_no_blob(blob);
  view.data = reinterpret_cast<const char*>(word + 1);
  return view;
}

uint64_t size_of(const View& view) { return kHeaderBytes + view.bytes; }

Value value_of(const View& view) {
  switch (view.type) {
    case BlobType::str:
      return Value::str(view.data, view.length, view.width, view.ascii);
    case BlobType::bytes:
      return Value::bytes_of(view.data, view.length);
    case BlobType::integer:
      return Value::big_integer(view.data, view.length, view.negative);
    case BlobType::real:
      return Value::real_of(real_at(view.data));
    case BlobType::complex:
      return Value::complex_of(real_at(view.data), real_at(view.data + sizeof(double)));
  }
  throw Error(ErrorKind::internal, "a blob of an unknown type");
}

bool is_canonical(const void* characters, uint64_t length, unsigned width, bool ascii) {
  constexpr uint32_t ascii_end = 0x80, latin1_end = 0x100, wide_end = 0x10000, end = 0x110000;
  if (width == 1) return (largest<uint8_t>(characters, length) < ascii_end) == ascii;
  const uint32_t most =
      width == 2 ? largest<uint16_t>(characters, length) : largest<uint32_t>(characters, length);
  return !ascii && most >= (width == 2 ? latin1_end : wide_end) && most < end;
}

const char* flaw_of(const heap::Pool& pool, Offset blob, bool name) {
  const View view = blob::view(pool, blob);
  const bool text = view.type == BlobType::str;
  const bool flagged = text ? view.ascii : view.negative;
  const uint64_t header = Content{.type = view.type,
                                  .width = text ? view.width : 0U,
                                  .flag = flagged,
                                  .length = view.length}
                              .header();
  if (*pool.at<uint64_t>(blob) != header) return "a large value with unknown flags";
  if (text && !is_canonical(view.data, view.length, view.width, view.ascii))
    return "a str that is not in its narrowest form, or falsely ASCII or not";
  if (view.type == BlobType::integer && (view.length == 0 || view.data[view.length - 1] == 0))
    return "an integer with leading zeros";
  if (!name && value_of(view).kind == Value::Kind::cell)
    return "a large value that would fit its place";
  return nullptr;
}

Offset create(heap::Operation& op, const Value& value) {
  uint64_t buffer[2];
  const Content content = content_of(value, buffer);
  const Offset blob = op.allocate_blob(kHeaderBytes + content.bytes);
  auto* word = op.at<uint64_t>(blob, kHeaderBytes + content.bytes);
  op.fill(word, content.header(), {{static_cast<const uint8_t*>(content.data), content.bytes}});
  return blob;
}

Offset copy(heap::Operation& op, Offset blob) {
  const uint64_t bytes = kHeaderBytes + view(op.pool(), blob).bytes;
  const Offset fresh = op.allocate_blob(bytes);
  const auto* const word = op.at<uint64_t>(blob, bytes);
  const auto* const content = reinterpret_cast<const uint8_t*>(word + 1);
  op.fill(op.at<uint64_t>(fresh, bytes), *word, {{content, bytes - kHeaderBytes}});
  return fresh;
}

}  // namespace nvm::object::blob
