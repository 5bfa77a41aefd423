// PersistentByteArray: slices, and what adds and takes many bytes. What is given is turned into an
// ordinary bytearray first, by the built-in, which says what is wrong with it.
#include <new>

#include "bytearray/bytearray.h"
#include "pmem/error.h"
#include "slice.h"

namespace nvm::bindings {

namespace bytearray = object::bytearray;

namespace {

Ref empty_bytearray() { return checked(PyByteArray_FromStringAndSize(nullptr, 0)); }

// An operand in the place of a persistent one, for the built-in.
Ref plain_operand(PyObject* operand) {
  return is_bytearray(operand) ? bytearray_snapshot(as_proxy(operand)) : Ref::borrow(operand);
}

void assign(PyObject* self, const Slice& slice, PyObject* values) {
  const bytearray::Bytes content = bytes_in(values);
  changing_bytes(self, [&](Operation& op, Offset offset) {
    const Places places(slice, bytearray::size(op, offset));
    if (places.step == 1) {
      bytearray::splice(op, offset, places.begin, places.end, content);
    } else if (content.size() == places.count) {
      bytearray::set_strided(op, offset, places.begin, places.step, content);
    } else {
      throw Error(ErrorKind::value,
                  "attempt to assign bytes of size " + std::to_string(content.size()) +
                      " to extended slice of size " + std::to_string(places.count));
    }
  });
}

void erase(PyObject* self, const Slice& slice) {
  changing_bytes(self, [&](Operation& op, Offset offset) {
    const Places places(slice, bytearray::size(op, offset));
    if (places.count == 0) return;
    if (places.step == 1) {
      bytearray::splice(op, offset, places.begin, places.end, {});
    } else {
      bytearray::erase_strided(op, offset, places.begin, places.step, places.count);
    }
  });
}

// What a slice is assigned, in an ordinary bytearray.
Ref values_of(PyObject* values) {
  Ref content = empty_bytearray();
  const Ref all = checked(PySlice_New(nullptr, nullptr, nullptr));
  check(PyObject_SetItem(content.get(), all.get(), plain_operand(values).get()));
  return content;
}

void append_all(PyObject* self, PyObject* content) {
  changing_bytes(self, [&](Operation& op, Offset offset) {
    const uint64_t size = bytearray::size(op, offset);
    if (PyByteArray_GET_SIZE(content) != 0)
      bytearray::splice(op, offset, size, size, bytes_in(content));
  });
}

}  // namespace

PyObject* bytearray_get_slice(PyObject* self, PyObject* key) {
  const Slice slice(key);
  // Under the latch an ordinary bytearray is made, which the collector does not track.
  return reading(as_proxy(self), [&](heap::Pool& pool, Offset offset) {
    const bytearray::Bytes bytes = bytearray::bytes(pool, offset);
    const Places places(slice, bytes.size());
    Ref copy =
        checked(PyByteArray_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(places.count)));
    char* to = PyByteArray_AS_STRING(copy.get());
    uint64_t place = places.begin;
    for (uint64_t i = 0; i < places.count; ++i) {
      to[i] = static_cast<char>(bytes[place]);
      place += static_cast<uint64_t>(places.step);
    }
    return copy.release();
  });
}

int bytearray_set_slice(PyObject* self, PyObject* key, PyObject* values) {
  const Slice slice(key);
  const Ref content = values == nullptr ? Ref() : values_of(values);
  // As the built-in: nothing assigned to an extended slice deletes it.
  if (!content || (slice.step != 1 && PyByteArray_GET_SIZE(content.get()) == 0)) {
    erase(self, slice);
  } else {
    assign(self, slice, content.get());
  }
  return 0;
}

void bytearray_assign(PyObject* self, PyObject* content) {
  changing_bytes(self, [&](Operation& op, Offset offset) {
    bytearray::splice(op, offset, 0, bytearray::size(op, offset), bytes_in(content));
  });
}

PyObject* bytearray_extend(PyObject* self, PyObject* iterable) {
  return guarded([&] {
    const Ref content = empty_bytearray();
    checked(PyObject_CallMethod(content.get(), "extend", "O", plain_operand(iterable).get()));
    append_all(self, content.get());
    return none();
  });
}

PyObject* bytearray_concat(PyObject* self, PyObject* other) {
  return guarded([&] {
    const Ref copy = bytearray_snapshot(as_proxy(self));
    return PySequence_InPlaceConcat(copy.get(), plain_operand(other).get());
  });
}

PyObject* bytearray_repeat(PyObject* self, Py_ssize_t times) {
  return guarded(
      [&] { return PySequence_Repeat(bytearray_snapshot(as_proxy(self)).get(), times); });
}

PyObject* bytearray_inplace_concat(PyObject* self, PyObject* other) {
  return guarded([&] {
    const Ref content =
        checked(PySequence_InPlaceConcat(empty_bytearray().get(), plain_operand(other).get()));
    append_all(self, content.get());
    return Ref::borrow(self).release();
  });
}

PyObject* bytearray_inplace_repeat(PyObject* self, Py_ssize_t times) {
  return guarded([&] {
    const uint64_t count = times < 0 ? 0 : static_cast<uint64_t>(times);
    changing_bytes(self, [&](Operation& op, Offset offset) {
      const uint64_t size = bytearray::size(op, offset);
      if (size != 0 && count > heap::kMaxOffset / size) throw std::bad_alloc();
      bytearray::repeat(op, offset, count);
    });
    return Ref::borrow(self).release();
  });
}

}  // namespace nvm::bindings
