// Names of attributes and classes: UTF-8 outside (a lone surrogate as three bytes, Python's
// "surrogatepass"), canonical str inside.
#pragma once

#include <string>
#include <string_view>

#include "object/key/key.h"
#include "object/value/blob.h"
#include "object/value/value.h"

namespace nvm::object {

// A name on its way into a pool. Points into the caller's memory if it is ASCII.
class Name {
 public:
  explicit Name(std::string_view utf8);  // Error(value) if it is no UTF-8
  // As a value and key of its own: a cell if it is short.
  Value value() const { return Value::str(data(), length_, width_, ascii_); }
  // Always a str, for blob::create().
  Value text() const;

 private:
  const void* data() const { return ascii_ ? utf8_.data() : narrow_.data(); }

  std::string_view utf8_;
  std::string narrow_;  // the characters, width_ bytes each, if not ASCII
  uint64_t length_ = 0;
  unsigned width_ = 1;
  bool ascii_ = true;
};

std::string utf8_of(const void* characters, uint64_t length, unsigned width);
// Of a str blob, or of a key that is a str. Throws Error(corrupt) if it is none.
std::string utf8_of(const heap::Pool& pool, Offset text);
std::string utf8_of(const heap::Pool& pool, const StoredKey& key);

}  // namespace nvm::object
