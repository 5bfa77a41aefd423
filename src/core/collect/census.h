// Every allocated block of a pool, found without following a reference, in 16 bytes each.
//
// A block is found again by its offset in nearly constant time: an index says where the blocks of
// each 256 KiB of the file begin, and within these its place is guessed from the offset, since a
// run's blocks lie at equal distances.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "heap/format.h"
#include "heap/layout/heap_walk.h"
#include "heap/pool.h"

namespace nvm::collect {

// What a block is by its type number, and, for one of a memory manager, by its class id.
enum class BlockClass : uint8_t {
  plain,    // no count: a blob, a body, a segment, a table
  object,   // a counted object of a type known here, or of a class with code of its own
  memory,   // mere memory of a memory manager (object/raw/raw.h), whose use others know
  unknown,  // a type number that this version gives to nothing
};
BlockClass class_of_block(const heap::Pool& pool, const heap::Block& block);

// An object's type and class in one word, and what they are called: a record by its class. Throws
// Error(corrupt) for an unknown class.
uint64_t type_key(const heap::Pool& pool, heap::Offset object);
std::string type_name(heap::Pool& pool, uint64_t key);

class Entry {
 public:
  Entry(heap::Offset offset, BlockClass kind, uint64_t usable) noexcept
      : word_(offset | uint64_t{static_cast<uint8_t>(kind)} << kClassShift),
        number_(kind == BlockClass::object ? 0 : usable) {}

  heap::Offset offset() const noexcept { return word_ & heap::kMaxOffset; }
  BlockClass kind() const noexcept { return static_cast<BlockClass>(word_ >> kClassShift & 0xFF); }
  bool object() const noexcept { return kind() == BlockClass::object; }
  // Of an object: references found so far. Of any other block: bytes in it.
  uint64_t references() const noexcept { return number_; }
  uint64_t usable() const noexcept { return number_; }
  void add_reference() noexcept { ++number_; }

  // An object that a root leads to, or a block that something owns.
  bool reached() const noexcept { return (word_ & kReached) != 0; }
  void set_reached() noexcept { word_ |= kReached; }

 private:
  static constexpr unsigned kClassShift = 48;
  static constexpr uint64_t kReached = uint64_t{1} << 56;

  uint64_t word_;
  uint64_t number_;
};
static_assert(sizeof(Entry) == 16);

class Census {
 public:
  // Adds blocks in ascending order of their offsets; then seal().
  void reserve(uint64_t blocks) { entries_.reserve(blocks); }
  void add(const heap::Block& block, BlockClass kind);
  void seal(uint64_t pool_size);

  // Bytes in a block.
  static uint64_t usable(const heap::Pool& pool, const Entry& entry);
  // nullptr if no block starts there.
  Entry* find(heap::Offset offset) noexcept;
  std::vector<Entry>& entries() noexcept { return entries_; }

 private:
  std::vector<Entry> entries_;
  std::vector<uint64_t> begins_;  // of each kStretch bytes: the first entry there or beyond
};

}  // namespace nvm::collect
