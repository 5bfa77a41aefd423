#include "object/dict/dict_walk.h"

#include <string>

#include "pmem/error.h"

namespace nvm::object::dict {

bool Walk::next(uint64_t& position, Item& item) const {
  while (position < table_.used()) {
    item = {position, table_.value(table_.entry(position))};
    ++position;
    if (!item.value.blank()) return true;
  }
  return false;
}

bool Walk::previous(uint64_t& position, Item& item) const {
  if (position > table_.used()) position = table_.used();
  while (position > 0) {
    --position;
    item = {position, table_.value(table_.entry(position))};
    if (!item.value.blank()) return true;
  }
  return false;
}

StoredKey Walk::key_at(uint64_t number) const {
  if (number >= table_.used())
    throw Error(ErrorKind::index, "a dict has no entry of number " + std::to_string(number));
  return stored_key(*table_.entry(number));
}

}  // namespace nvm::object::dict
