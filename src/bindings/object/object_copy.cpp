// Copies of persistent objects, which live in the same pool; and how they are pickled, if at all.
#include "object/object.h"

namespace nvm::bindings {

namespace record = object::record;

namespace {

// Attributes on their way into a record: an ordinary dict of them, encoded as one so that what they
// share stays shared.
class Attributes {
 public:
  Attributes(PoolObject* pool, PyObject* dict) : encoded_(pool, dict) {
    const Ref names = checked(PyDict_Keys(dict));
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(names.get()); ++i)
      names_.push_back(utf8_of(PyList_GET_ITEM(names.get(), i)));
  }
  void store(Operation& op, Offset offset) {
    encoded_.begin();
    for (size_t i = 0; i < names_.size(); ++i)
      record::set(op, offset, names_[i], encoded_.items()[2 * i + 1]);
  }

 private:
  Encoded encoded_;
  std::vector<std::string> names_;
};

Ref deep_copy(PyObject* value, PyObject* memo) {
  const Ref module = checked(PyImport_ImportModule("copy"));
  return checked(PyObject_CallMethod(module.get(), "deepcopy", "OO", value, memo));
}

void remember(PyObject* memo, PyObject* original, PyObject* copy) {
  const Ref builtins = checked(PyImport_ImportModule("builtins"));
  const Ref id = checked(PyObject_CallMethod(builtins.get(), "id", "O", original));
  check(PyObject_SetItem(memo, id.get(), copy));
}

// Whether a class, or a mix-in, has a method that object does not have or has otherwise.
bool has_its_own(PyTypeObject* type, const char* method) {
  const Ref name = checked(PyUnicode_FromString(method));
  return lookup(type, name.get()).get() != lookup(&PyBaseObject_Type, name.get()).get();
}

}  // namespace

PyObject* object_copy(PyObject* self, PyObject*) {
  return guarded([&] {
    PoolObject* pool = as_proxy(self)->pool;
    Attributes attributes(pool, object_snapshot(as_proxy(self)).get());
    Ref copy = allocate(Py_TYPE(self));
    create_record(copy.get(), pool,
                  [&](Operation& op, Offset offset) { attributes.store(op, offset); });
    return copy.release();
  });
}

PyObject* object_deepcopy(PyObject* self, PyObject* memo) {
  return guarded([&] {
    PoolObject* pool = as_proxy(self)->pool;
    Ref copy = allocate(Py_TYPE(self));
    create_record(copy.get(), pool, [](Operation&, Offset) {});
    remember(memo, self, copy.get());
    const Ref originals = object_snapshot(as_proxy(self));
    Attributes attributes(pool, deep_copy(originals.get(), memo).get());
    changing(as_proxy(copy.get()),
             [&](Operation& op, Offset offset) { attributes.store(op, offset); });
    return copy.release();
  });
}

PyObject* object_reduce(PyObject* self, PyObject* protocol) {
  return guarded([&] {
    if (has_its_own(Py_TYPE(self), "__reduce__"))
      return PyObject_CallMethod(self, "__reduce__", nullptr);
    if (has_its_own(Py_TYPE(self), "__getstate__"))
      return PyObject_CallMethod(object_of(&PyBaseObject_Type), "__reduce_ex__", "OO", self,
                                 protocol);
    raise(PyExc_TypeError,
          "cannot pickle '%.200s' object: it lives in a pool, unless its class defines __reduce__ "
          "or __getstate__",
          Py_TYPE(self)->tp_name);
  });
}

}  // namespace nvm::bindings
