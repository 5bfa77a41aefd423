// From Python objects to values: exact types only, without recursion, before any latch is taken.
//
// Containers may change while they are read (a signal handler, a finalizer, another thread after
// it): every object that a value points into, and every container, is held by a reference of its
// own until the operation is over. So is what converters (boxed.h) make of other values.
#include "values/encode.h"

#include <string>
#include <unordered_map>
#include <unordered_set>

#include "memory/memory.h"
#include "object/store.h"
#include "pmem/error.h"

namespace nvm::bindings {

using object::Graph;
using object::Node;
using object::Value;
namespace boxed = object::boxed;
using Purpose = Encoded::Purpose;

// A container with all that it holds.
struct Encoded::Parts {
  Graph graph;
  std::vector<PyObject*> keep;  // containers, texts and proxies; owned
  std::vector<Place> places;    // of the nodes, for messages
  std::unordered_set<std::string> class_names;
  ~Parts() {
    for (PyObject* object : keep) Py_DECREF(object);
  }
};

namespace {

// How many values are encoded between two looks for signals.
constexpr size_t kSignalInterval = size_t{1} << 16;

// Converters of registered types that give values of registered types, one inside the other.
constexpr uint32_t kMaxNesting = 10'000;

// Throws Error(stale) for what stands for an object that has been undone.
void check_alive(PyObject* kept) {
  if (is_proxy(kept)) {
    offset_of(as_proxy(kept));
  } else if (is_pin(kept)) {
    pin_offset(kept);
  }
}

bool is_immutable(const Node& node) {
  switch (node.type) {
    case heap::Type::list:
    case heap::Type::dict:
    case heap::Type::set:
    case heap::Type::bytearray:
      return false;
    default:
      return true;
  }
}

// Finds a value that is made from itself, through immutable ones alone: a to_state() or the fields
// of a frozen dataclass can give such. It could neither be read nor be freed.
class CycleSearch {
 public:
  bool from(const Node& root) {
    enter(root);
    while (!open_.empty()) {
      auto& [node, next] = open_.back();
      if (next == node->items.size()) {
        inside_[node] = false;
        open_.pop_back();
      } else if (const Value& item = node->items[next++];
                 item.kind == Value::Kind::node && is_immutable(*item.node)) {
        const auto met = inside_.find(item.node);
        if (met == inside_.end()) {
          enter(*item.node);
        } else if (met->second) {
          return true;
        }
      }
    }
    return false;
  }
  bool met(const Node& node) const { return inside_.count(&node) != 0; }

 private:
  void enter(const Node& node) {
    inside_.emplace(&node, true);
    open_.emplace_back(&node, 0);
  }

  std::unordered_map<const Node*, bool> inside_;  // true while its items are looked at
  std::vector<std::pair<const Node*, size_t>> open_;
};

heap::Type node_type(PyObject* container) {
  if (PyList_Check(container)) return heap::Type::list;
  if (PyDict_Check(container)) return heap::Type::dict;
  if (PyTuple_Check(container)) return heap::Type::tuple;
  if (PySet_Check(container)) return heap::Type::set;
  if (PyByteArray_Check(container)) return heap::Type::bytearray;
  return heap::Type::frozenset;
}

}  // namespace

// Turns containers into nodes, each once, breadth first.
class Encoder {
 public:
  Encoder(PoolObject* pool, Purpose purpose, Encoded::Parts& parts)
      : pool_(pool), purpose_(purpose), parts_(parts) {}

  Node* encode(PyObject* root, Conversion conversion) {
    Node* node = node_for(root, Place{}, std::move(conversion));
    for (size_t i = 0; i < parts_.graph.nodes.size(); ++i) expand(i);
    if (converted_) refuse_cycles();
    return node;
  }

 private:
  // Keeps an object alive until the operation is over.
  PyObject* keep(Ref object) {
    parts_.keep.push_back(object.get());
    return object.release();
  }

  Node* node_for(PyObject* container, Place place, Conversion conversion) {
    const auto [found, fresh] = nodes_.try_emplace(container, nullptr);
    if (!fresh) return found->second;
    containers_.push_back(keep(Ref::borrow(container)));
    if (place.key != nullptr) keep(Ref::borrow(place.key));
    parts_.places.push_back(place);
    Node& node = parts_.graph.nodes.emplace_back();
    note_nesting(place, conversion);
    if (!conversion.converter) {
      node.type = node_type(container);
    } else {
      node.type = conversion.converter.is_named_tuple() ? heap::Type::tuple : heap::Type::boxed;
      conversions_.emplace(parts_.graph.nodes.size() - 1, std::move(conversion));
    }
    return found->second = &node;
  }

  // Takes the reference: the part may be gone from its container at any moment.
  void add_part(size_t parent, Ref part, Place::Kind kind, uint64_t index, PyObject* key) {
    if (++encoded_ % kSignalInterval == 0) check_signals();
    const Place place{parent, kind, index, key};
    Value value;
    Ref kept;
    Conversion conversion;
    try {
      if (encode_plain(pool_, part.get(), purpose_, value, kept, conversion) == Makeup::container)
        value = Value::of(node_for(part.get(), place, std::move(conversion)));
    } catch (const Error& error) {
      throw Error(error.kind(), std::string(error.what()) + path_of(parts_.places, place),
                  error.error_number(), error.file());
    }
    if (kept) keep(std::move(kept));
    parts_.graph.nodes[parent].items.push_back(value);
  }

  void note_nesting(const Place& place, const Conversion& conversion) {
    const uint32_t outside = place.kind == Place::Kind::root ? 0 : nesting_[place.parent];
    const bool registered =
        conversion.converter && conversion.converter.form() == form_of(boxed::Form::registered);
    nesting_.push_back(outside + (registered ? 1 : 0));
    if (nesting_.back() > kMaxNesting)
      throw Error(ErrorKind::type,
                  "registered types nest too deep: does a to_state() always give "
                  "another value that has one?");
  }

  // Without converters there are none.
  void refuse_cycles() const {
    CycleSearch search;
    for (size_t i = 0; i < parts_.graph.nodes.size(); ++i) {
      const Node& node = parts_.graph.nodes[i];
      if (node.type == heap::Type::boxed && !search.met(node) && search.from(node))
        throw Error(ErrorKind::type, "a value that is made from itself cannot be stored" +
                                         path_of(parts_.places, parts_.places[i]));
    }
  }

  static uint16_t form_of(boxed::Form form) { return static_cast<uint16_t>(form); }

  // What a value of another class is stored as.
  void convert(size_t number, const Conversion& conversion) {
    converted_ = true;
    PyObject* value = containers_[number];
    Node& node = parts_.graph.nodes[number];
    node.flags = conversion.converter.form();
    if (conversion.key) {
      node.items.push_back(Value::of(object::Cell::none()));
      add_part(number, Ref::borrow(conversion.key.get()), Place::Kind::key_parts, 0, nullptr);
      return;
    }
    const std::string& name =
        *parts_.class_names.insert(conversion.converter.name(pool_, Py_TYPE(value))).first;
    node.class_name = name;
    Ref state = conversion.converter.state(value);
    if (conversion.converter.is_named_tuple()) return add_items(number, value);
    add_part(number, std::move(state), place_of_state(node.flags), 0, nullptr);
    Ref key = conversion.converter.key(value, name);
    if (key.get() == Py_None || !compares_as_stored(key.get())) return;
    if (!PyTuple_CheckExact(key.get())) node.flags |= boxed::kTransparent;
    add_part(number, std::move(key), Place::Kind::key_parts, 0, nullptr);
  }

  static Place::Kind place_of_state(uint16_t form) {
    if (form == form_of(boxed::Form::dataclass)) return Place::Kind::fields;
    return form == form_of(boxed::Form::registered) ? Place::Kind::state : Place::Kind::inner;
  }

  // Of a dataclass: names and values in turn.
  void add_fields(size_t number, PyObject* state) {
    for (Py_ssize_t i = 0; i + 1 < PyTuple_GET_SIZE(state); i += 2) {
      PyObject* name = PyTuple_GET_ITEM(state, i);
      add_item(number, name, i);
      add_part(number, Ref::borrow(PyTuple_GET_ITEM(state, i + 1)), Place::Kind::field, 0, name);
    }
  }

  void add_items(size_t number, PyObject* tuple) {
    const bool of_key = parts_.places[number].kind == Place::Kind::key_parts;
    const auto kind = of_key ? Place::Kind::own_key : Place::Kind::item;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple); ++i)
      add_part(number, Ref::borrow(PyTuple_GET_ITEM(tuple, i)), kind, static_cast<uint64_t>(i),
               nullptr);
  }

  void expand(size_t number) {
    PyObject* container = containers_[number];
    if (const auto found = conversions_.find(number); found != conversions_.end()) {
      const Conversion conversion = std::move(found->second);
      conversions_.erase(found);
      return convert(number, conversion);
    }
    switch (parts_.graph.nodes[number].type) {
      case heap::Type::list:
        for (Py_ssize_t i = 0; i < PyList_GET_SIZE(container); ++i)
          add_item(number, PyList_GET_ITEM(container, i), i);
        break;
      case heap::Type::tuple:
        if (parts_.places[number].kind == Place::Kind::fields) {
          add_fields(number, container);
        } else {
          add_items(number, container);
        }
        break;
      case heap::Type::dict:
        add_entries(number, container);
        break;
      case heap::Type::bytearray:
        add_bytes(number, container);
        break;
      case heap::Type::set:
        add_elements(number, container, true);
        break;
      default:
        add_elements(number, container, false);
    }
  }

  void add_item(size_t number, PyObject* item, Py_ssize_t index) {
    add_part(number, Ref::borrow(item), Place::Kind::item, static_cast<uint64_t>(index), nullptr);
  }

  void add_entries(size_t number, PyObject* dict) {
    const Py_ssize_t size = PyDict_Size(dict);
    PyObject* key = nullptr;
    PyObject* value = nullptr;
    Py_ssize_t position = 0;
    for (uint64_t i = 0; PyDict_Next(dict, &position, &key, &value) != 0; ++i) {
      Ref held_key = Ref::borrow(key);
      Ref held_value = Ref::borrow(value);
      check_key(key);
      add_part(number, Ref::borrow(key), Place::Kind::key, i, nullptr);
      add_part(number, std::move(held_value), Place::Kind::value, i, held_key.get());
    }
    if (PyDict_Size(dict) == size) return;
    PyErr_SetString(PyExc_RuntimeError, "dictionary changed size while it was being stored");
    throw PythonError{};
  }

  void add_elements(size_t number, PyObject* set, bool are_keys) {
    const Ref iterator = checked(PyObject_GetIter(set));
    while (Ref element{PyIter_Next(iterator.get())}) {
      if (are_keys) check_key(element.get());
      add_part(number, std::move(element), Place::Kind::element, 0, nullptr);
    }
    if (PyErr_Occurred()) throw PythonError{};
  }

  // A copy: it may change before it is stored.
  void add_bytes(size_t number, PyObject* bytearray) {
    PyObject* bytes = keep(checked(PyBytes_FromStringAndSize(PyByteArray_AS_STRING(bytearray),
                                                             PyByteArray_GET_SIZE(bytearray))));
    parts_.graph.nodes[number].items.push_back(encode_bytes(bytes));
  }

  PoolObject* pool_;
  Purpose purpose_;
  Encoded::Parts& parts_;
  std::vector<PyObject*> containers_;  // of the nodes; borrowed from keep
  std::unordered_map<PyObject*, Node*> nodes_;
  std::unordered_map<size_t, Conversion> conversions_;  // of nodes that are still to be expanded
  std::vector<uint32_t> nesting_;                       // of the nodes, among registered types
  size_t encoded_ = 0;
  bool converted_ = false;
};

Encoded::Encoded(PoolObject* pool, PyObject* object, Purpose purpose) {
  try {
    Ref keep;
    Conversion conversion;
    if (encode_plain(pool, object, purpose, root_, keep, conversion) == Makeup::plain) {
      keep_ = keep.release();
      return;
    }
    parts_ = std::make_unique<Parts>();
    root_ = Value::of(Encoder(pool, purpose, *parts_).encode(object, std::move(conversion)));
    parts_->graph.root = root_;
  } catch (const NotComparable&) {
    comparable_ = false;
    parts_.reset();
  }
}

Encoded::Encoded(Encoded&& other) noexcept
    : root_(other.root_),
      comparable_(other.comparable_),
      keep_(std::exchange(other.keep_, nullptr)),
      parts_(std::move(other.parts_)) {}

Encoded::~Encoded() { Py_XDECREF(keep_); }

void Encoded::begin() {
  if (keep_ != nullptr && root_.kind == Value::Kind::object) check_alive(keep_);
  if (!parts_) return;
  object::forget(parts_->graph);
  for (PyObject* object : parts_->keep) check_alive(object);
}

void Encoded::set_type(heap::Type type) { root_.node->type = type; }

const std::vector<Value>& Encoded::items() const { return root_.node->items; }

}  // namespace nvm::bindings
