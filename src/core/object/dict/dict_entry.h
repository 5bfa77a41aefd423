// Entries of a dict: keys in the form in which they lie there.
//
// A str or bytes of up to 19 bytes lies in the entry itself (2-byte characters: up to 9), padded by
// zeros; any other key is a cell, of at most 5 characters as it is, longer texts as a blob.
#pragma once

#include <cstdint>

#include "heap/operation.h"
#include "heap/pool.h"
#include "object/dict/dict_layout.h"
#include "object/key/key.h"
#include "object/value/cell.h"

namespace nvm::object::dict {

// A key to look up, as its entry would be.
class EntryKey {
 public:
  explicit EntryKey(const Key& key);

  uint32_t hash() const { return hash_of_mark(mark_); }
  // Whether the entry, which has this hash, is that of an equal key.
  bool matches(heap::Pool& pool, const Entry& entry) const;

  // Whether an entry of this very key lies there as store() would write it. What it owns or refers
  // to may be elsewhere.
  bool has_form_of(const Entry& entry) const {
    return entry.mark == mark_ && (!plain() || (entry.low == low_ && entry.high == high_));
  }

  // What a new entry of this key owns beside its value.
  bool plain() const { return kind_ != EntryKind::cell || low_ != 0; }
  // Stores an entry for this key with its mark last; its line is flushed.
  void store(heap::Operation& op, Entry* entry, Cell value) const;

 private:
  void take_cell(const Value& value);
  void take_text(EntryKind kind, const void* text, uint64_t length, uint64_t bytes);

  const Key* key_;
  EntryKind kind_ = EntryKind::cell;
  bool exact_ = false;  // an equal key's entry has the very same bytes, or refers to a boxed value
  uint64_t mark_ = 0;
  uint64_t low_ = 0;  // a cell key: 0 if its cell is still to be made
  uint64_t high_ = 0;
};

// The key of an entry. Throws Error(corrupt) if it is none.
StoredKey stored_key(const Entry& entry);
// The cell that the entry's key owns; blank if the key lies in the entry.
Cell key_cell(const Entry& entry);

}  // namespace nvm::object::dict
