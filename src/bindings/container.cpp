// What the files of the persistent containers share.
#include "container.h"

#include <bit>
#include <string_view>

#include "memory/memory.h"
#include "object/store.h"
#include "pmem/error.h"

namespace nvm::bindings {

using object::StoredKey;

Ref new_container(PoolObject* pool, PyObject* content, heap::Type type) {
  Encoded encoded(pool, content);
  encoded.set_type(type);
  return proxy_for(pool, create_pinned(pool, [&](Operation& op) {
                     encoded.begin();
                     const Cell cell = object::make_cell(op, encoded.value());
                     op.drop(cell.offset());
                     return cell.offset();
                   }));
}

Py_ssize_t bound_argument(PyObject* argument) {
  if (!PyIndex_Check(argument))
    raise(PyExc_TypeError, "slice indices must be integers or have an __index__ method");
  const Py_ssize_t bound = PyNumber_AsSsize_t(argument, nullptr);
  if (bound == -1 && PyErr_Occurred()) throw PythonError{};
  return bound;
}

namespace {

bool same_bits(double one, double other) {
  return std::bit_cast<uint64_t>(one) == std::bit_cast<uint64_t>(other);
}

// The one type of the standard library's with values that are not equal to themselves: NaNs.
bool is_decimal(const PyTypeObject* type) {
  const std::string_view name = type->tp_name;
  return name == "decimal.Decimal" || name == "Decimal";  // the latter on PyPy
}

bool same_decimals(PyObject* item, PyObject* other) {
  const Ref digits = checked(PyObject_Str(item));
  const Ref other_digits = checked(PyObject_Str(other));
  return PyUnicode_Compare(digits.get(), other_digits.get()) == 0;
}

bool same_numbers(PyObject* item, PyObject* other) {
  if (PyFloat_CheckExact(item) && PyFloat_CheckExact(other))
    return same_bits(PyFloat_AS_DOUBLE(item), PyFloat_AS_DOUBLE(other));
  if (PyComplex_CheckExact(item) && PyComplex_CheckExact(other))
    return same_bits(PyComplex_RealAsDouble(item), PyComplex_RealAsDouble(other)) &&
           same_bits(PyComplex_ImagAsDouble(item), PyComplex_ImagAsDouble(other));
  if (Py_TYPE(item) == Py_TYPE(other) && is_decimal(Py_TYPE(item)))
    return same_decimals(item, other);
  return false;
}

}  // namespace

bool same_item(PyObject* item, PyObject* other) {
  const int equal = PyObject_RichCompareBool(item, other, Py_EQ);
  if (equal < 0) throw PythonError{};
  return equal != 0 || same_numbers(item, other);
}

Ref build_list(PoolObject* pool, std::vector<Decoded>& items) {
  // All items first: building one can run other code, which must not see a list with holes.
  std::vector<Ref> built;
  built.reserve(items.size());
  for (Decoded& item : items) built.push_back(item.build(pool));
  Ref list = checked(PyList_New(static_cast<Py_ssize_t>(built.size())));
  for (size_t i = 0; i < built.size(); ++i)
    PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i), built[i].release());
  return list;
}

Decoded fetch_key(heap::Pool& pool, const StoredKey& key) {
  switch (key.kind) {
    case StoredKey::Kind::str:
      return Decoded::of(checked(str_of(key.width, key.data, key.length)));
    case StoredKey::Kind::bytes:
      return Decoded::of(checked(PyBytes_FromStringAndSize(key.data, key.length)));
    default:
      return Decoded::fetch(pool, key.cell, true);
  }
}

PoolObject* pool_for_call(const char* type_name) {
  PoolObject* pool = transaction_pool();
  if (pool == nullptr)
    raise(PyExc_TypeError,
          "%.200s objects live in a pool: make one with pool.new(%.200s, ...), or inside a "
          "transaction of the pool",
          type_name, type_name);
  return pool;
}

PyObject* get_oid(PyObject* self, void*) {
  return guarded([&] {
    const heap::Pool& pool = checked_pool(as_proxy(self));
    const Offset offset = offset_of(as_proxy(self));
    return Py_BuildValue("(KK)", static_cast<unsigned long long>(pool.hash_key()),
                         static_cast<unsigned long long>(offset));
  });
}

PyObject* get_pool(PyObject* self, void*) {
  return guarded([&] {
    checked_pool(as_proxy(self));
    return Ref::borrow(reinterpret_cast<PyObject*>(as_proxy(self)->pool)).release();
  });
}

PyObject* get_manager(PyObject* self, void*) {
  return guarded([&] {
    checked_pool(as_proxy(self));
    return memory_manager(as_proxy(self)->pool).release();
  });
}

PyGetSetDef proxy_attributes[] = {
    {"_p_oid", get_oid, refuse_set, PyDoc_STR("The object's oid: (pool id, offset)."),
     as_closure("_p_oid")},
    {"_p_pool", get_pool, refuse_set, PyDoc_STR("The pool that the object lives in."),
     as_closure("_p_pool")},
    {"_p_mm", get_manager, refuse_set, PyDoc_STR("The pool's MemoryManager."), as_closure("_p_mm")},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

void register_abc(const char* name, PyTypeObject* type) {
  const Ref module = checked(PyImport_ImportModule("collections.abc"));
  const Ref abc = checked(PyObject_GetAttrString(module.get(), name));
  checked(PyObject_CallMethod(abc.get(), "register", "O", type));
}

}  // namespace nvm::bindings
