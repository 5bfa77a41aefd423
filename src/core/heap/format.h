// What lies on the medium, everything little-endian, offsets counted from the pool's start.
// docs/format.md is the page for readers; these constants must match it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nvm::heap {

using Offset = uint64_t;  // 0 is none; at most 48 bits

inline constexpr uint32_t kFormatMajor = 1;
inline constexpr uint32_t kFormatMinor = 0;
inline constexpr const char* kLayoutName = "pynvm-1";  // "pynvm-" + kFormatMajor
inline constexpr const char* kLayoutPrefix = "pynvm-";
inline constexpr uint64_t kRootMagic = 0x31304d564e595031;
inline constexpr uint64_t kMaxOffset = (uint64_t{1} << 48) - 1;

// Type codes of counted objects: libpmemobj's type number of their compact header.
// Ordinary blobs have no header or type number kBlob.
enum class Type : uint64_t {
  none = 0,
  root = 1,
  list = 2,
  dict = 3,
  record = 4,
  tuple = 5,
  frozenset = 6,
  set = 7,
  bytearray = 8,
  persistent_tuple = 9,
  persistent_frozenset = 10,
  boxed = 11,
  blob = 64,  // a large owned block that came from libpmemobj's default classes
};

// Blocks that others lay out (object/raw/raw.h): the other bits are a number of the user's.
inline constexpr uint64_t kRawType = uint64_t{1} << 63;
inline constexpr bool is_raw(uint64_t type) { return (type & kRawType) != 0; }
// Whether a block of this type number begins with a Counted word, as far as this version knows.
inline constexpr bool is_counted(uint64_t type) {
  return is_raw(type) ||
         (type >= static_cast<uint64_t>(Type::list) && type <= static_cast<uint64_t>(Type::boxed));
}

// Every counted object starts with this word: reference count and class id, changed together.
//   bits 0..39 references from cells and class tables, bits 40..63 class id (0: no class).
struct Counted {
  uint64_t word;
};
inline constexpr uint64_t kCountMask = (uint64_t{1} << 40) - 1;
inline constexpr unsigned kClassShift = 40;
inline constexpr uint64_t count_of(uint64_t word) { return word & kCountMask; }
inline constexpr uint64_t class_of(uint64_t word) { return word >> kClassShift; }
inline constexpr uint64_t counted_word(uint64_t count, uint64_t class_id) {
  return count | (class_id << kClassShift);
}

// The undo log's control block, one cache line of the root object.
struct TxControl {
  uint64_t state;        // generation << 2 | Phase: the commit point
  uint64_t cursor;       // frees of a committed transaction that are done
  Offset first_segment;  // of entries; never 0 in a created pool
  Offset first_payload;  // of ranges' contents; 0: none yet
  uint64_t reserved[4];
};
enum class Phase : uint64_t { idle = 0, committed = 1 };

// One slot of the limbo list: an object whose count is zero and that is to be freed (at the next
// open at the latest). 0: the slot is free.
struct LimboSegment {
  Offset next;
  uint64_t capacity;
  Offset slots[];
};

// The class table: what class ids of records mean.
struct ClassEntry {
  Offset name;         // a str blob "module:qualname"
  Offset first_shape;  // the newest shape of this class; shapes are linked by `next`
};
struct ClassTable {
  uint64_t capacity;
  ClassEntry entries[];  // entry i is class id i + 1
};

// The names of a record's attributes, in order: one more than the parent's. A record without any
// has no shape.
struct Shape {
  uint64_t class_id;
  uint64_t count;  // attributes, this one included
  Offset parent;   // the shape without the last attribute; 0 if there is no other
  Offset name;     // a str blob: the last attribute's name
  Offset next;     // the shape of the same class that was made before this one
  uint64_t flags;  // kShapeDict: instances keep their attributes in the dict of slot 0, and the
                   // shape has count 1, no parent and no name
};
inline constexpr uint64_t kShapeDict = 1;

// The root object, at the first multiple of 64 in libpmemobj's root allocation.
struct RootObject {
  uint64_t magic;
  uint32_t major;
  uint32_t minor;
  uint64_t compatible;     // feature masks: unknown bits here are harmless,
  uint64_t ro_compatible;  // here forbid writing,
  uint64_t incompatible;   // here forbid opening
  uint64_t hash_key;
  uint64_t session;  // number of openings for writing; see object/list/list.h, dict.h
  uint64_t reserved0;
  // line 1
  uint64_t root;       // the cell of pool.root
  uint64_t root_dict;  // the cell of the pool's own dict (a reference, never blank)
  Offset class_table;
  uint64_t class_count;
  Offset limbo;  // first LimboSegment
  uint64_t reserved1[3];
  // line 2
  TxControl tx;
  // room for later versions
  uint64_t reserved2[104];
};
static_assert(offsetof(RootObject, tx) == 128);
static_assert(sizeof(TxControl) == 64);
static_assert(sizeof(RootObject) == 1024);
inline constexpr size_t kRootSize = sizeof(RootObject) + 64;

}  // namespace nvm::heap
