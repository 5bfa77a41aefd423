// A dict's body as a reader sees it, or as an operation is going to leave it. Every offset and
// number is checked as it is read.
#pragma once

#include <cstdint>
#include <span>

#include "heap/operation.h"
#include "heap/pool.h"
#include "object/dict/dict_entry.h"
#include "object/dict/dict_layout.h"

namespace nvm::object::dict {

using heap::Operation;
using heap::Pool;

// Where a key is, or where the index can take it.
struct Probe {
  Entry* entry = nullptr;     // of the key; nullptr: it is absent
  uint64_t number = 0;        // of that entry
  uint64_t* blank = nullptr;  // the first blank slot; nullptr: there is none
  uint64_t* stale = nullptr;  // a slot before it whose number is not used
  uint64_t steps = 0;
};

// The slots of an index. A probe begins at a hash's first slot and ends after all of them.
struct Slots {
  uint64_t* begin = nullptr;
  uint64_t count = 0;
  uint64_t* first(uint32_t hash) const { return begin + ((uint64_t{hash} * count) >> 32); }
  uint64_t* next(uint64_t* slot) const { return slot + 1 == begin + count ? begin : slot + 1; }
  void prefetch(uint32_t hash) const { __builtin_prefetch(first(hash), 1); }
};

inline constexpr uint64_t slot_word(uint32_t hash, uint64_t number) {
  return hash | (number + 1) << 32;
}
inline constexpr uint64_t number_of_slot(uint64_t slot) { return (slot >> 32) - 1; }

class Table {
 public:
  Table(Pool& pool, Header* header) : Table(pool, nullptr, header, false) {}
  Table(Operation& op, Header* header) : Table(op.pool(), &op, header, false) {}
  // Of a dict that this operation has made: nothing refers to it, so words are stored at once.
  static Table fresh(Operation& op, Header* header) { return {op.pool(), &op, header, true}; }

  Pool& pool() const { return pool_; }
  bool has_body() const { return body_ != nullptr; }
  bool large() const { return large_; }
  Offset body() const { return offset_; }
  uint64_t used() const { return used_; }
  uint64_t deletions() const { return deleted_ >> 32; }
  uint64_t live() const { return used_ - deletions(); }
  uint64_t noted() const { return deleted_ & 0xFFFFFFFF; }  // number + 1 of the last deletion
  uint64_t room() const { return room_; }  // entries of an inline body, pointers of a large one

  // The place of an entry. REQUIRES: its body or segment has room for it.
  Entry* entry(uint64_t number) const;
  Cell value(const Entry* entry) const { return Cell(load(&entry->value)); }
  Probe find(const EntryKey& key) const;
  // Brings into the processor's caches what find() reads first for each of them.
  void prefetch(std::span<const Key> keys) const;

  // ---- Large bodies
  Offset segment(uint64_t segment) const { return load(&pointers()[segment]); }
  unsigned index_log2() const { return index_log2_; }
  Offset index() const { return index_offset_; }
  const Slots& slots() const { return slots_; }
  // The rule of slots: whether what a slot says is so.
  bool counts(uint64_t slot) const;

  // ---- Changes, by the operation
  // Words of the body are stored at once if this operation made the body.
  void set_body(Offset body);
  void set_used(uint64_t used);
  void set_deleted(uint64_t deletions, uint64_t noted);
  void set_index(Offset index, unsigned log2);
  void set_segment(uint64_t segment, Offset offset);
  void set_value(Entry* entry, Cell value);
  // True if entries and slots that are not used may be in use again should this operation or its
  // transaction be undone: what is not blank is logged before it is overwritten.
  bool careful() const;
  bool body_is_fresh() const { return fresh_body_; }

 private:
  Table(Pool& pool, Operation* op, Header* header, bool fresh);
  uint64_t load(const uint64_t* word) const { return op_ ? op_->get(word) : pmem::load(word); }
  void assign(uint64_t* word, uint64_t value, bool at_once);
  void read_body();
  void read_index(uint64_t word);
  uint64_t* pointers() const { return reinterpret_cast<uint64_t*>(body_ + 1); }
  Entry* large_entry(uint64_t number) const;
  Probe find_inline(const EntryKey& key) const;
  [[noreturn]] void damaged(const char* what) const;

  Pool& pool_;
  Operation* op_;
  Header* header_;
  Body* body_ = nullptr;
  Offset offset_ = 0;
  uint64_t used_ = 0;
  uint64_t deleted_ = 0;
  uint64_t room_ = 0;
  Slots slots_;
  Offset index_offset_ = 0;
  unsigned index_log2_ = 0;
  bool large_ = false;
  bool fresh_dict_;
  bool fresh_body_ = false;
};

// The header of a dict, or of a set, which is laid out as one (set.h).
Header* header_of(Pool& pool, Offset dict);
// The same, settled for this opening: what a power cut left of the last insert or
// delete has been completed or dropped (dict_settle.cpp).
Header* settled(Pool& pool, Offset dict);

}  // namespace nvm::object::dict
