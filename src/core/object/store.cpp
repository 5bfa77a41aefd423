#include "object/store.h"

#include <algorithm>
#include <string>
#include <vector>

#include "object/bytearray/bytearray.h"
#include "object/dict/dict.h"
#include "object/key/hash.h"
#include "object/key/key.h"
#include "object/list/list.h"
#include "object/record/class_table.h"
#include "object/record/record.h"
#include "object/set/set.h"
#include "object/tuple/tuple.h"
#include "object/value/blob.h"

namespace nvm::object {

namespace {

using heap::Operation;
using heap::Type;

constexpr size_t kMostKeys = 1024;                // hashed before the first of them is stored
constexpr uint64_t kMostCellsInStep = 64 * 1024;  // so that no step of freeing takes long

// Stores the containers of a graph that can be reached from one of them: first all of them empty,
// so that each has an offset for the others to refer to, then what is in them. Tuples,
// frozensets and boxed values come first, as keys must be whole before they can be compared.
class GraphStore {
 public:
  explicit GraphStore(Operation& op) : op_(op) {}

  void store(Node& root) {
    discover(root);
    size_t next = 0;
    while (next < nodes_.size()) discover_items(*nodes_[next++]);
    for (const Node* node : nodes_)
      if (is_immutable(*node)) tuple::fill(op_, node->stored, cells_of(*node));
    for (const Node* node : nodes_) {
      if (node->type == Type::list) list::fill_fresh(op_, node->stored, cells_of(*node));
      if (node->type == Type::dict) fill_dict(*node);
      if (node->type == Type::set) fill_set(*node);
    }
  }

 private:
  static bool is_immutable(const Node& node) {
    return tuple::is_tuple(node.type) || tuple::is_frozenset(node.type) || node.type == Type::boxed;
  }

  void discover(Node& node) {
    node.stored = create(node);
    nodes_.push_back(&node);
  }

  void discover_items(const Node& node) {
    for (const Value& item : node.items)
      if (item.kind == Value::Kind::node && item.node->stored == 0) discover(*item.node);
  }

  Offset create(Node& node) {
    switch (node.type) {
      case Type::list:
        return list::create(op_);
      case Type::dict:
        return dict::create(op_, node.items.size() / 2);
      case Type::set:
        return set::create(op_, node.items.size());
      case Type::bytearray:
        return create_bytes(node);
      case Type::frozenset:
      case Type::persistent_frozenset:
        hash_of(op_.pool(), Term::of(op_.pool(), Value::of(&node)));  // orders its items
        return tuple::create(op_, node.type, node.items.size());
      case Type::tuple:
      case Type::persistent_tuple:
      case Type::boxed:
        return tuple::create(op_, node.type, node.items.size(), class_id_of(node), node.flags);
      default:
        throw Error(ErrorKind::internal, "a node of a type that cannot be stored");
    }
  }

  // Neighbours are often of one class.
  uint64_t class_id_of(const Node& node) {
    if (node.class_name.empty()) return 0;
    if (node.class_name != class_name_) {
      class_id_ = class_table::ensure(op_, node.class_name);
      class_name_ = node.class_name;
    }
    return class_id_;
  }

  // Its one item is a bytes.
  Offset create_bytes(const Node& node) {
    const Term content = Term::of(op_.pool(), node.items.front());
    const Text text = content.text();
    return bytearray::create(op_, {static_cast<const uint8_t*>(text.data), text.length});
  }

  std::span<const uint64_t> cells_of(const Node& node) {
    cells_.clear();
    cells_.reserve(node.items.size());
    for (const Value& item : node.items) cells_.push_back(make_cell(op_, item).bits());
    return cells_;
  }

  void fill_dict(const Node& node) {
    fill(node, 2, [&](const Key& key, size_t item) {
      dict::fill_fresh(op_, node.stored, key, make_cell(op_, node.items[item + 1]));
    });
  }

  void fill_set(const Node& node) {
    fill(node, 1, [&](const Key& key, size_t) { set::fill_fresh(op_, node.stored, key); });
  }

  // Calls add() for the key at the beginning of every so many items, a batch of keys at a time.
  template <class Add>
  void fill(const Node& node, size_t step, Add add) {
    for (size_t next = 0; next < node.items.size();) {
      const size_t from = next;
      keys_.clear();
      for (; next < node.items.size() && keys_.size() < kMostKeys; next += step)
        keys_.emplace_back(op_.pool(), node.items[next]);
      dict::in_turn(op_, node.stored, keys_, [&](size_t i) { add(keys_[i], from + step * i); });
    }
  }

  Operation& op_;
  std::vector<Node*> nodes_;
  std::vector<uint64_t> cells_;
  std::vector<Key> keys_;  // of a batch
  std::string_view class_name_;
  uint64_t class_id_ = 0;
};

Cell refer(Operation& op, Offset object) {
  op.refer(object);
  return Cell::object(object);
}

}  // namespace

Cell make_cell(Operation& op, const Value& value) {
  switch (value.kind) {
    case Value::Kind::cell:
      return Cell(value.bits);
    case Value::Kind::object:
      return refer(op, value.offset);
    case Value::Kind::node:
      if (value.node->stored == 0) GraphStore(op).store(*value.node);
      return refer(op, value.node->stored);
    default:
      return Cell::blob(blob::create(op, value));
  }
}

void forget(Graph& graph) {
  for (Node& node : graph.nodes) node.stored = 0;
}

Cell copy_cell(Operation& op, Cell cell) {
  switch (cell.kind()) {
    case Cell::Kind::blob:
      return Cell::blob(blob::copy(op, cell.offset()));
    case Cell::Kind::object:
      return refer(op, cell.offset());
    default:
      return cell;
  }
}

void release(Operation& op, Cell cell) {
  if (cell.kind() == Cell::Kind::blob) op.free(cell.offset());
  if (cell.kind() == Cell::Kind::object) op.drop(cell.offset());
}

uint64_t release_from_end(Operation& op, const uint64_t* cells, uint64_t count) {
  const uint64_t least = count - std::min(count, kMostCellsInStep);
  while (count > least && !op.large()) release(op, Cell(cells[--count]));
  return count;
}

bool destroy(Operation& op, Offset object) {
  switch (static_cast<Type>(op.pool().type_number(object))) {
    case Type::list:
      return list::destroy_step(op, object);
    case Type::dict:
    case Type::set:
      return dict::destroy_step(op, object);
    case Type::record:
      return record::destroy_step(op, object);
    case Type::bytearray:
      return bytearray::destroy_step(op, object);
    case Type::tuple:
    case Type::frozenset:
    case Type::boxed:
    case Type::persistent_tuple:
    case Type::persistent_frozenset:
      return tuple::destroy_step(op, object);
    default:
      break;
  }
  // It stays on limbo: only its class knows what it holds (raw.h).
  if (heap::is_raw(op.pool().type_number(object)))
    throw Error(ErrorKind::value, "an object of a class with code of its own");
  throw_corrupt("an object of an unknown type at offset " + std::to_string(object));
}

bool clear_step(Operation& op, Offset object) {
  switch (static_cast<Type>(op.pool().type_number(object))) {
    case Type::list:
      list::clear(op, object);
      return true;
    case Type::dict:
    case Type::set:
      dict::clear(op, object);
      return true;
    case Type::record:
      return record::clear_step(op, object);
    default:
      return true;
  }
}

void initialize(Operation& op, heap::RootObject& root) {
  const Offset root_dict = dict::create(op);
  op.set(&root.root, Cell::none().bits());
  op.set(&root.root_dict, refer(op, root_dict).bits());
}

void replace(Operation& op, uint64_t* cell, const Value& value) {
  const Cell old(op.get(cell));
  op.set(cell, make_cell(op, value).bits());
  release(op, old);
}

}  // namespace nvm::object
