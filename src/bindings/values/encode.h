// How encoding explains itself: where in a value a part lies, and why an object is refused.
#pragma once

#include <Python.h>

#include <cstdint>
#include <string>
#include <vector>

namespace nvm::bindings {

// Where a part lies: in the container `parent` (a number among the nodes).
struct Place {
  enum class Kind : uint8_t { root, item, key, value, element };
  size_t parent = 0;
  Kind kind = Kind::root;
  uint64_t index = 0;       // item: its index; key: its number in the dict's order
  PyObject* key = nullptr;  // value: its key; borrowed
};

// " at value["users"][3]", given the places of all nodes. May run a key's __repr__.
std::string path_of(const std::vector<Place>& nodes, const Place& place);

// Why an object of this type cannot be stored, and what to do about it.
std::string refusal(PyObject* object);

// True if `type` compares and hashes as its base `base` does.
bool inherits_comparison(PyTypeObject* type, PyTypeObject* base);  // object/class_dict.cpp

}  // namespace nvm::bindings
