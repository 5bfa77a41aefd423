// What the files of encoding share; and how it explains itself: where in a value a part lies, and
// why an object is refused.
#pragma once

#include <Python.h>

#include <cstdint>
#include <string>
#include <vector>

#include "binding.h"
#include "object/value/value.h"
#include "values/boxed.h"

namespace nvm::bindings {

// ---- encode_plain.cpp

// Something in the value can never be equal to a stored one.
struct NotComparable {};

enum class Makeup : uint8_t { plain, container };

// How a value of another class is taken apart; empty for the built-ins.
struct Conversion {
  Converter converter;
  Ref key;  // to look up: what it is equal by
};

// list, dict, tuple, bytearray, set and frozenset, exactly.
bool is_plain_container(const PyTypeObject* type);
// Points into the bytes.
object::Value encode_bytes(PyObject* bytes);
// What has no parts; `keep` gets the object that the value points into, if any. For a container
// that is no built-in, `conversion` is filled.
Makeup encode_plain(PoolObject* pool, PyObject* object, Encoded::Purpose purpose,
                    object::Value& value, Ref& keep, Conversion& conversion);

// ---- refusal.cpp

// Where a part lies: in the container `parent` (a number among the nodes).
struct Place {
  enum class Kind : uint8_t {
    root,
    item,
    key,
    value,
    element,
    fields,  // of a dataclass: a tuple of names and values; not shown
    field,
    inner,      // what a standard type is made from; not shown
    state,      // what a registered type's to_state() has given
    key_parts,  // what a value is equal by: a tuple; not shown
    own_key,    // a part of it, such as what a registered type's key() has given
  };
  size_t parent = 0;
  Kind kind = Kind::root;
  uint64_t index = 0;       // item: its index; key: its number in the dict's order
  PyObject* key = nullptr;  // value: its key; field: its name; borrowed
};

// " at value["users"][3]", given the places of all nodes. May run a key's __repr__.
std::string path_of(const std::vector<Place>& nodes, const Place& place);

// Why an object of this type cannot be stored, and what to do about it.
std::string refusal(PyObject* object);

// True if `type` compares and hashes as its base `base` does.
bool inherits_comparison(PyTypeObject* type, PyTypeObject* base);  // object/class_dict.cpp

}  // namespace nvm::bindings
