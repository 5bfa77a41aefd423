#include "crash/dump.h"

#include <map>
#include <set>

#include "heap/access.h"
#include "heap/layout/heap_walk.h"
#include "object/boxed/boxed.h"
#include "object/bytearray/bytearray.h"
#include "object/dict/dict.h"
#include "object/list/list.h"
#include "object/raw/raw.h"
#include "object/record/class_table.h"
#include "object/record/record.h"
#include "object/tuple/tuple.h"
#include "object/value/blob.h"

namespace nvm::crash {

namespace {

using heap::Offset;
using heap::Pool;
using heap::Type;
using object::Cell;

class Dumper {
 public:
  explicit Dumper(Pool& pool) : pool_(pool) {}

  void cell(Cell cell) {
    switch (cell.kind()) {
      case Cell::Kind::blob:
        return blob(cell.offset());
      case Cell::Kind::object:
        return object(cell.offset());
      case Cell::Kind::integer:
        text_ += std::to_string(cell.as_integer());
        return;
      default:
        text_ += "#" + std::to_string(cell.bits());
    }
  }
  // What memory managers have given out, in an order that does not tell where it lies.
  void blocks() {
    std::multiset<std::string> found;
    heap::HeapWalk walk(pool_.file().base(), pool_.file().size());
    heap::Block block;
    while (walk.next(block))
      if (heap::is_raw(block.type)) found.insert(raw(block.offset));
    for (const std::string& text : found) text_ += text;
  }
  std::string take() { return std::move(text_); }

 private:
  void blob(Offset offset) {
    const object::blob::View view = object::blob::view(pool_, offset);
    text_ += "blob" + std::to_string(static_cast<int>(view.type)) + (view.negative ? "-" : "") +
             "'" + std::string(view.data, view.bytes) + "'";
  }

  void object(Offset offset) {
    const auto [place, fresh] = seen_.try_emplace(offset, seen_.size());
    text_ += "@" + std::to_string(place->second);
    if (!fresh) return;
    switch (static_cast<Type>(pool_.type_number(offset))) {
      case Type::list:
        return sequence('[', ']', object::list::cells(pool_, offset));
      case Type::bytearray:
        return bytes(object::bytearray::bytes(pool_, offset));
      case Type::boxed:
        return boxed(offset);
      case Type::tuple:
      case Type::persistent_tuple:
        class_name(object::tuple::class_id(pool_, offset));
        return sequence('(', ')', object::tuple::cells(pool_, offset));
      case Type::frozenset:
      case Type::persistent_frozenset:
        return sequence('<', '>', object::tuple::cells(pool_, offset));
      case Type::dict:
      case Type::set:
        return dict(offset);
      case Type::record:
        return record(offset);
      default:
        text_ += "?";
    }
  }

  std::string raw(Offset offset) const {
    const object::raw::View view = object::raw::view(pool_, offset);
    const std::string content(
        pool_.at<char>(offset, view.begin - offset + view.size) + (view.begin - offset), view.size);
    return " raw" + std::to_string(view.number) + "*" + std::to_string(view.count) + "'" + content +
           "'";
  }

  void bytes(object::bytearray::Bytes content) {
    text_ += "b'" + std::string(content.begin(), content.end()) + "'";
  }

  template <class Cells>
  void sequence(char open, char close, const Cells& cells) {
    text_ += open;
    for (const uint64_t bits : cells) {
      cell(Cell(bits));
      text_ += ' ';
    }
    text_ += close;
  }

  void class_name(uint64_t class_id) {
    if (class_id != 0) text_ += object::class_table::name_of(pool_, class_id);
  }

  void boxed(Offset offset) {
    const object::boxed::View view = object::boxed::view(pool_, offset);
    class_name(view.class_id);
    text_ += std::to_string(static_cast<int>(view.form)) + (view.transparent ? "=" : "~");
    sequence('(', ')', object::tuple::cells(pool_, offset));
  }

  void dict(Offset offset) {
    text_ += '{';
    uint64_t position = 0;
    object::dict::Item item;
    while (object::dict::next(pool_, offset, position, item)) {
      key(object::dict::key_at(pool_, offset, item.number));
      text_ += ':';
      cell(item.value);
      text_ += ' ';
    }
    text_ += "}" + std::to_string(object::dict::size(pool_, offset));
  }

  void key(const object::StoredKey& key) {
    if (key.kind == object::StoredKey::Kind::cell) return cell(key.cell);
    text_ += key.kind == object::StoredKey::Kind::str ? "'" : "b'";
    text_ += std::string(key.data, size_t{key.length} * key.width) + "'";
  }

  void record(Offset offset) {
    text_ += object::class_table::name_of(pool_, object::record::class_id(pool_, offset)) + "(";
    for (const object::record::Attribute& attribute : object::record::attributes(pool_, offset)) {
      text_ += attribute.name + "=";
      cell(attribute.value);
      text_ += ' ';
    }
    text_ += ")";
  }

  Pool& pool_;
  std::map<Offset, size_t> seen_;
  std::string text_;
};

}  // namespace

std::string dump(Pool& pool) {
  return heap::read(pool, [&] {
    Dumper dumper(pool);
    dumper.cell(Cell(pool.root().root));
    dumper.cell(Cell(pool.root().root_dict));
    dumper.blocks();
    return dumper.take();
  });
}

}  // namespace nvm::crash
