#include "object/tuple/tuple.h"

#include <algorithm>
#include <string>

#include "object/caches.h"
#include "object/key/compare.h"
#include "object/key/hash.h"
#include "object/store.h"

namespace nvm::object::tuple {

namespace {

using heap::Operation;
using heap::Pool;
using heap::Type;

constexpr uint64_t kMaxLength = heap::kMaxOffset / sizeof(uint64_t);
constexpr unsigned kFlagsShift = 48;
constexpr uint64_t kLengthMask = (uint64_t{1} << kFlagsShift) - 1;

constexpr uint64_t word_of(uint64_t length, uint64_t flags) {
  return length | flags << kFlagsShift;
}
constexpr uint64_t length_of(uint64_t word) { return word & kLengthMask; }
constexpr uint64_t flags_of(uint64_t word) { return word >> kFlagsShift; }
constexpr uint64_t bytes_for(uint64_t length) { return sizeof(Header) + length * sizeof(uint64_t); }

Header* header_of(const Pool& pool, Offset tuple) {
  const auto type = static_cast<Type>(pool.type_number(tuple));
  const bool other = is_frozenset(type) || is_tuple(type) || type == Type::boxed;
  Header* header = pool.object<Header>(tuple, other ? type : Type::tuple);
  const uint64_t word = pmem::load(&header->length);
  if (length_of(word) > kMaxLength)
    throw_corrupt("the tuple at offset " + std::to_string(tuple) + " is too long");
  if (flags_of(word) != 0 && type != Type::boxed)
    throw_corrupt("the tuple at offset " + std::to_string(tuple) + " has flags");
  return pool.at<Header>(tuple, bytes_for(length_of(word)));
}

}  // namespace

Offset create(Operation& op, Type type, uint64_t length, uint64_t class_id, uint16_t flags) {
  const Offset tuple = op.allocate_object(type, bytes_for(length), class_id);
  auto* header = op.at<Header>(tuple);
  pmem::store(&header->length, word_of(length, flags));
  op.written(&header->length, sizeof header->length);
  return tuple;
}

void fill(Operation& op, Offset tuple, std::span<const uint64_t> cells) {
  Header* header = header_of(op.pool(), tuple);
  if (length_of(header->length) != cells.size())
    throw Error(ErrorKind::internal, "a tuple is filled with another number of elements");
  pmem::copy(header->cells, cells.data(), cells.size_bytes());
  op.written(header->cells, cells.size_bytes());
}

std::span<const uint64_t> cells(const Pool& pool, Offset tuple) {
  const Header* header = header_of(pool, tuple);
  return {header->cells, length_of(header->length)};
}

uint16_t flags(const Pool& pool, Offset tuple) {
  return static_cast<uint16_t>(flags_of(header_of(pool, tuple)->length));
}

uint64_t class_id(const Pool& pool, Offset tuple) {
  return heap::class_of(pmem::load(&header_of(pool, tuple)->counted.word));
}

bool holds(const Pool& pool, Offset frozenset, const Value& value) {
  const std::span<const uint64_t> elements = cells(pool, frozenset);
  const Term wanted = Term::of(pool, value);
  const uint64_t hash = hash_of(pool, wanted);
  const auto term_of = [&](uint64_t bits) { return Term::of(pool, Cell(bits)); };
  auto place = std::partition_point(elements.begin(), elements.end(), [&](uint64_t bits) {
    return hash_of(pool, term_of(bits)) < hash;
  });
  for (; place != elements.end() && hash_of(pool, term_of(*place)) == hash; ++place)
    if (compare(pool, wanted, term_of(*place)) == 0) return true;
  return false;
}

bool destroy_step(Operation& op, Offset tuple) {
  Header* header = header_of(op.pool(), tuple);
  const uint64_t word = header->length;
  const uint64_t left = release_from_end(op, header->cells, length_of(word));
  if (left == 0 && !op.large()) {
    caches(op.pool()).hashes.forget(tuple);
    op.free(tuple);
    return true;
  }
  op.set(&header->length, word_of(left, flags_of(word)));
  return false;
}

}  // namespace nvm::object::tuple
