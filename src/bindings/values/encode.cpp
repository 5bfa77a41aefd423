// From Python objects to values: exact types only, without recursion, before any latch is taken.
//
// Containers may change while they are read (a signal handler, a finalizer, another thread after
// it): every object that a value points into, and every container, is held by a reference of its
// own until the operation is over. So is what converters (boxed.h) make of other values.
#include "values/encode.h"

#include <string>
#include <unordered_map>
#include <unordered_set>

#include "binding.h"
#include "memory/memory.h"
#include "object/store.h"
#include "pmem/error.h"
#include "values/boxed.h"

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

// Something in the value can never be equal to a stored one.
struct NotComparable {};

enum class Form : uint8_t { plain, container };

// Converters of registered types that give values of registered types, one inside the other.
constexpr uint32_t kMaxNesting = 10'000;

// How a value of another class is taken apart; empty for the built-ins.
struct Conversion {
  Converter converter;
  Ref key;  // to look up: what it is equal by
};

Value encode_str(PyObject* text) {
#if PY_VERSION_HEX < 0x030C0000
  check(PyUnicode_READY(text));
#endif
  return Value::str(PyUnicode_DATA(text), static_cast<uint64_t>(PyUnicode_GET_LENGTH(text)),
                    static_cast<unsigned>(PyUnicode_KIND(text)), PyUnicode_IS_ASCII(text) != 0);
}

Value encode_bytes(PyObject* bytes) {
  return Value::bytes_of(PyBytes_AS_STRING(bytes), static_cast<uint64_t>(PyBytes_GET_SIZE(bytes)));
}

// An integer beyond 64 bits; `keep` gets the bytes of its magnitude.
Value encode_large_integer(PyObject* integer, bool negative, Ref& keep) {
  // int's own methods: a subclass may have others.
  const Ref magnitude = checked(PyObject_CallMethod(
      reinterpret_cast<PyObject*>(&PyLong_Type), negative ? "__neg__" : "__pos__", "O", integer));
  const Ref bits = checked(PyObject_CallMethod(magnitude.get(), "bit_length", nullptr));
  const Py_ssize_t length = (PyLong_AsSsize_t(bits.get()) + 7) / 8;
  keep = checked(PyObject_CallMethod(magnitude.get(), "to_bytes", "ns", length, "little"));
  return Value::big_integer(PyBytes_AS_STRING(keep.get()), static_cast<uint64_t>(length), negative);
}

Value encode_integer(PyObject* integer, Ref& keep) {
  int overflow = 0;
  const long long small = PyLong_AsLongLongAndOverflow(integer, &overflow);
  if (overflow != 0) return encode_large_integer(integer, overflow < 0, keep);
  if (small == -1 && PyErr_Occurred()) throw PythonError{};
  return Value::integer_of(small);
}

Value encode_proxy(PoolObject* pool, PyObject* object, Purpose purpose, Ref& keep) {
  if (as_proxy(object)->pool != pool) {
    if (purpose == Purpose::look_up) throw NotComparable{};
    throw Error(ErrorKind::type,
                "an object of another pool cannot be stored: store a copy of it, made by "
                "its .to_python()");
  }
  keep = Ref::borrow(object);
  return Value::object_at(offset_of(as_proxy(object)));
}

// The storable type that `type` is, or, for look_up, behaves as.
PyTypeObject* base_for(PyTypeObject* type, Purpose purpose) {
  if (purpose == Purpose::store) return type;
  for (PyTypeObject* base : {&PyUnicode_Type, &PyLong_Type, &PyFloat_Type, &PyBytes_Type,
                             &PyTuple_Type, &PyFrozenSet_Type, &PyComplex_Type}) {
    if (PyType_IsSubtype(type, base) != 0) return inherits_comparison(type, base) ? base : type;
  }
  return type;
}

bool is_container(const PyTypeObject* type) {
  return type == &PyList_Type || type == &PyDict_Type || type == &PyTuple_Type ||
         type == &PyByteArray_Type || type == &PySet_Type || type == &PyFrozenSet_Type;
}

// To look a value up, its key is all that counts. Throws NotComparable if it has none.
Conversion conversion_to_look_up(PoolObject* pool, PyObject* object) {
  Conversion result{Converter::for_look_up(Py_TYPE(object)), {}};
  if (!result.converter) throw NotComparable{};
  const std::string name = result.converter.name(pool, Py_TYPE(object));
  result.key = result.converter.key(object, name);
  if (result.key.get() == Py_None || !compares_as_stored(result.key.get())) throw NotComparable{};
  return result;
}

// What has no parts; `keep` gets the object that the value points into, if any. For a container
// that is no built-in, `conversion` is filled.
Form encode_plain(PoolObject* pool, PyObject* object, Purpose purpose, Value& value, Ref& keep,
                  Conversion& conversion) {
  PyTypeObject* type = Py_TYPE(object);
  for (;;) {
    if (type == &PyUnicode_Type) {
      value = encode_str(object);
      if (value.kind != Value::Kind::cell) keep = Ref::borrow(object);
    } else if (type == &PyLong_Type) {
      value = encode_integer(object, keep);
    } else if (type == &PyFloat_Type) {
      value = Value::real_of(PyFloat_AS_DOUBLE(object));
    } else if (object == Py_None) {
      value = Value::of(object::Cell::none());
    } else if (type == &PyBool_Type) {
      value = Value::of(object::Cell::boolean(object == Py_True));
    } else if (is_container(type)) {
      return Form::container;
    } else if (type == &PyBytes_Type) {
      value = encode_bytes(object);
      if (value.kind != Value::Kind::cell) keep = Ref::borrow(object);
    } else if (is_proxy(object)) {
      value = encode_proxy(pool, object, purpose, keep);
    } else if (type == &PyComplex_Type) {
      value = Value::complex_of(PyComplex_RealAsDouble(object), PyComplex_ImagAsDouble(object));
    } else if (object == Py_Ellipsis) {
      value = Value::of(object::Cell::ellipsis());
    } else {
      PyTypeObject* base = base_for(type, purpose);
      if (base != type) {
        type = base;
        continue;
      }
      if (is_custom_type(type)) {
        keep = pin_of(pool, object);
        value = Value::object_at(pin_offset(keep.get()));
        return Form::plain;
      }
      if (purpose == Purpose::store) {
        conversion.converter = Converter::for_storing(pool, type);
        if (!conversion.converter) throw Error(ErrorKind::type, refusal(object));
        return Form::container;
      }
      conversion = conversion_to_look_up(pool, object);
      object = conversion.key.get();
      type = Py_TYPE(object);
      if (type == &PyTuple_Type) return Form::container;
      continue;  // it is equal to what is its key
    }
    return Form::plain;
  }
}

// Throws Error(stale) for what stands for an object that has been undone.
void check_alive(PyObject* kept) {
  if (is_proxy(kept)) {
    offset_of(as_proxy(kept));
  } else if (is_pin(kept)) {
    pin_offset(kept);
  }
}

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
      if (encode_plain(pool_, part.get(), purpose_, value, kept, conversion) == Form::container)
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

  static uint16_t form_of(boxed::Form form) { return static_cast<uint16_t>(form); }

  // What a value of another class is stored as.
  void convert(size_t number, const Conversion& conversion) {
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
};

Encoded::Encoded(PoolObject* pool, PyObject* object, Purpose purpose) {
  try {
    Ref keep;
    Conversion conversion;
    if (encode_plain(pool, object, purpose, root_, keep, conversion) == Form::plain) {
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
