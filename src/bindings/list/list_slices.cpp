// PersistentList: slices, and the operators that work on whole lists.
#include <limits>
#include <new>

#include "list/list.h"
#include "slice.h"

namespace nvm::bindings {

namespace list = object::list;

namespace {

void assign(Proxy* self, const Slice& slice, PyObject* values) {
  Encoded encoded(self->pool, values);
  changing(self, [&](Operation& op, Offset offset) {
    encoded.begin();
    const Places places(slice, list::size(op.pool(), offset));
    const std::vector<object::Value>& items = encoded.items();
    if (places.step == 1) {
      list::splice(op, offset, places.begin, places.end, items);
    } else if (items.size() == places.count) {
      if (places.count != 0) list::set_strided(op, offset, places.begin, places.step, items);
    } else {
      throw Error(ErrorKind::value,
                  "attempt to assign sequence of size " + std::to_string(items.size()) +
                      " to extended slice of size " + std::to_string(places.count));
    }
  });
}

void erase(Proxy* self, const Slice& slice) {
  changing(self, [&](Operation& op, Offset offset) {
    const Places places(slice, list::size(op.pool(), offset));
    if (places.count == 0) return;
    if (places.step == 1) {
      list::splice(op, offset, places.begin, places.end, {});
    } else {
      list::erase_strided(op, offset, places.begin, places.step, places.count);
    }
  });
}

// The values of an assignment in an ordinary list of their own.
Ref values_of(PyObject* key, PyObject* values) {
  Ref items(PySequence_List(values));
  if (!items && PyErr_ExceptionMatches(PyExc_TypeError) && Py_TYPE(values)->tp_iter == nullptr) {
    // The built-in says it in words of its own.
    PyErr_Clear();
    items = checked(PyList_New(0));
    check(PyObject_SetItem(items.get(), key, values));
  }
  return checked(items.release());
}

}  // namespace

PyObject* list_get_slice(PyObject* self, PyObject* key) {
  const Slice slice(key);
  std::vector<Decoded> items;
  reading(as_proxy(self), [&](heap::Pool& pool, Offset offset) {
    const std::span<const uint64_t> cells = list::cells(pool, offset);
    const Places places(slice, cells.size());
    items.reserve(places.count);
    uint64_t place = places.begin;
    for (uint64_t i = 0; i < places.count; ++i) {
      items.push_back(Decoded::fetch(pool, Cell(cells[place])));
      place += static_cast<uint64_t>(places.step);
    }
  });
  return build_list(as_proxy(self)->pool, items).release();
}

int list_set_slice(PyObject* self, PyObject* key, PyObject* values) {
  const Slice slice(key);
  if (values == nullptr) {
    erase(as_proxy(self), slice);
  } else {
    assign(as_proxy(self), slice, values_of(key, values).get());
  }
  return 0;
}

void list_extend(Proxy* self, PyObject* iterable) {
  const Ref items = checked(PySequence_List(iterable));
  Encoded encoded(self->pool, items.get());
  changing(self, [&](Operation& op, Offset offset) {
    encoded.begin();
    const uint64_t size = list::size(op.pool(), offset);
    list::splice(op, offset, size, size, encoded.items());
  });
}

PyObject* list_concat(PyObject* self, PyObject* other) {
  return guarded([&] {
    if (!PyList_Check(other) && !is_list(other))
      raise(PyExc_TypeError, "can only concatenate list (not \"%.200s\") to list",
            Py_TYPE(other)->tp_name);
    Ref items = list_snapshot(as_proxy(self));
    const Ref more = is_list(other) ? list_snapshot(as_proxy(other)) : Ref::borrow(other);
    return PySequence_InPlaceConcat(items.get(), more.get());
  });
}

PyObject* list_repeat(PyObject* self, Py_ssize_t times) {
  return guarded([&] {
    const Ref items = list_snapshot(as_proxy(self));
    return PySequence_Repeat(items.get(), times);
  });
}

PyObject* list_inplace_concat(PyObject* self, PyObject* other) {
  return guarded([&] {
    list_extend(as_proxy(self), other);
    return Ref::borrow(self).release();
  });
}

PyObject* list_inplace_repeat(PyObject* self, Py_ssize_t times) {
  return guarded([&] {
    const uint64_t count = times < 0 ? 0 : static_cast<uint64_t>(times);
    changing(as_proxy(self), [&](Operation& op, Offset offset) {
      const uint64_t size = list::size(op.pool(), offset);
      const uint64_t most = std::numeric_limits<Py_ssize_t>::max() / sizeof(Cell);
      if (size != 0 && count > most / size) throw std::bad_alloc();
      list::repeat(op, offset, count);
    });
    return Ref::borrow(self).release();
  });
}

}  // namespace nvm::bindings
