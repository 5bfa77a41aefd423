// Reading several entries of a dict, or of a set, under one latch: the header, the body and the
// index are checked once for all of them.
#pragma once

#include "object/dict/dict.h"
#include "object/dict/dict_table.h"

namespace nvm::object::dict {

// As the functions of the same names in dict.h. Stands until the dict changes or the latch is let
// go.
class Walk {
 public:
  Walk(Pool& pool, Offset dict) : table_(pool, settled(pool, dict)) {}

  uint64_t size() const { return table_.live(); }
  uint64_t used() const { return table_.used(); }
  uint64_t body_version() const { return table_.body(); }
  bool next(uint64_t& position, Item& item) const;
  bool previous(uint64_t& position, Item& item) const;
  StoredKey key_at(uint64_t number) const;

 private:
  Table table_;
};

}  // namespace nvm::object::dict
