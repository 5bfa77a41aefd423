#include "fuzz/native/reading.h"

#include <optional>
#include <unordered_set>
#include <vector>

#include "fuzz/native/targets.h"
#include "object/boxed/boxed.h"
#include "object/bytearray/bytearray.h"
#include "object/dict/dict.h"
#include "object/key/key.h"
#include "object/list/list.h"
#include "object/raw/raw.h"
#include "object/record/class_table.h"
#include "object/record/record.h"
#include "object/set/set.h"
#include "object/tuple/tuple.h"
#include "object/value/blob.h"

namespace nvm::fuzz {
namespace {

using heap::Pool;
using heap::Type;
using object::Cell;
using object::Key;
using object::StoredKey;
using object::Value;

constexpr size_t kMostCells = 200'000;  // damage can make many of few

class Reading {
 public:
  explicit Reading(Pool& pool) : pool_(pool) {}

  void run() {
    cell(Cell(pool_.root().root));
    cell(Cell(pool_.root().root_dict));
    attempt([&] {
      for (uint64_t id = 1; id <= object::class_table::count(pool_) && id < kMostCells; ++id)
        object::class_table::name_of(pool_, id);
    });
    while (!waiting_.empty() && cells_ < kMostCells) {
      const Offset object = waiting_.back();
      waiting_.pop_back();
      attempt([&] { read(object); });
    }
    if (first_) throw *first_;
  }

 private:
  template <class F>
  void attempt(F&& f) {
    try {
      f();
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::type) return;  // what is no key
      if (!first_) first_ = error;
    }
  }

  // Looks at each cache line.
  void touch(const void* data, uint64_t bytes) {
    const auto* begin = static_cast<const unsigned char*>(data);
    for (uint64_t i = 0; i < bytes; i += heap::pmdk::kCacheLine) sum_ = sum_ + begin[i];
    if (bytes != 0) sum_ = sum_ + begin[bytes - 1];
  }

  void cell(Cell cell) {
    ++cells_;
    if (cell.kind() == Cell::Kind::object) {
      if (seen_.insert(cell.offset()).second) waiting_.push_back(cell.offset());
    } else if (cell.kind() == Cell::Kind::blob) {
      attempt([&] { read_blob(cell.offset()); });
    }
  }
  void cells(std::span<const uint64_t> all) {
    for (const uint64_t bits : all) {
      if (cells_ >= kMostCells) return;
      cell(Cell(bits));
    }
  }

  void read_blob(Offset offset) {
    const object::blob::View view = object::blob::view(pool_, offset);
    touch(view.data, view.bytes);
    if (object::blob::flaw_of(pool_, offset) != nullptr) return;
    const Value value = object::blob::value_of(view);
    const Key key(pool_, value);
    expect(object::equal(pool_, value, Cell::blob(offset)), "a value differs from itself");
  }

  void read(Offset object) {
    const uint64_t type = pool_.type_number(object);
    if (heap::is_raw(type)) return read_raw(object);
    switch (static_cast<Type>(type)) {
      case Type::list:
        return read_list(object);
      case Type::dict:
        return read_dict(object);
      case Type::set:
        return read_set(object);
      case Type::bytearray: {
        const auto bytes = object::bytearray::bytes(pool_, object);
        return touch(bytes.data(), bytes.size());
      }
      case Type::tuple:
      case Type::persistent_tuple:
      case Type::frozenset:
      case Type::persistent_frozenset:
        return read_tuple(object, static_cast<Type>(type));
      case Type::boxed:
        return read_boxed(object);
      case Type::record:
        return read_record(object);
      default:
        throw_corrupt("an object of an unknown type");
    }
  }

  void read_list(Offset list) {
    const uint64_t size = object::list::size(pool_, list);
    cells(object::list::cells(pool_, list));
    if (size != 0) cell(object::list::get(pool_, list, size - 1));
  }

  void read_key(const StoredKey& stored) {
    if (stored.kind == StoredKey::Kind::cell) {
      cell(stored.cell);
    } else {
      touch(stored.data, uint64_t{stored.length} * stored.width);
    }
    object::hash_of(pool_, stored);
  }

  void read_dict(Offset dict) {
    object::dict::size(pool_, dict);
    uint64_t position = 0;
    object::dict::Item item{};
    while (cells_ < kMostCells && object::dict::next(pool_, dict, position, item)) {
      cell(item.value);
      attempt([&] {
        const StoredKey stored = object::dict::key_at(pool_, dict, item.number);
        read_key(stored);
        const Key key(pool_, object::value_of(pool_, stored));
        if (object::dict::get(pool_, dict, key).blank()) throw_corrupt("a key is not found");
      });
    }
    position = object::dict::used(pool_, dict);
    for (size_t i = 0; i < kMostCells && object::dict::previous(pool_, dict, position, item);) ++i;
    object::dict::find(pool_, dict, Key(pool_, Value::integer_of(-5)));
  }

  void read_set(Offset set) {
    object::set::size(pool_, set);
    uint64_t position = 0;
    StoredKey stored{};
    while (cells_ < kMostCells && object::set::next(pool_, set, position, stored)) {
      attempt([&] {
        read_key(stored);
        if (!object::set::contains(pool_, set, Key(pool_, object::value_of(pool_, stored))))
          throw_corrupt("an element is not found");
      });
      ++cells_;
    }
    object::set::last(pool_, set, stored);
  }

  void read_tuple(Offset tuple, Type type) {
    const std::span<const uint64_t> all = object::tuple::cells(pool_, tuple);
    cells(all);
    if (const uint64_t id = object::tuple::class_id(pool_, tuple); id != 0)
      object::class_table::name_of(pool_, id);
    attempt([&] { const Key key(pool_, Value::object_at(tuple)); });
    if (object::tuple::is_frozenset(type))
      object::tuple::holds(pool_, tuple, Value::of(Cell::none()));
  }

  void read_boxed(Offset boxed) {
    const object::boxed::View view = object::boxed::view(pool_, boxed);
    object::class_table::name_of(pool_, view.class_id);
    cell(view.state);
    if (view.key.blank()) return;
    cell(view.key);
    const Key key(pool_, Value::object_at(boxed));
  }

  void read_record(Offset record) {
    object::class_table::name_of(pool_, object::record::class_id(pool_, record));
    for (const auto& attribute : object::record::attributes(pool_, record)) {
      cell(attribute.value);
      object::record::get(pool_, record, attribute.name);
    }
    object::record::get(pool_, record, "absent");
  }

  void read_raw(Offset block) {
    const object::raw::View view = object::raw::view(pool_, block);
    touch(pool_.at<char>(view.begin, view.size), view.size);
    object::raw::is_head(pool_, block);
  }

  Pool& pool_;
  std::vector<Offset> waiting_;
  std::unordered_set<Offset> seen_;
  size_t cells_ = 0;
  volatile uint64_t sum_ = 0;
  std::optional<Error> first_;
};

}  // namespace

void read_all(Pool& pool) { Reading(pool).run(); }

}  // namespace nvm::fuzz
