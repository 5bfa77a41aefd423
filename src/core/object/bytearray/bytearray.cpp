#include "object/bytearray/bytearray.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "heap/file/alloc_classes.h"
#include "object/stride.h"
#include "pmem/error.h"
#include "pmem/store.h"

namespace nvm::object::bytearray {

namespace {

using heap::Type;

// ---- Bodies and their capacity

constexpr uint64_t kWord = sizeof(uint64_t);
constexpr uint64_t kSmallest = 24;         // bytes; a body of half a cache line
constexpr uint64_t kFewBytes = 64 * 1024;  // a longer array grows by a quarter, not by half
constexpr uint64_t kNeverShrink = 1024;    // bytes
constexpr uint64_t kFewWords = 4;          // as many words are set one by one
constexpr uint64_t kMostBytes =
    (heap::kMaxBlock - heap::kBlockHeader - sizeof(Body)) / kWord * kWord;

constexpr uint64_t bytes_for(uint64_t capacity) { return sizeof(Body) + capacity; }

[[noreturn]] void throw_too_long() {
  throw Error(ErrorKind::value,
              "a byte array cannot have more than " + std::to_string(kMostBytes) + " bytes");
}

// The room that a block for so many bytes has anyway.
uint64_t rounded(uint64_t capacity) {
  if (capacity > kMostBytes) throw_too_long();
  const uint64_t bytes = bytes_for((capacity + kWord - 1) / kWord * kWord);
  for (const uint64_t unit : heap::kBlobUnits)
    if (bytes <= unit) return unit - sizeof(Body);
  return bytes - sizeof(Body);
}

// With room to append to, so that appending copies each byte a constant number of times.
uint64_t grown(uint64_t size) {
  const uint64_t spare = size < kFewBytes ? size / 2 : size / 4;
  return rounded(std::clamp(size + spare, kSmallest, std::max(size, kMostBytes)));
}

bool wasteful(uint64_t capacity, uint64_t size) {
  return capacity > kNeverShrink && size < capacity / 4;
}

// ---- Reaching one

struct Contents {
  Header* header;
  uint64_t size;
  uint64_t capacity;
  Offset body;     // 0: none yet
  uint8_t* bytes;  // nullptr if there is no body

  Bytes part(uint64_t begin, uint64_t end) const { return {bytes + begin, end - begin}; }
};

[[noreturn]] void damaged(Offset array, const char* what) {
  throw_corrupt("the byte array at offset " + std::to_string(array) + " " + what);
}

Contents contents_of(const Pool& pool, Offset array, Header* header, uint64_t size, Offset body) {
  if (body == 0 && size == 0) return {header, 0, 0, 0, nullptr};
  const uint64_t capacity = pool.at<Body>(body)->capacity;
  if (capacity > kMostBytes || capacity % kWord != 0) damaged(array, "has a damaged body");
  if (size > capacity) damaged(array, "is longer than its body");
  return {header, size, capacity, body, pool.at<Body>(body, bytes_for(capacity))->bytes};
}

Contents contents(const Pool& pool, Offset array) {
  Header* const header = pool.object<Header>(array, Type::bytearray);
  return contents_of(pool, array, header, pmem::load(&header->size), pmem::load(&header->body));
}

// As the operation has left it so far.
Contents contents(Operation& op, Offset array) {
  Header* const header = op.pool().object<Header>(array, Type::bytearray);
  return contents_of(op.pool(), array, header, op.get(&header->size), op.get(&header->body));
}

[[noreturn]] void throw_bad_index() {
  throw Error(ErrorKind::index, "bytearray index out of range");
}

// ---- Ways to change one

// A body that holds these parts one after the other.
Offset make_body(Operation& op, uint64_t capacity, std::initializer_list<Bytes> parts) {
  const Offset offset = op.allocate_blob(bytes_for(capacity));
  op.fill(&op.at<Body>(offset, bytes_for(capacity))->capacity, capacity, parts);
  return offset;
}

void move_to_new_body(Operation& op, const Contents& old, uint64_t begin, uint64_t end,
                      Bytes content) {
  const uint64_t size = old.size - (end - begin) + content.size();
  const Offset body =
      make_body(op, grown(size), {old.part(0, begin), content, old.part(end, old.size)});
  op.set(&old.header->body, body);
  op.set(&old.header->size, size);
  if (old.body != 0) op.free(old.body);
}

// Removing must be possible in a full pool: it does without a new body then.
bool shrink(Operation& op, const Contents& old, uint64_t begin, uint64_t end, Bytes content) {
  try {
    move_to_new_body(op, old, begin, end, content);
    return true;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::full) throw;
    return false;
  }
}

// Bytes in place, below the size: few words are set, more are logged as a range.
void overwrite(Operation& op, const Contents& array, uint64_t begin, Bytes content) {
  if (content.empty()) return;
  const uint64_t first = begin / kWord;
  const uint64_t last = (begin + content.size() - 1) / kWord;
  if (last - first >= kFewWords) {
    op.change(array.bytes + begin, content.size());
    pmem::copy(array.bytes + begin, content.data(), content.size());
    op.written(array.bytes + begin, content.size());
    return;
  }
  uint64_t words[kFewWords];
  std::memcpy(words, array.bytes + first * kWord, (last - first + 1) * kWord);
  std::memcpy(reinterpret_cast<uint8_t*>(words) + (begin - first * kWord), content.data(),
              content.size());
  auto* const place = reinterpret_cast<uint64_t*>(array.bytes) + first;
  for (uint64_t i = 0; i <= last - first; ++i) op.set(place + i, words[i]);
}

// The room beyond the size. Within a transaction, what lies there may have been below the size when
// it began, and must come back if it is aborted.
void fill_spare(Operation& op, const Contents& array, Bytes content) {
  uint8_t* const place = array.bytes + array.size;
  if (op.pool().in_transaction()) op.change(place, content.size());
  pmem::copy(place, content.data(), content.size());
  op.written(place, content.size());
}

// What is behind `end` moves to behind `begin` + content; all that is stored to is logged.
void shift(Operation& op, const Contents& array, uint64_t begin, uint64_t end, Bytes content) {
  const uint64_t behind = begin + content.size();
  const uint64_t moved = array.size - end;
  uint8_t* const place = array.bytes + begin;
  op.change(place, content.size() + moved);
  pmem::move(array.bytes + behind, array.bytes + end, moved);
  pmem::copy(place, content.data(), content.size());
  op.written(place, content.size() + moved);
}

// [begin, end) becomes `content`, which lies outside the array.
void replace(Operation& op, const Contents& old, uint64_t begin, uint64_t end, Bytes content) {
  const uint64_t size = old.size - (end - begin) + content.size();
  if (size == old.size) return overwrite(op, old, begin, content);
  if (size > old.capacity) return move_to_new_body(op, old, begin, end, content);
  if (size < old.size && wasteful(old.capacity, size) && shrink(op, old, begin, end, content))
    return;
  op.set(&old.header->size, size);  // first: one fence logs both
  if (begin == old.size) return fill_spare(op, old, content);
  if (end == old.size && content.empty()) return;
  shift(op, old, begin, end, content);
}

}  // namespace

// ---- Making and reading

Offset create(Operation& op, Bytes content) {
  const Offset body = content.empty() ? 0 : make_body(op, rounded(content.size()), {content});
  const Offset array = op.allocate_object(Type::bytearray, sizeof(Header));
  auto* const header = op.at<Header>(array);
  pmem::store(&header->size, uint64_t{content.size()});
  pmem::store(&header->body, body);
  pmem::zero(header->reserved, sizeof header->reserved);
  op.written(&header->size, sizeof(Header) - offsetof(Header, size));
  return array;
}

uint64_t size(Pool& pool, Offset array) { return contents(pool, array).size; }

uint64_t size(Operation& op, Offset array) { return contents(op, array).size; }

Bytes bytes(Pool& pool, Offset array) {
  const Contents found = contents(pool, array);
  return found.part(0, found.size);
}

Place place(Pool& pool, Offset array) {
  const Contents found = contents(pool, array);
  return {found.body, found.body == 0 ? 0 : found.body + sizeof(Body), found.size};
}

// ---- Changing

void set(Operation& op, Offset array, uint64_t index, uint8_t byte) {
  const Contents found = contents(op, array);
  if (index >= found.size) throw_bad_index();
  overwrite(op, found, index, {&byte, 1});
}

void splice(Operation& op, Offset array, uint64_t begin, uint64_t end, Bytes content) {
  const Contents old = contents(op, array);
  if (begin > end || end > old.size) throw_bad_index();
  if (content.empty() && end - begin == old.size) return clear(op, array);
  if (content.size() > kMostBytes) throw_too_long();
  replace(op, old, begin, end, content);
}

void set_strided(Operation& op, Offset array, uint64_t begin, int64_t step, Bytes content) {
  const Contents old = contents(op, array);
  const auto stride = Stride::within(old.size, begin, step, content.size());
  if (!stride) throw_bad_index();
  if (stride->count == 0) return;
  std::vector<uint8_t> changed(old.bytes + stride->first, old.bytes + stride->last() + 1);
  for (uint64_t k = 0; k < stride->count; ++k)
    changed[k * stride->step] = content[stride->descending ? stride->count - 1 - k : k];
  overwrite(op, old, stride->first, changed);
}

void erase_strided(Operation& op, Offset array, uint64_t begin, int64_t step, uint64_t count) {
  const Contents old = contents(op, array);
  const auto stride = Stride::within(old.size, begin, step, count);
  if (!stride) throw_bad_index();
  if (stride->count == 0) return;
  std::vector<uint8_t> left;  // from the first removed place on
  left.reserve(old.size - stride->first - stride->count);
  for (uint64_t k = 0; k < stride->count; ++k) {
    const uint64_t next = k + 1 < stride->count ? stride->at(k + 1) : old.size;
    left.insert(left.end(), old.bytes + stride->at(k) + 1, old.bytes + next);
  }
  if (left.empty() && stride->first == 0) return clear(op, array);
  replace(op, old, stride->first, old.size, left);
}

void reverse(Operation& op, Offset array) {
  const Contents old = contents(op, array);
  std::vector<uint8_t> turned(old.bytes, old.bytes + old.size);
  std::reverse(turned.begin(), turned.end());
  overwrite(op, old, 0, turned);
}

void repeat(Operation& op, Offset array, uint64_t times) {
  if (times == 0) return clear(op, array);
  const Contents old = contents(op, array);
  if (old.size == 0 || times == 1) return;
  if (times > kMostBytes / old.size) throw_too_long();
  // The bytes are put together in memory first: not what the pool cannot hold.
  if (old.size * times > op.pool().file().limit())
    throw Error(ErrorKind::full, "the pool is full", ENOMEM, op.pool().path());
  std::vector<uint8_t> more;
  more.reserve(old.size * (times - 1));
  for (uint64_t i = 1; i < times; ++i) more.insert(more.end(), old.bytes, old.bytes + old.size);
  replace(op, old, old.size, old.size, more);
}

void clear(Operation& op, Offset array) {
  const Contents old = contents(op, array);
  if (old.body == 0) return;
  op.free(old.body);
  op.set(&old.header->body, 0);
  op.set(&old.header->size, 0);
}

bool destroy_step(Operation& op, Offset array) {
  const Contents found = contents(op, array);
  if (found.body != 0) op.free(found.body);
  op.free(array);
  return true;
}

void trace(Pool& pool, Offset array, Tracer& tracer) {
  const Contents found = contents(pool, array);
  if (found.body != 0) tracer.block(found.body, bytes_for(found.capacity));
}

}  // namespace nvm::object::bytearray
