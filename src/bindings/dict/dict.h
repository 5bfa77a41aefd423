// PersistentDict: what dict.cpp, dict_key.cpp, dict_update.cpp, dict_views.cpp and dict_iter.cpp
// share. Each holds the slots and methods its name says; dict.cpp puts them into the type.
#pragma once

#include <Python.h>

#include <optional>

#include "container.h"
#include "object/dict/dict.h"

namespace nvm::bindings {

bool is_dict(PyObject* object) noexcept;

uint64_t dict_size(Proxy* self);
// The value, or null (no exception) if the key is absent. Throws PythonError if it is unhashable.
Ref dict_lookup(Proxy* self, PyObject* key);
// All entries, read at one instant, in an ordinary dict.
Ref dict_snapshot(Proxy* self);

// A key that was given, hashed before any latch is taken (dict_key.cpp).
class DictKey {
 public:
  // to look up: never refused, but for being unhashable; to store: Error(type) / PythonError.
  DictKey(Proxy* dict, PyObject* key, Encoded::Purpose purpose);
  // False: no stored key is equal to it.
  bool comparable() const noexcept { return key_.has_value(); }
  // REQUIRES comparable().
  const object::Key& operator*() const noexcept { return *key_; }
  void begin() { encoded_.begin(); }

 private:
  Encoded encoded_;
  std::optional<object::Key> key_;
};

// Sets KeyError(key); null.
PyObject* set_key_error(PyObject* key) noexcept;

// dict_update.cpp
void dict_merge(Proxy* self, PyObject* entries);  // of an ordinary dict
PyObject* dict_update(PyObject* self, PyObject* arguments, PyObject* keywords);
PyObject* dict_or(PyObject* left, PyObject* right);
PyObject* dict_inplace_or(PyObject* self, PyObject* other);
PyObject* dict_compare(PyObject* self, PyObject* other, int op);

// dict_iter.cpp
enum class DictPart : uint8_t { keys, values, items };
Ref dict_iterator(PyObject* dict, DictPart part, bool reversed);
Ref set_iterator(PyObject* set);  // over the elements of a PersistentSet
// (the dict or set, the address of the capi::DictCursor, its parts) of an iterator, or None if
// capi::dict_next() cannot step it. The address is good as long as the iterator lives.
PyObject* front_cursor(PyObject*, PyObject* object);
void register_dict_iterator(PyObject* module);

// dict_views.cpp
PyObject* dict_keys(PyObject* self, PyObject*);
PyObject* dict_values(PyObject* self, PyObject*);
PyObject* dict_items(PyObject* self, PyObject*);
// A view of keys or items, of a PersistentDict or a built-in one.
bool is_dict_set_view(PyObject* object) noexcept;
void register_dict_views(PyObject* module);

}  // namespace nvm::bindings
