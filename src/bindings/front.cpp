// What nvm._pypy.front is built on: the addresses of the C interface of the core (capi/front.h),
// and the classes that proxies are made of. Harmless elsewhere.
#include "capi/front.h"

#include "container.h"
#include "dict/dict.h"
#include "list/list.h"
#include "object/object.h"

namespace nvm::bindings {

namespace {

// [(name, signature, address), ...]
PyObject* front_functions(PyObject*, PyObject*) {
  return guarded([] {
    Ref all = checked(PyList_New(0));
    for (const capi::Function* function = capi::functions(); function->name != nullptr; ++function)
      check(
          PyList_Append(all.get(), checked(Py_BuildValue("ssL", function->name, function->signature,
                                                         static_cast<long long>(function->address)))
                                       .get()));
    return all.release();
  });
}

// The address of a proxy's handle; 0 if it has none. It stays the same as long as the proxy lives.
PyObject* front_handle(PyObject*, PyObject* object) {
  return guarded([&] {
    if (!is_proxy(object)) raise(PyExc_TypeError, "not a persistent object");
    return PyLong_FromLongLong(reinterpret_cast<long long>(as_proxy(object)->handle));
  });
}

// (epoch, place) of an attribute in the record that was read last, or None.
PyObject* front_place(PyObject*, PyObject* attribute) {
  return guarded([&] {
    if (!is_attribute(attribute)) raise(PyExc_TypeError, "not an attribute");
    uint64_t epoch = 0;
    object::record::Place place{};
    if (!place_of(attribute, epoch, place)) return none();
    return Py_BuildValue("LL", static_cast<long long>(epoch),
                         static_cast<long long>(capi::packed_place(place.shape, place.slot)));
  });
}

// (list, count, addresses of cells before and after) -> as nvm_list_replace, but that it waits
PyObject* front_replace(PyObject*, PyObject* arguments) {
  return guarded([&] {
    PyObject* items = nullptr;
    long long count = 0;
    long long before = 0;
    long long after = 0;
    if (PyArg_ParseTuple(arguments, "OLLL", &items, &count, &before, &after) == 0)
      throw PythonError{};
    if (!is_list(items)) raise(PyExc_TypeError, "not a persistent list");
    const auto cells = [](long long address) {
      return reinterpret_cast<const int64_t*>(address);  // NOLINT(performance-no-int-to-ptr)
    };
    return PyLong_FromLongLong(changing(as_proxy(items), [&](Operation& op, Offset offset) {
      return capi::replace_items(op, offset, count, cells(before), cells(after));
    }));
  });
}

// Puts a subclass in its base's place: what is made from now on is of it.
PyObject* front_use(PyObject*, PyObject* subclass) {
  return guarded([&] {
    if (!PyType_Check(subclass)) raise(PyExc_TypeError, "not a class");
    auto* type = reinterpret_cast<PyTypeObject*>(subclass);
    for (PyTypeObject** const place :
         {&types.list, &types.dict, &types.set, &types.frozenset, &types.tuple, &types.bytearray,
          &types.object, &types.attribute, &types.dict_keys, &types.dict_values,
          &types.dict_items}) {
      if (PyType_IsSubtype(type, *place) == 0) continue;
      Py_INCREF(type);  // the old one stays as well: it is the base
      *place = type;
      return none();
    }
    raise(PyExc_TypeError, "not a subclass of a persistent type");
  });
}

PyMethodDef functions[] = {{"front_functions", front_functions, METH_NOARGS, nullptr},
                           {"front_handle", front_handle, METH_O, nullptr},
                           {"front_place", front_place, METH_O, nullptr},
                           {"front_cursor", front_cursor, METH_O, nullptr},
                           {"front_replace", front_replace, METH_VARARGS, nullptr},
                           {"front_use", front_use, METH_O, nullptr},
                           {}};

}  // namespace

void register_front(PyObject* module) { check(PyModule_AddFunctions(module, functions)); }

}  // namespace nvm::bindings
