// From cells to Python objects of exactly the type and value that went in.
//
// fetch() runs under the latch. There it makes objects that the collector does not track, which
// runs no other code, and pins what is mutable. Tuples, frozensets and boxed values are copied out
// as a whole, each once, without recursion; of boxed values what they are made from. build() makes
// the tracked objects after the latch, and finds their classes.
#include <memory>
#include <unordered_map>

#include "binding.h"
#include "object/boxed/boxed.h"
#include "object/raw/raw.h"
#include "object/record/class_table.h"
#include "object/tuple/tuple.h"
#include "object/value/blob.h"
#include "pmem/error.h"
#include "values/boxed.h"

namespace nvm::bindings {

using heap::Offset;
using heap::Pool;
using heap::Type;
using object::Cell;
namespace blob = object::blob;

// PyUnicode_FromKindAndData finds the canonical form by itself: a damaged pool cannot make another.
PyObject* str_of(unsigned width, const void* units, uint64_t length) {
  // The same, but faster on PyPy.
  if (width == 1)
    return PyUnicode_DecodeLatin1(static_cast<const char*>(units), static_cast<Py_ssize_t>(length),
                                  nullptr);
#ifdef PYPY_VERSION
  // It takes units of two bytes for UTF-16, in which surrogates are no characters.
  if (width == 2) {
    const auto* narrow = static_cast<const Py_UCS2*>(units);
    const std::vector<Py_UCS4> wide(narrow, narrow + length);
    return PyUnicode_FromKindAndData(PyUnicode_4BYTE_KIND, wide.data(),
                                     static_cast<Py_ssize_t>(length));
  }
#endif
  return PyUnicode_FromKindAndData(static_cast<int>(width), units, static_cast<Py_ssize_t>(length));
}

struct Decoded::Tree {
  static constexpr size_t kNone = SIZE_MAX;
  struct Item {
    PyObject* leaf = nullptr;        // owned
    heap::Handle* pinned = nullptr;  // owned
    size_t node = kNone;             // of nodes
  };
  struct Node {
    Type type;
    size_t first;  // of items
    size_t count;
    object::boxed::Form form;  // of a boxed value
    std::string class_name;    // of a boxed value or named tuple
  };
  explicit Tree(Pool& from) : pool(from) {}
  ~Tree() {
    for (Item& item : items) {
      if (item.pinned != nullptr) unpin(pool, item.pinned);
      Py_XDECREF(item.leaf);
    }
  }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  Pool& pool;
  std::vector<Item> items;
  std::vector<Node> nodes;
  std::vector<size_t> order;  // of nodes: each after those it holds; the root is the last
};

namespace {

constexpr uint32_t kMaxCharacter = 0x10FFFF;

PyObject* decode_constant(Cell cell) {
  PyObject* const constants[] = {Py_None, Py_False, Py_True, Py_Ellipsis};
  PyObject* constant = constants[cell.bits() - 1];
  Py_INCREF(constant);
  return constant;
}

unsigned short_length(Cell cell) {
  const unsigned length = cell.short_length();
  if (length > Cell::kShortMax) throw_corrupt("damaged: a short text of impossible length");
  return length;
}

PyObject* decode_short_str(Cell cell) {
  char characters[Cell::kShortMax];
  cell.short_copy(characters);
  return str_of(1, characters, short_length(cell));
}

PyObject* decode_short_bytes(Cell cell) {
  char bytes[Cell::kShortMax];
  cell.short_copy(bytes);
  return PyBytes_FromStringAndSize(bytes, static_cast<Py_ssize_t>(short_length(cell)));
}

PyObject* decode_str(const blob::View& view) {
  if (view.width == 4) {
    const auto* characters = reinterpret_cast<const uint32_t*>(view.data);
    for (uint64_t i = 0; i < view.length; ++i)
      if (characters[i] > kMaxCharacter) throw_corrupt("damaged: a str with impossible characters");
  }
  return str_of(view.width, view.data, view.length);
}

PyObject* decode_integer(const blob::View& view) {
  const auto* magnitude = reinterpret_cast<const unsigned char*>(view.data);
  PyObject* integer = _PyLong_FromByteArray(magnitude, view.length, 1, 0);
  if (integer == nullptr || !view.negative) return integer;
  const Ref positive(integer);
  return PyNumber_Negative(positive.get());
}

double real_at(const char* data) {
  double value = 0;
  std::memcpy(&value, data, sizeof value);
  return value;
}

PyObject* decode_blob(const Pool& pool, Offset offset) {
  const blob::View view = blob::view(pool, offset);
  switch (view.type) {
    case blob::BlobType::str:
      return decode_str(view);
    case blob::BlobType::bytes:
      return PyBytes_FromStringAndSize(view.data, static_cast<Py_ssize_t>(view.length));
    case blob::BlobType::integer:
      return decode_integer(view);
    case blob::BlobType::real:
      return PyFloat_FromDouble(real_at(view.data));
    case blob::BlobType::complex:
      return PyComplex_FromDoubles(real_at(view.data), real_at(view.data + sizeof(double)));
  }
  throw_corrupt("damaged: a value of unknown type");
}

// What is no object: new reference.
PyObject* decode_leaf(const Pool& pool, Cell cell) {
  PyObject* leaf = nullptr;
  switch (cell.kind()) {
    case Cell::Kind::constant:
      return decode_constant(cell);
    case Cell::Kind::integer:
      leaf = PyLong_FromLongLong(cell.as_integer());
      break;
    case Cell::Kind::real:
      leaf = PyFloat_FromDouble(cell.as_real());
      break;
    case Cell::Kind::str:
      leaf = decode_short_str(cell);
      break;
    case Cell::Kind::bytes:
      leaf = decode_short_bytes(cell);
      break;
    case Cell::Kind::blob:
      leaf = decode_blob(pool, cell.offset());
      break;
    default:
      throw_corrupt("damaged: a cell that is no value");
  }
  if (leaf == nullptr) throw PythonError{};
  return leaf;
}

bool is_tree(Type type) {
  return type == Type::tuple || type == Type::frozenset || type == Type::boxed;
}

bool is_hashable(const Pool& pool, Type type, Offset offset) {
  if (type == Type::boxed) return !object::boxed::view(pool, offset).key.blank();
  return type != Type::list && type != Type::dict && type != Type::set && type != Type::bytearray;
}

void check_hashable(const Pool& pool, Type type, Offset offset) {
  if (!is_hashable(pool, type, offset))
    throw_corrupt("damaged: the object at offset " + std::to_string(offset) +
                  " cannot be a key or an element");
}

Type type_of(const Pool& pool, Offset offset) {
  const auto type = static_cast<Type>(pool.type_number(offset));
  switch (type) {
    case Type::list:
    case Type::dict:
    case Type::set:
    case Type::bytearray:
    case Type::record:
    case Type::tuple:
    case Type::frozenset:
    case Type::boxed:
    case Type::persistent_tuple:
    case Type::persistent_frozenset:
      return type;
    default:
      break;
  }
  if (heap::is_raw(static_cast<uint64_t>(type))) {
    if (!object::raw::is_head(pool, offset))
      throw_corrupt("damaged: a reference to a block without class at offset " +
                    std::to_string(offset));
    return type;
  }
  throw Error(ErrorKind::corrupt,
              "damaged or of a later version: the object at offset " + std::to_string(offset) +
                  " is of type " + std::to_string(static_cast<uint64_t>(type)),
              EUCLEAN, pool.path());
}

// Copies tuples, frozensets and boxed values out, depth first.
class TreeReader {
 public:
  TreeReader(Pool& pool, Decoded::Tree& tree) : pool_(pool), tree_(tree) {}

  // `hashed`: it is a key, or an element of a set.
  void read(Offset root, bool hashed) {
    enter(root, hashed);
    while (!open_.empty()) {
      if (open_.back().next == open_.back().cells.size()) {
        leave();
      } else {
        read_next();
      }
    }
  }

 private:
  struct Frame {
    size_t node;
    std::span<const uint64_t> cells;
    size_t next;
    bool hashed;  // what it holds has to be hashable
  };

  void enter(Offset offset, bool hashed) {
    std::span<const uint64_t> cells = object::tuple::cells(pool_, offset);
    const size_t node = tree_.nodes.size();
    Decoded::Tree::Node& fresh = tree_.nodes.emplace_back();
    fresh.type = type_of(pool_, offset);
    if (hashed) check_hashable(pool_, fresh.type, offset);
    if (fresh.type == Type::boxed) {
      fresh.form = object::boxed::view(pool_, offset).form;
      cells = cells.first(object::boxed::kState + 1);
    }
    if (const uint64_t id = object::tuple::class_id(pool_, offset); id != 0)
      fresh.class_name = object::class_table::name_of(pool_, id);
    fresh.first = tree_.items.size();
    fresh.count = cells.size();
    tree_.items.resize(tree_.items.size() + cells.size());
    finished_.push_back(false);
    numbers_.emplace(offset, node);
    hashed = fresh.type == Type::frozenset || (hashed && fresh.type == Type::tuple);
    open_.push_back({node, cells, 0, hashed});
  }

  void leave() {
    tree_.order.push_back(open_.back().node);
    finished_[open_.back().node] = true;
    open_.pop_back();
  }

  void read_next() {
    Frame& frame = open_.back();
    const bool hashed = frame.hashed;
    const Cell cell(frame.cells[frame.next]);
    const size_t place = tree_.nodes[frame.node].first + frame.next;
    ++frame.next;
    if (cell.kind() != Cell::Kind::object) {
      tree_.items[place].leaf = decode_leaf(pool_, cell);
    } else if (const Type type = type_of(pool_, cell.offset()); !is_tree(type)) {
      if (hashed) check_hashable(pool_, type, cell.offset());
      tree_.items[place].pinned = pool_.handles().pin(cell.offset());
    } else {
      tree_.items[place].node = node_at(cell.offset(), hashed);
    }
  }

  size_t node_at(Offset offset, bool hashed) {
    const auto found = numbers_.find(offset);
    if (found != numbers_.end()) {
      if (!finished_[found->second]) throw_corrupt("damaged: a tuple that holds itself");
      return found->second;
    }
    const size_t node = tree_.nodes.size();
    enter(offset, hashed);
    return node;
  }

  Pool& pool_;
  Decoded::Tree& tree_;
  std::unordered_map<Offset, size_t> numbers_;
  std::vector<bool> finished_;
  std::vector<Frame> open_;
};

// Proxies first, so that nobody sees a tuple that is being filled.
void build_proxies(PoolObject* pool, Decoded::Tree& tree) {
  for (Decoded::Tree::Item& item : tree.items)
    if (item.pinned != nullptr)
      item.leaf = proxy_for(pool, std::exchange(item.pinned, nullptr)).release();
}

// Builds the nodes, each after what it holds.
class TreeBuilder {
 public:
  TreeBuilder(PoolObject* pool, Decoded::Tree& tree)
      : pool_(pool), tree_(tree), built_(tree.nodes.size()) {}

  Ref build() {
    for (const size_t number : tree_.order) built_[number] = build(tree_.nodes[number]);
    return std::move(built_[tree_.order.back()]);
  }

 private:
  Ref build(const Decoded::Tree::Node& node) {
    if (node.type == Type::boxed)
      return restore(pool_, node.form, node.class_name, Ref(part(node.first)));
    Ref tuple = checked(PyTuple_New(static_cast<Py_ssize_t>(node.count)));
    for (size_t i = 0; i < node.count; ++i)
      PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), part(node.first + i));
    if (node.type == Type::frozenset) return checked(PyFrozenSet_New(tuple.get()));
    if (!node.class_name.empty()) return restore_named_tuple(node.class_name, std::move(tuple));
    return tuple;
  }

  // New reference.
  PyObject* part(size_t place) {
    Decoded::Tree::Item& item = tree_.items[place];
    if (item.node == Decoded::Tree::kNone) return std::exchange(item.leaf, nullptr);
    return Ref::borrow(built_[item.node].get()).release();
  }

  PoolObject* pool_;
  Decoded::Tree& tree_;
  std::vector<Ref> built_;
};

}  // namespace

PyObject* Decoded::leaf_of(const Pool& pool, Cell cell) { return decode_leaf(pool, cell); }

Decoded Decoded::fetch_object(Pool& pool, Offset offset, bool hashed) {
  if (const Type type = type_of(pool, offset); !is_tree(type)) {
    if (hashed) check_hashable(pool, type, offset);
    return Decoded(pool.handles().pin(offset), Kind::pinned);
  }
  auto tree = std::make_unique<Tree>(pool);
  TreeReader(pool, *tree).read(offset, hashed);
  return Decoded(tree.release(), Kind::tree);
}

Ref Decoded::build_object(PoolObject* pool) {
  if (kind() == Kind::pinned) {
    auto* const handle = as<heap::Handle>();
    word_ = 0;
    return proxy_for(pool, handle);
  }
  build_proxies(pool, *as<Tree>());
  return TreeBuilder(pool, *as<Tree>()).build();
}

void Decoded::drop() noexcept {
  switch (kind()) {
    case Kind::leaf:
      Py_DECREF(as<PyObject>());
      break;
    case Kind::pinned:
      // Its pool: whoever decodes keeps it alive.
      unpin(as<heap::Handle>()->pool(), as<heap::Handle>());
      break;
    case Kind::tree:
      delete as<Tree>();
  }
}

}  // namespace nvm::bindings
