// Blocks of memory that others lay out: what a MemoryManager (_p_mm) gives to those who write
// persistent types of their own.
//
// On the medium: libpmemobj's type number is kRawType | a number of the user's choice, then
//   Raw { Counted; u64 size; u8 bytes[size]; }
//
//   class id 0   mere memory. Its count is what its users make it; it is freed by release() or when
//                drop_reference() takes the last one, never by itself.
//   otherwise    the head of an object of that class of Python's, which says what it refers to
//                and owns. It is a counted object: cells refer to it, and without references it is
//                on limbo, until its class has let go what it holds and release() frees it.
//
// Invariants
//   1. size is within the block.
//   2. Mere memory is referred to by no cell and is never on limbo.
//
// Why a cut is harmless
//   allocate   filled and flushed, then one publish (F2)
//   resize     a copy in a fresh block; publish {that block, free of the old one} (F2)
//   release    one publish (F2)
//   counts     one word (F1); the free of the last reference goes with it (F2)
//   set_class  the word with class and count, and limbo's slot if the count is zero (F3)
//
// Threads: callers hold the latch, shared to read, exclusive (an Operation) to change. Offsets may
// be any numbers at all: Error(value) for one that names no such block.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "heap/operation.h"
#include "heap/pool.h"

namespace nvm::object::raw {

using heap::Offset;
using heap::Operation;
using heap::Pool;

// The largest number of the user's.
inline constexpr uint64_t kMaxNumber = heap::kRawType - 1;

struct Raw {
  heap::Counted counted;
  uint64_t size;
  uint8_t bytes[];
};

struct View {
  uint64_t number;  // the user's type number
  uint64_t class_id;
  uint64_t count;
  Offset begin;  // of the bytes
  uint64_t size;
};
View view(const Pool& pool, Offset block);

// `zeroed`: all bytes are 0; otherwise they are undefined.
Offset allocate(Operation& op, uint64_t size, uint64_t number, bool zeroed);
// Another block with the bytes of the old one, which is freed. `zeroed`: what is new is 0. Throws
// Error(value) for the head of an object, which others refer to by its offset.
Offset resize(Operation& op, Offset block, uint64_t size, uint64_t number, bool zeroed);
void release(Operation& op, Offset block);

// [begin, begin + size), which lies in the pool, is restored if the transaction is undone.
void snapshot(Operation& op, Offset begin, uint64_t size);

// Makes mere memory the head of an object of a class.
void set_class(Operation& op, Offset block, uint64_t class_id);

// Throws Error(value) unless there is a counted object, raw or not.
void check_object(const Pool& pool, Offset object);
// True if a raw block is the head of an object; false of mere memory, and of what is no raw block.
bool is_head(const Pool& pool, Offset block);
// Of such an object: a reference that lies in somebody's raw memory.
void add_reference(Operation& op, Offset object);
void drop_reference(Operation& op, Offset object);

// Heads of objects on limbo that nothing pins: their classes are to let go what they hold.
std::vector<Offset> orphans(Pool& pool);

}  // namespace nvm::object::raw
