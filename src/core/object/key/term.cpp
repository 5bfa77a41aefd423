#include "object/key/term.h"

#include <bit>
#include <string>

#include "object/boxed/boxed.h"
#include "object/tuple/tuple.h"
#include "object/value/blob.h"

namespace nvm::object {

namespace {

using heap::Pool;
using heap::Type;

[[noreturn]] void throw_bad_cell(Cell cell) {
  throw_corrupt("the cell " + std::to_string(cell.bits()) + " is no value");
}

Term of_number(const Number& number) {
  Term term;
  term.kind = Term::Kind::number;
  term.number = number;
  return term;
}

Term of_constant(Cell cell) {
  if (cell == Cell::boolean(false)) return of_number(Number::of(int64_t{0}));
  if (cell == Cell::boolean(true)) return of_number(Number::of(int64_t{1}));
  Term term;
  term.bits = cell.bits();
  return term;
}

Term of_short_text(Term::Kind kind, Cell cell) {
  if (cell.short_length() > Cell::kShortMax) throw_bad_cell(cell);
  Term term;
  term.kind = kind;
  term.bits = cell.bits();
  term.length = cell.short_length();
  return term;
}

Term of_text(Term::Kind kind, const void* data, uint64_t length, unsigned width) {
  Term term;
  term.kind = kind;
  term.data = data;
  term.length = length;
  term.width = static_cast<uint8_t>(width);
  return term;
}

double real_at(const char* bits) {
  double value = 0;
  std::memcpy(&value, bits, sizeof value);
  return value;
}

Term of_blob(const Pool& pool, Offset offset) {
  const blob::View view = blob::view(pool, offset);
  switch (view.type) {
    case blob::BlobType::str:
      return of_text(Term::Kind::str, view.data, view.length, view.width);
    case blob::BlobType::bytes:
      return of_text(Term::Kind::bytes, view.data, view.length, 1);
    case blob::BlobType::integer:
      return of_number(Number::of(view.data, view.length, view.negative));
    case blob::BlobType::real:
      return of_number(Number::of(real_at(view.data)));
    case blob::BlobType::complex:
      return of_number(Number::of(real_at(view.data), real_at(view.data + sizeof(double))));
  }
  throw_corrupt("a value of an unknown type at offset " + std::to_string(offset));
}

// A transparent value is seen as what it is equal to.
Term of_boxed(const Pool& pool, Offset offset) {
  const boxed::View view = boxed::view(pool, offset);
  if (view.transparent) return Term::of(pool, view.key);
  Term term;
  term.offset = offset;
  term.type = Type::boxed;
  term.kind = view.key.blank() ? Term::Kind::unhashable : Term::Kind::scoped;
  term.length = 1;
  return term;
}

Term of_boxed(const Pool& pool, Node* node) {
  if (boxed::is_transparent(*node)) return Term::of(pool, node->items[boxed::kKey]);
  Term term;
  term.node = node;
  term.type = Type::boxed;
  term.kind = boxed::has_key(*node) ? Term::Kind::scoped : Term::Kind::unhashable;
  term.length = 1;
  return term;
}

Term of_object(const Pool& pool, Offset offset) {
  Term term;
  term.offset = offset;
  switch (static_cast<Type>(pool.type_number(offset))) {
    case Type::tuple:
    case Type::persistent_tuple:
      term.kind = Term::Kind::tuple;
      term.length = tuple::cells(pool, offset).size();
      return term;
    case Type::frozenset:
    case Type::persistent_frozenset:
      term.kind = Term::Kind::frozenset;
      term.length = tuple::cells(pool, offset).size();
      return term;
    case Type::record:
      term.kind = Term::Kind::identity;
      return term;
    case Type::boxed:
      return of_boxed(pool, offset);
    case Type::list:
    case Type::dict:
    case Type::set:
    case Type::bytearray:
      term.kind = Term::Kind::unhashable;
      term.type = static_cast<Type>(pool.type_number(offset));
      return term;
    default:
      if (!heap::is_raw(pool.type_number(offset)))
        throw_corrupt("an object of an unknown type at offset " + std::to_string(offset));
      term.kind = Term::Kind::identity;
      return term;
  }
}

Term of_node(const Pool& pool, Node* node) {
  Term term;
  term.node = node;
  switch (node->type) {
    case Type::tuple:
    case Type::persistent_tuple:
      term.kind = Term::Kind::tuple;
      break;
    case Type::frozenset:
    case Type::persistent_frozenset:
      term.kind = Term::Kind::frozenset;
      break;
    case Type::boxed:
      return of_boxed(pool, node);
    default:
      term.kind = Term::Kind::unhashable;
      term.type = node->type;
  }
  term.length = node->items.size();
  return term;
}

}  // namespace

Term Term::of(const Pool& pool, Cell cell) {
  switch (cell.kind()) {
    case Cell::Kind::constant:
      return of_constant(cell);
    case Cell::Kind::integer:
      return of_number(Number::of(cell.as_integer()));
    case Cell::Kind::real:
      return of_number(Number::of(cell.as_real()));
    case Cell::Kind::str:
      return of_short_text(Kind::str, cell);
    case Cell::Kind::bytes:
      return of_short_text(Kind::bytes, cell);
    case Cell::Kind::blob:
      return of_blob(pool, cell.offset());
    case Cell::Kind::object:
      return of_object(pool, cell.offset());
    case Cell::Kind::blank:
    case Cell::Kind::invalid:
      break;
  }
  throw_bad_cell(cell);
}

Term Term::of(const Pool& pool, const Value& value) {
  switch (value.kind) {
    case Value::Kind::cell:
      return of(pool, Cell(value.bits));
    case Value::Kind::str:
      return of_text(Kind::str, value.data, value.length, value.width);
    case Value::Kind::bytes:
      return of_text(Kind::bytes, value.data, value.length, 1);
    case Value::Kind::int64:
      return of_number(Number::of(static_cast<int64_t>(value.low)));
    case Value::Kind::integer:
      return of_number(Number::of(value.data, value.length, value.negative));
    case Value::Kind::real:
      return of_number(Number::of(std::bit_cast<double>(value.low)));
    case Value::Kind::complex:
      return of_number(
          Number::of(std::bit_cast<double>(value.low), std::bit_cast<double>(value.high)));
    case Value::Kind::node:
      return of_node(pool, value.node);
    case Value::Kind::object:
      return of_object(pool, value.offset);
  }
  throw Error(ErrorKind::internal, "a value of an unknown kind");
}

Term Term::element(const Pool& pool, uint64_t index) const {
  const uint64_t place = kind == Kind::scoped ? boxed::kKey : index;
  if (node != nullptr) return of(pool, node->items[place]);
  return of(pool, Cell(tuple::cells(pool, offset)[place]));
}

uint64_t Term::identity() const {
  // Offsets are multiples of 8, as are addresses of nodes.
  return node != nullptr ? reinterpret_cast<uintptr_t>(node) : offset | 1;
}

std::string Term::why_unhashable() const {
  const auto unhashable = [](const std::string& name) { return "unhashable type: '" + name + "'"; };
  switch (type) {
    case Type::list:
      return unhashable(node != nullptr ? "list" : "PersistentList");
    case Type::dict:
      return unhashable(node != nullptr ? "dict" : "PersistentDict");
    case Type::set:
      return unhashable(node != nullptr ? "set" : "PersistentSet");
    case Type::boxed:
      return "a '" + std::string(node != nullptr ? node->class_name : "value") +
             "' like this cannot be a key of a dict or an element of a set (see docs/types.md)";
    default:
      return unhashable(node != nullptr ? "bytearray" : "PersistentByteArray");
  }
}

}  // namespace nvm::object
