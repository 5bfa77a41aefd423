// PersistentByteArray: the type, its items, and the methods that add and take single bytes.
#include "bytearray/bytearray.h"

#include <structmember.h>

#include <algorithm>
#include <cstring>

#include "pmem/error.h"

namespace nvm::bindings {

namespace bytearray = object::bytearray;

bool is_bytearray(PyObject* object) noexcept { return Py_TYPE(object) == types.bytearray; }

uint64_t bytearray_size(Proxy* self) {
  return reading(self,
                 [](heap::Pool& pool, Offset offset) { return bytearray::size(pool, offset); });
}

Ref bytearray_snapshot(Proxy* self) {
  // Under the latch an ordinary bytearray is made, which the collector does not track.
  return reading(self, [](heap::Pool& pool, Offset offset) {
    const bytearray::Bytes bytes = bytearray::bytes(pool, offset);
    return checked(PyByteArray_FromStringAndSize(reinterpret_cast<const char*>(bytes.data()),
                                                 static_cast<Py_ssize_t>(bytes.size())));
  });
}

namespace {

constexpr const char* kOutOfRange = "bytearray index out of range";

// Whether the built-in looks at an index before the byte that is to be stored there.
#if PY_VERSION_HEX < 0x030A0000 && !defined(PYPY_VERSION)
constexpr bool kIndexFirst = true;
#else
constexpr bool kIndexFirst = false;
#endif

uint64_t place_of(Py_ssize_t index, uint64_t size, const char* message) {
  const int64_t place = index < 0 ? index + static_cast<int64_t>(size) : index;
  if (place < 0 || static_cast<uint64_t>(place) >= size) throw Error(ErrorKind::index, message);
  return static_cast<uint64_t>(place);
}

// The built-in says what is no byte.
uint8_t byte_of(PyObject* value) {
  const Ref one = checked(PyByteArray_FromStringAndSize(nullptr, 1));
  check(PySequence_SetItem(one.get(), 0, value));
  return static_cast<uint8_t>(PyByteArray_AS_STRING(one.get())[0]);
}

PyObject* get_item(PyObject* self, Py_ssize_t index) {
  const uint8_t byte = reading(as_proxy(self), [&](heap::Pool& pool, Offset offset) {
    const bytearray::Bytes bytes = bytearray::bytes(pool, offset);
    return bytes[place_of(index, bytes.size(), kOutOfRange)];
  });
  return PyLong_FromLong(byte);
}

// Null: deletes.
void set_item(PyObject* self, Py_ssize_t index, PyObject* value) {
  if (kIndexFirst) place_of(index, bytearray_size(as_proxy(self)), kOutOfRange);
  const uint8_t byte = value == nullptr ? 0 : byte_of(value);
  changing_bytes(self, [&](Operation& op, Offset offset) {
    const uint64_t place = place_of(index, bytearray::size(op, offset), kOutOfRange);
    if (value == nullptr) {
      bytearray::splice(op, offset, place, place + 1, {});
    } else {
      bytearray::set(op, offset, place, byte);
    }
  });
}

Py_ssize_t index_of(PyObject* key) {
  if (!PyIndex_Check(key))
    raise(PyExc_TypeError, "bytearray indices must be integers or slices, not %.200s",
          Py_TYPE(key)->tp_name);
  const Py_ssize_t index = PyNumber_AsSsize_t(key, PyExc_IndexError);
  if (index == -1 && PyErr_Occurred()) throw PythonError{};
  return index;
}

// ---- Slots

Py_ssize_t length(PyObject* self) {
  return guarded([&] { return static_cast<Py_ssize_t>(bytearray_size(as_proxy(self))); }, -1);
}

// Called by PySequence_GetItem and PySequence_SetItem, which have added the size to a negative
// index already.
PyObject* sequence_item(PyObject* self, Py_ssize_t index) {
  return guarded([&] {
    if (index < 0) throw Error(ErrorKind::index, kOutOfRange);
    return get_item(self, index);
  });
}
int sequence_assign(PyObject* self, Py_ssize_t index, PyObject* value) {
  return guarded_int([&] {
    if (index < 0) throw Error(ErrorKind::index, kOutOfRange);
    set_item(self, index, value);
    return 0;
  });
}

PyObject* subscript(PyObject* self, PyObject* key) {
  return guarded([&] {
    return PySlice_Check(key) ? bytearray_get_slice(self, key) : get_item(self, index_of(key));
  });
}

int assign_subscript(PyObject* self, PyObject* key, PyObject* value) {
  return guarded_int([&] {
    if (PySlice_Check(key)) return bytearray_set_slice(self, key, value);
    set_item(self, index_of(key), value);
    return 0;
  });
}

PyObject* iter(PyObject* self) {
  return guarded([&] {
    offset_of(as_proxy(self));
    return PySeqIter_New(self);
  });
}

PyObject* repr(PyObject* self) {
  return guarded([&] {
    const Ref copy = bytearray_snapshot(as_proxy(self));
    const Ref bytes = checked(PyBytes_FromObject(copy.get()));
    return PyUnicode_FromFormat("PersistentByteArray(%R)", bytes.get());
  });
}

// What bytearray() is given, in an ordinary one.
Ref content_of(PyObject* arguments, PyObject* keywords) {
  return checked(PyObject_Call(object_of(&PyByteArray_Type), arguments, keywords));
}

// Empty: __init__ fills it.
PyObject* make(PyTypeObject*, PyObject*, PyObject*) {
  return guarded([&] {
    PoolObject* pool = pool_for_call("PersistentByteArray");
    const Ref nothing = checked(PyTuple_New(0));
    return new_bytearray(pool, nothing.get(), nullptr).release();
  });
}

int init(PyObject* self, PyObject* arguments, PyObject* keywords) {
  return guarded_int([&] {
    bytearray_assign(self, content_of(arguments, keywords).get());
    return 0;
  });
}

// ---- Methods

void insert_byte(PyObject* self, Py_ssize_t index, uint8_t byte) {
  changing_bytes(self, [&](Operation& op, Offset offset) {
    const auto size = static_cast<int64_t>(bytearray::size(op, offset));
    const int64_t place = index < 0 ? std::max<int64_t>(index + size, 0) : index;
    const auto begin = static_cast<uint64_t>(std::min(place, size));
    bytearray::splice(op, offset, begin, begin, {&byte, 1});
  });
}

PyObject* append(PyObject* self, PyObject* value) {
  return guarded([&] {
    insert_byte(self, PY_SSIZE_T_MAX, byte_of(value));
    return none();
  });
}

PyObject* insert(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  return guarded([&] {
    check_count("insert", count, 2, 2);
    const Py_ssize_t index = integer_argument(arguments[0]);
    insert_byte(self, index, byte_of(arguments[1]));
    return none();
  });
}

PyObject* pop(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  return guarded([&] {
    check_count("pop", count, 0, 1);
    const Py_ssize_t index = count == 0 ? -1 : integer_argument(arguments[0]);
    const uint8_t byte = changing_bytes(self, [&](Operation& op, Offset offset) {
      const bytearray::Bytes bytes = bytearray::bytes(op.pool(), offset);
      if (bytes.empty()) throw Error(ErrorKind::index, "pop from empty bytearray");
      const uint64_t place = place_of(index, bytes.size(), "pop index out of range");
      const uint8_t popped = bytes[place];
      bytearray::splice(op, offset, place, place + 1, {});
      return popped;
    });
    return PyLong_FromLong(byte);
  });
}

PyObject* remove(PyObject* self, PyObject* value) {
  return guarded([&] {
    const uint8_t byte = byte_of(value);
    changing_bytes(self, [&](Operation& op, Offset offset) {
      const bytearray::Bytes bytes = bytearray::bytes(op.pool(), offset);
      const auto found = std::find(bytes.begin(), bytes.end(), byte);
      if (found == bytes.end()) throw Error(ErrorKind::value, "value not found in bytearray");
      const auto place = static_cast<uint64_t>(found - bytes.begin());
      bytearray::splice(op, offset, place, place + 1, {});
    });
    return none();
  });
}

PyObject* clear(PyObject* self, PyObject*) {
  return guarded([&] {
    changing_bytes(self, [](Operation& op, Offset offset) { bytearray::clear(op, offset); });
    return none();
  });
}

PyObject* reverse(PyObject* self, PyObject*) {
  return guarded([&] {
    changing_bytes(self, [](Operation& op, Offset offset) { bytearray::reverse(op, offset); });
    return none();
  });
}

PyObject* copy(PyObject* self, PyObject*) {
  return guarded([&] { return bytearray_snapshot(as_proxy(self)).release(); });
}

PyObject* fromhex(PyObject*, PyObject* text) {
  return PyObject_CallMethod(object_of(&PyByteArray_Type), "fromhex", "O", text);
}

PyObject* maketrans(PyObject*, PyObject* arguments) {
  return guarded([&] {
    const Ref function = checked(PyObject_GetAttrString(object_of(&PyByteArray_Type), "maketrans"));
    return PyObject_Call(function.get(), arguments, nullptr);
  });
}

// For copy and pickle: an ordinary bytearray with the same bytes.
PyObject* reduce(PyObject* self, PyObject*) {
  return guarded([&] {
    const Ref content = bytearray_snapshot(as_proxy(self));
    const Ref bytes = checked(PyBytes_FromObject(content.get()));
    return Py_BuildValue("O(O)", &PyByteArray_Type, bytes.get());
  });
}

const std::vector<PyMethodDef> kOwnMethods = {
    {"append", append, METH_O,
     PyDoc_STR("append($self, item, /)\n--\n\n"
               "Append a byte to the end. Durable when it returns, or with the transaction.")},
    {"extend", bytearray_extend, METH_O,
     PyDoc_STR("extend($self, iterable_of_ints, /)\n--\n\n"
               "Append all bytes of the iterable or buffer, which is read first, in one "
               "operation.")},
    {"insert", as_method(insert), METH_FASTCALL,
     PyDoc_STR("insert($self, index, item, /)\n--\n\nInsert a byte before index.")},
    {"pop", as_method(pop), METH_FASTCALL,
     PyDoc_STR("pop($self, index=-1, /)\n--\n\n"
               "Remove and return the byte at index (default last).\n\n"
               "Raises IndexError if there is none.")},
    {"remove", remove, METH_O,
     PyDoc_STR("remove($self, value, /)\n--\n\n"
               "Remove the first byte of this value.\n\nRaises ValueError if there is none.")},
    {"clear", clear, METH_NOARGS, PyDoc_STR("clear($self, /)\n--\n\nRemove all bytes.")},
    {"reverse", reverse, METH_NOARGS,
     PyDoc_STR("reverse($self, /)\n--\n\nReverse the order of the bytes in place.")},
    {"copy", copy, METH_NOARGS,
     PyDoc_STR("copy($self, /)\n--\n\nReturn the bytes in an ordinary bytearray.")},
    {"to_python", copy, METH_NOARGS,
     PyDoc_STR("to_python($self, /)\n--\n\nReturn the bytes in an ordinary bytearray.")},
    {"fromhex", fromhex, METH_O | METH_CLASS,
     PyDoc_STR("fromhex($type, string, /)\n--\n\n"
               "Return an ordinary bytearray of the bytes that hexadecimal digits say.")},
    {"maketrans", maketrans, METH_VARARGS | METH_STATIC,
     PyDoc_STR("maketrans(frm, to, /)\n--\n\nReturn a table for translate().")},
    {"__copy__", copy, METH_NOARGS, nullptr},
    {"__reduce__", reduce, METH_NOARGS, nullptr},
    {"__reduce_ex__", reduce, METH_O, nullptr}};

PyMemberDef members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Proxy, weakrefs), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};

PyTypeObject* add_bytearray(PyObject* module) {
  static std::vector<PyMethodDef> methods = bytearray_reading_methods();
  methods.insert(methods.begin(), kOwnMethods.begin(), kOwnMethods.end());
  methods.push_back({nullptr, nullptr, 0, nullptr});
  PyType_Slot slots[] = {
      {Py_tp_doc, const_cast<char*>(
                      "A bytearray that lives in a pool.\n\n"
                      "It behaves as the built-in bytearray does; each change is atomic, and "
                      "durable when it\nreturns (or with the transaction that it is part of). Made "
                      "by storing a bytearray in the\npool, or by "
                      "pool.new(PersistentByteArray, ...), with the arguments of bytearray().\n\n"
                      "A memoryview of it is writable and writes through. What is stored that way "
                      "is durable\nwhen the view is released, after pool.sync() and "
                      "pool.close(), and no abort undoes it.\nWhile a view is alive the size "
                      "cannot change (BufferError).")},
      {Py_tp_new, as_slot(make)},
      {Py_tp_init, as_slot(init)},
      {Py_tp_dealloc, as_slot(proxy_dealloc)},
      {Py_tp_traverse, as_slot(proxy_traverse)},
      {Py_tp_hash, as_slot(PyObject_HashNotImplemented)},
      {Py_tp_repr, as_slot(repr)},
      {Py_tp_richcompare, as_slot(bytearray_compare)},
      {Py_tp_iter, as_slot(iter)},
      {Py_tp_methods, methods.data()},
      {Py_tp_getset, proxy_attributes},
      {Py_tp_members, members},
      {Py_nb_remainder, as_slot(bytearray_modulo)},
      {Py_sq_length, as_slot(length)},
      {Py_sq_item, as_slot(sequence_item)},
      {Py_sq_ass_item, as_slot(sequence_assign)},
      {Py_sq_contains, as_slot(bytearray_contains)},
      {Py_sq_concat, as_slot(bytearray_concat)},
      {Py_sq_repeat, as_slot(bytearray_repeat)},
      {Py_sq_inplace_concat, as_slot(bytearray_inplace_concat)},
      {Py_sq_inplace_repeat, as_slot(bytearray_inplace_repeat)},
      {Py_mp_length, as_slot(length)},
      {Py_mp_subscript, as_slot(subscript)},
      {Py_mp_ass_subscript, as_slot(assign_subscript)},
#ifndef PYPY_VERSION  // nvm/_pypy/views.py
      {Py_bf_getbuffer, as_slot(bytearray_get_buffer)},
      {Py_bf_releasebuffer, as_slot(bytearray_release_buffer)},
#endif
      {0, nullptr}};
  PyType_Spec spec = {"nvm.pmemobj.PersistentByteArray", sizeof(ByteArrayProxy), 0, kContainerFlags,
                      slots};
  return add_type(module, spec);
}

}  // namespace

Ref new_bytearray(PoolObject* pool, PyObject* arguments, PyObject* keywords) {
  const Ref content = content_of(arguments, keywords);
  return new_container(pool, content.get(), heap::Type::bytearray);
}

void register_bytearray(PyObject* module) {
  types.bytearray = add_bytearray(module);
  register_abc("MutableSequence", types.bytearray);
}

}  // namespace nvm::bindings
