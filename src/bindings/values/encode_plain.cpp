// Values without parts; and what is to be done with those that have some.
#include "memory/memory.h"
#include "pmem/error.h"
#include "values/encode.h"

namespace nvm::bindings {

using object::Value;
using Purpose = Encoded::Purpose;

namespace {

Value encode_str(PyObject* text) {
#if PY_VERSION_HEX < 0x030C0000
  check(PyUnicode_READY(text));
#endif
  return Value::str(PyUnicode_DATA(text), static_cast<uint64_t>(PyUnicode_GET_LENGTH(text)),
                    static_cast<unsigned>(PyUnicode_KIND(text)), PyUnicode_IS_ASCII(text) != 0);
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

// To look a value up, its key is all that counts. Throws NotComparable if it has none.
Conversion conversion_to_look_up(PoolObject* pool, PyObject* object) {
  Conversion result{Converter::for_look_up(Py_TYPE(object)), {}};
  if (!result.converter) throw NotComparable{};
  const std::string name = result.converter.name(pool, Py_TYPE(object));
  result.key = result.converter.key(object, name);
  if (result.key.get() == Py_None || !compares_as_stored(result.key.get())) throw NotComparable{};
  return result;
}

}  // namespace

bool is_plain_container(const PyTypeObject* type) {
  return type == &PyList_Type || type == &PyDict_Type || type == &PyTuple_Type ||
         type == &PyByteArray_Type || type == &PySet_Type || type == &PyFrozenSet_Type;
}

Value encode_bytes(PyObject* bytes) {
  return Value::bytes_of(PyBytes_AS_STRING(bytes), static_cast<uint64_t>(PyBytes_GET_SIZE(bytes)));
}

Makeup encode_plain(PoolObject* pool, PyObject* object, Purpose purpose, Value& value, Ref& keep,
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
    } else if (is_plain_container(type)) {
      return Makeup::container;
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
        return Makeup::plain;
      }
      if (purpose == Purpose::store) {
        conversion.converter = Converter::for_storing(pool, type);
        if (!conversion.converter) throw Error(ErrorKind::type, refusal(object));
        return Makeup::container;
      }
      conversion = conversion_to_look_up(pool, object);
      object = conversion.key.get();
      type = Py_TYPE(object);
      if (type == &PyTuple_Type) return Makeup::container;
      continue;  // it is equal to what is its key
    }
    return Makeup::plain;
  }
}

}  // namespace nvm::bindings
