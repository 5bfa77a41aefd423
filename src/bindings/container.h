// What the files of the persistent containers share.
#pragma once

#include <Python.h>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "binding.h"
#include "object/key/key.h"
#include "object/value/cell.h"

namespace nvm::bindings {

using heap::Offset;
using heap::Operation;
using object::Cell;

// The proxy's pool; throws Error(type) for a proxy that no pool has made.
inline heap::Pool& checked_pool(Proxy* self) {
  if (self->handle == nullptr) throw_no_object(self);
  return pool_of(self);
}

// Runs f(pool, offset) under the shared latch: see heap::read.
template <class F>
auto reading(Proxy* self, F&& f) {
  heap::Pool& pool = checked_pool(self);
  return heap::read(pool, [&] { return f(pool, offset_of(self)); });
}

// Runs f(operation, offset) as one operation: see heap::mutate. It may run more than once.
template <class F>
auto changing(Proxy* self, F&& f) {
  return heap::mutate(checked_pool(self), [&](Operation& op) { return f(op, offset_of(self)); });
}

// A new object on limbo, made by make(operation), which returns its offset: pinned.
template <class F>
heap::Handle* create_pinned(PoolObject* owner, F&& make) {
  heap::Pool& pool = usable(owner);
  heap::Handle* pinned = nullptr;
  try {
    heap::mutate(pool, [&](Operation& op) {
      const Offset offset = make(op);
      // An earlier run's object is gone with it.
      if (pinned != nullptr) unpin(pool, std::exchange(pinned, nullptr));
      pinned = pool.handles().pin(offset);
    });
  } catch (...) {
    if (pinned != nullptr) unpin(pool, pinned);
    throw;
  }
  return pinned;
}

// A new object of this type with what an ordinary container holds: as create_pinned, then its
// proxy.
Ref new_container(PoolObject* pool, PyObject* content, heap::Type type);

// A bound given to index(): as integer_argument, but what is out of range is as far as can be.
Py_ssize_t bound_argument(PyObject* argument);

// Whether a container takes two objects for equal, as the built-ins do: identical or ==. Values
// keep no identity here, so that floats with the same bits count as identical (a NaN is found), and
// Decimals with the same digits.
bool same_item(PyObject* item, PyObject* other);

// PyPy has no Py_RETURN_RICHCOMPARE.
template <class Ordered>
PyObject* compare_values(const Ordered& left, const Ordered& right, int op) {
  switch (op) {
    case Py_EQ:
      return boolean(left == right);
    case Py_NE:
      return boolean(left != right);
    case Py_LT:
      return boolean(left < right);
    case Py_LE:
      return boolean(left <= right);
    case Py_GT:
      return boolean(left > right);
    default:
      return boolean(left >= right);
  }
}

// One level of comparing what may hold itself: a RecursionError where the stack ends. CPython asks
// for it in PyObject_RichCompare; PyPy does not.
class ComparisonLevel {
 public:
  ComparisonLevel() {
    if (Py_EnterRecursiveCall(" in comparison") != 0) throw PythonError{};
  }
  ~ComparisonLevel() { Py_LeaveRecursiveCall(); }
  ComparisonLevel(const ComparisonLevel&) = delete;
  ComparisonLevel& operator=(const ComparisonLevel&) = delete;
};

// Compares sequences as list and tuple do; item_of(sequence, index) is null at the end.
template <class SizeOf, class ItemOf>
PyObject* compare_sequences(PyObject* left, PyObject* right, int op, SizeOf size_of,
                            ItemOf item_of) {
  const ComparisonLevel level;
  if ((op == Py_EQ || op == Py_NE) && size_of(left) != size_of(right)) return boolean(op == Py_NE);
  for (uint64_t i = 0;; ++i) {
    const Ref item = item_of(left, i);
    const Ref other = item_of(right, i);
    if (!item || !other) break;
    if (same_item(item.get(), other.get())) continue;
    if (op == Py_EQ || op == Py_NE) return boolean(op == Py_NE);
    return PyObject_RichCompare(item.get(), other.get(), op);
  }
  return compare_values(size_of(left), size_of(right), op);
}

// Python lists of what was fetched under a latch.
Ref build_list(PoolObject* pool, std::vector<Decoded>& items);

// The key as it lies there; under the latch.
Decoded fetch_key(heap::Pool& pool, const object::StoredKey& key);

// Deep copies, as ordinary built-ins: shared and cyclic parts stay so. Instances of
// PersistentObject stay what they are (plain.cpp).
Ref to_python(PyObject* container);
// The same of any value: of what a tuple holds, too.
Ref plain_copy(PyObject* value);
// The hash of a PersistentTuple or PersistentFrozenSet: that of the ordinary one (plain.cpp).
Py_hash_t hash_of_frozen(PyObject* self) noexcept;

// The pool for an object that is made by calling its class; throws a TypeError naming pool.new.
PoolObject* pool_for_call(const char* type_name);

// Attributes of every persistent object: _p_oid, _p_pool, _p_mm; what a type without others has.
extern PyGetSetDef proxy_attributes[];
PyObject* get_oid(PyObject* self, void*);
PyObject* get_pool(PyObject* self, void*);
PyObject* get_manager(PyObject* self, void*);

// Makes isinstance(x, collections.abc.<name>) true for instances.
void register_abc(const char* name, PyTypeObject* type);

}  // namespace nvm::bindings
