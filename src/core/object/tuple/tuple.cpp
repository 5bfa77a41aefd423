#include "object/tuple/tuple.h"

#include <string>

#include "object/store.h"

namespace nvm::object::tuple {

namespace {

using heap::Operation;
using heap::Pool;
using heap::Type;

constexpr uint64_t kMaxLength = heap::kMaxOffset / sizeof(uint64_t);

constexpr uint64_t bytes_for(uint64_t length) { return sizeof(Header) + length * sizeof(uint64_t); }

Header* header_of(const Pool& pool, Offset tuple) {
  const auto type = static_cast<Type>(pool.type_number(tuple));
  Header* header =
      pool.object<Header>(tuple, type == Type::frozenset ? Type::frozenset : Type::tuple);
  const uint64_t length = pmem::load(&header->length);
  if (length > kMaxLength)
    throw_corrupt("the tuple at offset " + std::to_string(tuple) + " is too long");
  return pool.at<Header>(tuple, bytes_for(length));
}

}  // namespace

Offset create(Operation& op, Type type, uint64_t length) {
  const Offset tuple = op.allocate_object(type, bytes_for(length));
  auto* header = op.at<Header>(tuple);
  pmem::store(&header->length, length);
  op.written(&header->length, sizeof header->length);
  return tuple;
}

void fill(Operation& op, Offset tuple, std::span<const uint64_t> cells) {
  Header* header = header_of(op.pool(), tuple);
  if (header->length != cells.size())
    throw Error(ErrorKind::internal, "a tuple is filled with another number of elements");
  pmem::copy(header->cells, cells.data(), cells.size_bytes());
  op.written(header->cells, cells.size_bytes());
}

std::span<const uint64_t> cells(const Pool& pool, Offset tuple) {
  const Header* header = header_of(pool, tuple);
  return {header->cells, header->length};
}

bool destroy_step(Operation& op, Offset tuple) {
  Header* header = header_of(op.pool(), tuple);
  const uint64_t left = release_from_end(op, header->cells, header->length);
  if (left == 0 && !op.large()) {
    op.free(tuple);
    return true;
  }
  op.set(&header->length, left);
  return false;
}

}  // namespace nvm::object::tuple
