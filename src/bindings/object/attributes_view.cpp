// vars(obj): a live, read-only view of an object's persistent attributes; and dir(obj).
#include "object/object.h"
#include "pmem/error.h"

namespace nvm::bindings {

namespace record = object::record;

Ref object_snapshot(Proxy* self) {
  std::vector<std::string> names;
  std::vector<Decoded> values;
  reading(self, [&](heap::Pool& pool, Offset offset) {
    for (record::Attribute& attribute : record::attributes(pool, offset)) {
      names.push_back(std::move(attribute.name));
      values.push_back(Decoded::fetch(pool, attribute.value));
    }
  });
  Ref dict = checked(PyDict_New());
  for (size_t i = 0; i < names.size(); ++i) {
    Ref name = text_of(names[i]);
    const Ref value = values[i].build(self->pool);
    check(PyDict_SetItem(dict.get(), name.get(), value.get()));
  }
  return dict;
}

namespace {

struct AttributesView {
  PyObject_HEAD PyObject* object;
};

PyTypeObject* view_type = nullptr;

AttributesView* as_view(PyObject* object) { return reinterpret_cast<AttributesView*>(object); }

PyObject* object_in(PyObject* view) { return part_of_made(view, as_view(view)->object); }

Ref snapshot(PyObject* view) { return object_snapshot(as_proxy(object_in(view))); }

// A cached property's value, which is volatile: functools.cached_property asks for it here.
Ref cached_value(PyObject* view, PyObject* name) {
  PyObject* self = object_in(view);
  const Ref dict = volatile_dict(self);
  if (!dict || !is_cached_property(lookup(Py_TYPE(self), name).get())) return {};
  PyObject* value = PyDict_GetItemWithError(dict.get(), name);
  if (value == nullptr && PyErr_Occurred()) throw PythonError{};
  return Ref::borrow(value);
}

// The value, or null (no exception) if there is no such attribute.
Ref value_of(PyObject* view, PyObject* name) {
  if (!PyUnicode_Check(name)) {
    offset_of(as_proxy(object_in(view)));
    return {};
  }
  if (Ref cached = cached_value(view, name)) return cached;
  const std::string utf8 = utf8_of(name);
  Proxy* self = as_proxy(object_in(view));
  Decoded value = reading(self, [&](heap::Pool& pool, Offset offset) {
    const Cell cell = record::get(pool, offset, utf8);
    return cell.blank() ? Decoded() : Decoded::fetch(pool, cell);
  });
  return value.empty() ? Ref() : value.build(self->pool);
}

// ---- Slots

Py_ssize_t length(PyObject* self) {
  return guarded(
      [&] {
        return reading(as_proxy(object_in(self)), [](heap::Pool& pool, Offset offset) {
          return static_cast<Py_ssize_t>(record::attributes(pool, offset).size());
        });
      },
      -1);
}

PyObject* subscript(PyObject* self, PyObject* name) {
  return guarded([&] {
    Ref value = value_of(self, name);
    if (!value) PyErr_SetObject(PyExc_KeyError, name);
    return value.release();
  });
}

int assign_subscript(PyObject* self, PyObject* name, PyObject* value) {
  return guarded_int([&] {
    PyObject* object = object_in(self);
    if (!PyUnicode_Check(name) || !is_cached_property(lookup(Py_TYPE(object), name).get()))
      raise(PyExc_TypeError,
            "vars() of a persistent object is read-only: assign to its attributes");
    return PyObject_GenericSetAttr(object, name, value);
  });
}

int contains(PyObject* self, PyObject* name) {
  return guarded_int([&] { return value_of(self, name) ? 1 : 0; });
}

PyObject* iter(PyObject* self) {
  return guarded([&] {
    const Ref names = checked(PyDict_Keys(snapshot(self).get()));
    return PyObject_GetIter(names.get());
  });
}

PyObject* repr(PyObject* self) {
  const int entered = Py_ReprEnter(self);
  if (entered != 0) return entered < 0 ? nullptr : PyUnicode_FromString("{...}");
  PyObject* text = guarded([&] { return PyObject_Repr(snapshot(self).get()); });
  Py_ReprLeave(self);
  return text;
}

PyObject* compare(PyObject* self, PyObject* other, int op) {
  return guarded([&] {
    const Ref attributes = snapshot(self);
    const Ref others = Py_TYPE(other) == view_type ? snapshot(other) : Ref::borrow(other);
    return PyObject_RichCompare(attributes.get(), others.get(), op);
  });
}

// ---- Methods: those of a dict, of a snapshot

PyObject* call(PyObject* self, const char* method) {
  return guarded([&] { return PyObject_CallMethod(snapshot(self).get(), method, nullptr); });
}
PyObject* keys(PyObject* self, PyObject*) { return call(self, "keys"); }
PyObject* values(PyObject* self, PyObject*) { return call(self, "values"); }
PyObject* items(PyObject* self, PyObject*) { return call(self, "items"); }
PyObject* copy(PyObject* self, PyObject*) {
  return guarded([&] { return snapshot(self).release(); });
}

PyObject* get(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  return guarded([&] {
    check_count("get", count, 1, 2);
    Ref value = value_of(self, arguments[0]);
    if (value) return value.release();
    return Ref::borrow(count > 1 ? arguments[1] : Py_None).release();
  });
}

void dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  Py_CLEAR(as_view(self)->object);
  type->tp_free(self);
  Py_DECREF(type);
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(as_view(self)->object);
  return 0;
}

PyMethodDef methods[] = {
    {"get", as_method(get), METH_FASTCALL, PyDoc_STR("get($self, key, default=None, /)\n--\n\n")},
    {"keys", keys, METH_NOARGS, PyDoc_STR("keys($self, /)\n--\n\nThe names, as they are now.")},
    {"values", values, METH_NOARGS,
     PyDoc_STR("values($self, /)\n--\n\nThe values, as they are now.")},
    {"items", items, METH_NOARGS,
     PyDoc_STR("items($self, /)\n--\n\nThe (name, value) pairs, as they are now.")},
    {"copy", copy, METH_NOARGS,
     PyDoc_STR("copy($self, /)\n--\n\nThe attributes in an ordinary dict.")},
    {nullptr, nullptr, 0, nullptr}};

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>("A live, read-only view of an object's persistent attributes.")},
    {Py_tp_new, as_slot(refuse_new)},
    {Py_tp_dealloc, as_slot(dealloc)},
    {Py_tp_traverse, as_slot(traverse)},
    {Py_tp_iter, as_slot(iter)},
    {Py_tp_repr, as_slot(repr)},
    {Py_tp_richcompare, as_slot(compare)},
    {Py_tp_methods, methods},
    {Py_sq_contains, as_slot(contains)},
    {Py_mp_length, as_slot(length)},
    {Py_mp_subscript, as_slot(subscript)},
    {Py_mp_ass_subscript, as_slot(assign_subscript)},
    {0, nullptr}};

PyType_Spec spec = {"nvm._core.PersistentAttributes", sizeof(AttributesView), 0,
                    kContainerFlags | kMapping, slots};

// Persistent and volatile attributes.
Ref snapshot_with_volatile(PyObject* self) {
  Ref present = object_snapshot(as_proxy(self));
  if (const Ref dict = volatile_dict(self)) check(PyDict_Merge(present.get(), dict.get(), 0));
  return present;
}

// A name that is only there because of other instances.
bool is_missing(PyObject* self, PyObject* name, PyObject* present) {
  return PyUnicode_Check(name) && is_attribute(lookup(Py_TYPE(self), name).get()) &&
         PyDict_Contains(present, name) == 0 && !class_value(Py_TYPE(self), name);
}

}  // namespace

PyObject* object_vars(PyObject* self, void*) {
  return guarded([&] {
    Ref made = checked(view_type->tp_alloc(view_type, 0));
    Py_INCREF(self);
    as_view(made.get())->object = self;
    return made.release();
  });
}

PyObject* object_dir(PyObject* self, PyObject*) {
  return guarded([&] {
    const Ref present = snapshot_with_volatile(self);
    const Ref of_class = checked(
        PyObject_CallMethod(reinterpret_cast<PyObject*>(&PyBaseObject_Type), "__dir__", "O", self));
    const Ref names = checked(PySequence_List(of_class.get()));
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(names.get()); ++i) {
      PyObject* name = PyList_GET_ITEM(names.get(), i);
      if (!is_missing(self, name, present.get()))
        check(PyDict_SetItem(present.get(), name, Py_None));
    }
    return PyDict_Keys(present.get());
  });
}

void register_attributes_view(PyObject* module) {
  view_type = add_type(module, spec);
  register_abc("Mapping", view_type);
}

}  // namespace nvm::bindings
