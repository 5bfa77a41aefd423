#include "object/value/name.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "pmem/error.h"

namespace nvm::object {
namespace {

[[noreturn]] void throw_no_utf8() {
  throw Error(ErrorKind::value, "a name is not encoded in UTF-8");
}

// Bytes of the sequence that begins with `first`; 0 if none does.
unsigned sequence_length(unsigned char first) {
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first < 0xE0) return 2;
  if (first >= 0xE0 && first < 0xF0) return 3;
  if (first >= 0xF0 && first < 0xF5) return 4;
  return 0;
}

// By the length of a sequence: what its first byte holds, and the least character that needs it.
constexpr unsigned char kFirstBits[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
constexpr char32_t kLastCharacter = 0x10FFFF;

// Takes one character off the front.
char32_t take(std::string_view& utf8) {
  const unsigned length = sequence_length(static_cast<unsigned char>(utf8[0]));
  if (length == 0 || length > utf8.size()) throw_no_utf8();
  char32_t character = static_cast<unsigned char>(utf8[0]) & kFirstBits[length];
  for (unsigned i = 1; i < length; ++i) {
    const auto byte = static_cast<unsigned char>(utf8[i]);
    if ((byte & 0xC0) != 0x80) throw_no_utf8();
    character = character << 6 | (byte & 0x3F);
  }
  if (character < kLeast[length] || character > kLastCharacter) throw_no_utf8();
  utf8.remove_prefix(length);
  return character;
}

void append_utf8(std::string& utf8, char32_t character) {
  const auto put = [&](char32_t byte) { utf8.push_back(static_cast<char>(byte)); };
  const auto put_rest = [&](unsigned shift) { put(0x80 | ((character >> shift) & 0x3F)); };
  if (character < 0x80) return put(character);
  if (character < 0x800) {
    put(0xC0 | character >> 6);
  } else {
    if (character < 0x10000) {
      put(0xE0 | character >> 12);
    } else {
      put(0xF0 | character >> 18);
      put_rest(12);
    }
    put_rest(6);
  }
  put_rest(0);
}

template <class Character>
std::string encode(const void* characters, uint64_t length) {
  std::string utf8;
  utf8.reserve(length);
  for (uint64_t i = 0; i < length; ++i) {
    Character character;
    std::memcpy(&character, static_cast<const char*>(characters) + i * sizeof character,
                sizeof character);
    if (uint32_t{character} > kLastCharacter) throw_corrupt("a name with impossible characters");
    append_utf8(utf8, character);
  }
  return utf8;
}

}  // namespace

Name::Name(std::string_view utf8) : utf8_(utf8), length_(utf8.size()) {
  ascii_ = std::all_of(utf8.begin(), utf8.end(), [](char c) { return (c & 0x80) == 0; });
  if (ascii_) return;
  std::vector<char32_t> characters;
  for (std::string_view rest = utf8; !rest.empty();) characters.push_back(take(rest));
  const char32_t largest = *std::max_element(characters.begin(), characters.end());
  width_ = largest < 0x100 ? 1 : largest < 0x10000 ? 2 : 4;
  length_ = characters.size();
  for (const char32_t character : characters)  // little-endian: the low bytes
    narrow_.append(reinterpret_cast<const char*>(&character), width_);
}

Value Name::text() const {
  Value value;
  value.kind = Value::Kind::str;
  value.width = static_cast<uint8_t>(width_);
  value.ascii = ascii_;
  value.data = data();
  value.length = length_;
  return value;
}

std::string utf8_of(const void* characters, uint64_t length, unsigned width) {
  switch (width) {
    case 1:
      return encode<unsigned char>(characters, length);
    case 2:
      return encode<char16_t>(characters, length);
    default:
      return encode<char32_t>(characters, length);
  }
}

std::string utf8_of(const heap::Pool& pool, Offset text) {
  const blob::View view = blob::view(pool, text);
  if (view.type != blob::BlobType::str) throw_corrupt("a name is no str");
  return utf8_of(view.data, view.length, view.width);
}

std::string utf8_of(const heap::Pool& pool, const StoredKey& key) {
  if (key.kind == StoredKey::Kind::str) return utf8_of(key.data, key.length, key.width);
  if (key.kind == StoredKey::Kind::cell && key.cell.kind() == Cell::Kind::blob)
    return utf8_of(pool, key.cell.offset());
  if (key.kind != StoredKey::Kind::cell || key.cell.kind() != Cell::Kind::str ||
      key.cell.short_length() > Cell::kShortMax)
    throw_corrupt("a name is no str");
  char characters[Cell::kShortMax];
  key.cell.short_copy(characters);
  return utf8_of(characters, key.cell.short_length(), 1);
}

}  // namespace nvm::object
