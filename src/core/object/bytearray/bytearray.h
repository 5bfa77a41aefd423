// A growable array of bytes: what Python sees as PersistentByteArray.
//
// On the medium
//   Header { Counted; u64 size; Offset body; ... }   one cache line with libpmemobj's header
//   Body   { u64 capacity; u8 bytes[capacity]; }     0: no body yet
//
// Invariants, at every instant that a power cut can choose
//   1. size <= capacity of body, which is a multiple of 8.
//   2. One header names a body.
//   3. Bytes at and beyond size mean nothing.
//
// Why a cut is harmless
//   a change within one aligned word of 8 bytes   one store of that word (F1).
//   append into spare room   the bytes, fence, then size (F1): until then nobody sees them. Unlike
//   a
//                  list's cell no byte can show that it is missing, so it takes two fences.
//   grow, shrink   the bytes are copied to a reserved body; publish {body, size, old body's free}
//                  (F2).
//   shorten at the end   one store of size (F1).
//   clear          publish {body 0, size 0, the body's free} (F2).
//   all else       the bytes that change or move are logged as one range, size as a word (F3).
//
// One operation may change a byte array once; clear() and then one other change is fine too.
//
// Threads: callers hold the latch, shared to read, exclusive (an Operation) to change. Indexes are
// checked: Error(index) where one is wrong.
#pragma once

#include <cstdint>
#include <span>

#include "heap/operation.h"
#include "heap/pool.h"
#include "object/trace.h"

namespace nvm::object::bytearray {

using heap::Operation;
using heap::Pool;

using Bytes = std::span<const uint8_t>;

struct Header {
  heap::Counted counted;
  uint64_t size;
  Offset body;
  uint64_t reserved[3];
};
static_assert(sizeof(Header) == 48);
struct Body {
  uint64_t capacity;
  uint8_t bytes[];
};

Offset create(Operation& op, Bytes content);

uint64_t size(Pool& pool, Offset array);
uint64_t size(Operation& op, Offset array);  // as the operation has left it so far
// As they lie there; valid until the latch is let go.
Bytes bytes(Pool& pool, Offset array);
// The block that they lie in, 0 if there is none, and where in the pool they begin.
struct Place {
  Offset block;
  Offset begin;
  uint64_t size;
};
Place place(Pool& pool, Offset array);

void set(Operation& op, Offset array, uint64_t index, uint8_t byte);
// Replaces [begin, end) by `content` (of any length): append, insert, del, slice assignment with
// step 1.
void splice(Operation& op, Offset array, uint64_t begin, uint64_t end, Bytes content);
// Extended slices: byte begin + k * step for k in [0, count).
void set_strided(Operation& op, Offset array, uint64_t begin, int64_t step, Bytes content);
void erase_strided(Operation& op, Offset array, uint64_t begin, int64_t step, uint64_t count);
void reverse(Operation& op, Offset array);
// array *= times; times 0 clears.
void repeat(Operation& op, Offset array, uint64_t times);
void clear(Operation& op, Offset array);

bool destroy_step(Operation& op, Offset array);
void trace(Pool& pool, Offset array, Tracer& tracer);

}  // namespace nvm::object::bytearray
