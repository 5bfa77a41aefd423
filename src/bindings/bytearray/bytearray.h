// PersistentByteArray: what the files of this folder share. Each holds the slots and methods its
// name says; bytearray.cpp puts them into the type.
#pragma once

#include <Python.h>

#include <type_traits>
#include <vector>

#include "container.h"
#include "memory/views.h"
#include "object/bytearray/bytearray.h"

namespace nvm::bindings {

struct ByteArrayProxy {
  Proxy base;
  Py_ssize_t exports;  // buffers that are alive
};

bool is_bytearray(PyObject* object) noexcept;

uint64_t bytearray_size(Proxy* self);
// Its bytes, read at one instant, in an ordinary bytearray.
Ref bytearray_snapshot(Proxy* self);
// What an ordinary bytearray holds.
inline object::bytearray::Bytes bytes_in(PyObject* bytearray) noexcept {
  return {reinterpret_cast<const uint8_t*>(PyByteArray_AS_STRING(bytearray)),
          static_cast<size_t>(PyByteArray_GET_SIZE(bytearray))};
}

// Runs f(operation, offset) as one operation; Error(buffer), and nothing has changed, if it changes
// the size while buffers are alive.
template <class F>
auto changing_bytes(PyObject* self, F&& f) {
  namespace bytearray = object::bytearray;
  const auto* proxy = reinterpret_cast<const ByteArrayProxy*>(self);
  const auto change = [&](Operation& op, Offset offset) {
    const uint64_t size = bytearray::size(op, offset);
    const auto check = [&] {
      if (proxy->exports != 0 && bytearray::size(op, offset) != size)
        throw Error(ErrorKind::buffer, "Existing exports of data: object cannot be re-sized");
    };
    using Result = decltype(f(op, offset));
    if constexpr (std::is_void_v<Result>) {
      f(op, offset);
      check();
    } else {
      Result result = f(op, offset);
      check();
      return result;
    }
  };
  return past_dead_views([&] { return changing(as_proxy(self), change); });
}

// bytearray_slices.cpp
PyObject* bytearray_get_slice(PyObject* self, PyObject* slice);
int bytearray_set_slice(PyObject* self, PyObject* slice, PyObject* values);  // null: deletes
PyObject* bytearray_concat(PyObject* self, PyObject* other);
PyObject* bytearray_repeat(PyObject* self, Py_ssize_t times);
PyObject* bytearray_inplace_concat(PyObject* self, PyObject* other);
PyObject* bytearray_inplace_repeat(PyObject* self, Py_ssize_t times);
PyObject* bytearray_extend(PyObject* self, PyObject* iterable);
void bytearray_assign(PyObject* self, PyObject* content);  // an ordinary bytearray's bytes

// bytearray_methods.cpp: those that only read
std::vector<PyMethodDef> bytearray_reading_methods();
PyObject* bytearray_modulo(PyObject* left, PyObject* right);
PyObject* bytearray_compare(PyObject* self, PyObject* other, int op);
int bytearray_contains(PyObject* self, PyObject* value);

// bytearray_buffer.cpp
int bytearray_get_buffer(PyObject* self, Py_buffer* view, int flags);
void bytearray_release_buffer(PyObject* self, Py_buffer* view);

}  // namespace nvm::bindings
