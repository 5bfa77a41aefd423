// What is done to a class before it has instances: descriptors for the attributes that they will
// have, and what keeps a mix-in's or the user's own methods from storing elsewhere.
#include "object/caches.h"
#include "object/class_info.h"
#include "object/record/shape.h"
#include "pmem/error.h"

namespace nvm::bindings {

namespace record = object::record;

namespace {

PyObject* class_var = nullptr;

bool is_class_variable(PyObject* annotation) {
  if (PyUnicode_Check(annotation)) return utf8_of(annotation).find("ClassVar") != std::string::npos;
  if (annotation == class_var) return true;
  const Ref origin(PyObject_GetAttrString(annotation, "__origin__"));
  if (!origin) PyErr_Clear();
  return origin.get() == class_var;
}

// Puts a descriptor on the class unless something else takes care of the name.
void cover(PyTypeObject* type, PyObject* name) {
  if (is_volatile(name)) return;
  const Ref present = lookup(type, name);
  const bool data = is_data_descriptor(present.get()) && !is_slot(present.get());
  if (data || is_cached_property(present.get())) return;
  attribute_of(type, name);
}

void cover_annotations(PyTypeObject* type, PyTypeObject* base) {
  const Ref key = checked(PyUnicode_FromString("__annotations__"));
  const Ref annotations = own_value(base, key.get());
  if (!annotations || !PyDict_Check(annotations.get())) return;
  const Ref copy = checked(PyDict_Copy(annotations.get()));
  PyObject* name = nullptr;
  PyObject* annotation = nullptr;
  Py_ssize_t position = 0;
  while (PyDict_Next(copy.get(), &position, &name, &annotation) != 0)
    if (PyUnicode_Check(name) && !is_class_variable(annotation)) cover(type, name);
}

// What __slots__ has made.
void cover_slots(PyTypeObject* type, PyTypeObject* base) {
  const Ref dict = checked(PyObject_GetAttrString(object_of(base), "__dict__"));
  const Ref names = checked(PySequence_List(dict.get()));
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(names.get()); ++i) {
    PyObject* name = PyList_GET_ITEM(names.get(), i);
    const Ref value = own_value(base, name);
    if (value && is_slot(value.get())) cover(type, name);
  }
}

#ifdef PYPY_VERSION
// There is no way to.
void cover_dict(PyTypeObject*) {}
#else
// vars() of an instance asks the class, where a mix-in before our base shows the instance's own
// dict, that of volatile attributes.
void cover_dict(PyTypeObject* type) {
  const Ref name = checked(PyUnicode_InternFromString("__dict__"));
  const Ref ours = lookup(types.object, name.get());
  if (!inherits(type, name.get())) put_in_dict(type, name.get(), ours.get());
}
#endif

// A __setattr__ of the user's may end in object.__setattr__.
void cover_set_attribute(PyTypeObject* type) {
  const Ref name = checked(PyUnicode_InternFromString("__setattr__"));
  if (inherits(type, name.get())) return;
  const Ref present = lookup(type, name.get());
  const Ref covering = storing(present.get());
  if (covering.get() != present.get()) put_on_class(type, name.get(), covering.get());
}

struct Names {
  Offset shape;
  bool lasting;  // every record of the shape has these
  std::vector<std::string> names;
};

Names names_of(heap::Pool& pool, Offset offset) {
  Names result;
  result.shape = record::find(pool, offset, "").shape;
  result.lasting = result.shape == 0 || !object::caches(pool).shapes.shape(pool, result.shape).dict;
  if (!result.lasting) {
    for (record::Attribute& attribute : record::attributes(pool, offset))
      result.names.push_back(std::move(attribute.name));
  } else if (result.shape != 0) {
    result.names = object::caches(pool).shapes.shape(pool, result.shape).names;
  }
  return result;
}

}  // namespace

void prepare_class(PyTypeObject* type) {
  if (info_of(type).prepared) return;
  const Ref mro = Ref::borrow(type->tp_mro);
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(mro.get()); ++i) {
    auto* base = reinterpret_cast<PyTypeObject*>(PyTuple_GET_ITEM(mro.get(), i));
    if (base == types.object || base == &PyBaseObject_Type) continue;
    cover_annotations(type, base);
    if (PyType_IsSubtype(base, types.object) != 0) cover_slots(type, base);
  }
  cover_dict(type);
  cover_set_attribute(type);
  info_of(type).prepared = true;
}

void prepare_record(PyTypeObject* type, PoolObject* owner, heap::Handle* handle) {
  prepare_class(type);
  heap::Pool& pool = *owner->pool;
  ClassInfo* info = &info_of(type);
  uint64_t epoch = 0;
  bool known = false;
  const Names met = heap::read(pool, [&] {
    epoch = pool.undo_epoch();
    const Offset offset = offset_in(handle);
    known =
        info->undo_epoch == epoch && info->shapes.count(record::find(pool, offset, "").shape) != 0;
    return known ? Names{} : names_of(pool, offset);
  });
  if (known) return;
  for (const std::string& name : met.names) cover(type, text_of(name).get());
  info = &info_of(type);
  if (info->undo_epoch != epoch) {
    info->shapes.clear();
    info->undo_epoch = epoch;
  }
  if (met.lasting) info->shapes.insert(met.shape);
}

void register_class_preparation() {
  const Ref typing = checked(PyImport_ImportModule("typing"));
  class_var = checked(PyObject_GetAttrString(typing.get(), "ClassVar")).release();
}

}  // namespace nvm::bindings
