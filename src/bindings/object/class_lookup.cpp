// Classes and their names: which class an object in a pool is an instance of.
//
// Nothing is imported: a class is looked up in the modules that the program has imported. A class
// that is not to be found there (one made inside a function) is known as long as it lives.
#include <algorithm>

#include "object/class_info.h"
#include "object/record/class_table.h"
#include "pmem/error.h"

namespace nvm::bindings {

namespace record = object::record;

namespace {

PyObject* class_not_found = nullptr;

// What a class with code of its own has (nvm/_memory.py). What has not is made into nothing because
// a pool says so.
constexpr const char* kCustomMethods[] = {"_p_new", "_p_resurrect", "_p_traverse",
                                          "_p_substructures", "_p_deallocate"};

// ---- From a name to a class

[[noreturn]] void raise_not_found(const std::string& name, const std::string& module,
                                  const std::string& why) {
  const Ref message = text_of("class '" + name + "' " + why);
  const Ref arguments = checked(PyTuple_Pack(1, message.get()));
  const Ref keywords = checked(PyDict_New());
  const Ref module_name = text_of(module);
  check(PyDict_SetItemString(keywords.get(), "name", module_name.get()));
  const Ref error = checked(PyObject_Call(class_not_found, arguments.get(), keywords.get()));
  PyErr_SetObject(class_not_found, error.get());
  throw PythonError{};
}

// What a module or class has under a name, read without running any code.
Ref member_of(PyObject* owner, PyObject* name) {
  if (PyType_Check(owner)) return lookup(reinterpret_cast<PyTypeObject*>(owner), name);
  if (!PyModule_Check(owner)) return {};
  PyObject* member = PyDict_GetItemWithError(PyModule_GetDict(owner), name);
  if (member == nullptr && PyErr_Occurred()) throw PythonError{};
  return Ref::borrow(member);
}

// module.A.B, or null if there is no such thing.
Ref find_in_module(PyObject* module, const std::string& qualname) {
  Ref found = Ref::borrow(module);
  for (size_t begin = 0; found && begin <= qualname.size();) {
    const size_t end = std::min(qualname.find('.', begin), qualname.size());
    const Ref part = text_of(qualname.substr(begin, end - begin));
    found = member_of(found.get(), part.get());
    begin = end + 1;
  }
  return found;
}

// A dict of nvm._immutable: see there.
Ref type_table(const char* name) {
  const Ref module = checked(PyImport_ImportModule("nvm._immutable"));
  return checked(PyObject_GetAttrString(module.get(), name));
}

Ref imported_module(const std::string& name) {
  const Ref text = text_of(name);
  Ref module = Ref::borrow(PyDict_GetItemWithError(PyImport_GetModuleDict(), text.get()));
  if (!module && PyErr_Occurred()) throw PythonError{};
  return module;
}

// A registered class, or one that has the name as an alias.
Ref find_named(const std::string& name) {
  const Ref text = text_of(name);
  const Ref named = type_table("named");
  Ref found = Ref::borrow(PyDict_GetItemWithError(named.get(), text.get()));
  if (!found && PyErr_Occurred()) throw PythonError{};
  return found;
}

// The one of the names that the pool has known for longest, or the last.
std::string best_name(heap::Pool& pool, std::vector<std::string> names) {
  return heap::read(pool, [&] {
    pool.check_open();
    const auto age = [&](const std::string& name) {
      return object::class_table::find(pool, name) - 1;  // unknown: the greatest
    };
    std::reverse(names.begin(), names.end());
    return *std::min_element(names.begin(), names.end(),
                             [&](const auto& a, const auto& b) { return age(a) < age(b); });
  });
}

// What has the name, whatever it is.
Ref find_by_name(const std::string& name) {
  const size_t colon = name.find(':');
  const std::string module_name = name.substr(0, colon);
  const std::string qualname = colon == std::string::npos ? "" : name.substr(colon + 1);
  const Ref module = imported_module(module_name);
  Ref found = find_named(name);
  if (!found && module) found = find_in_module(module.get(), qualname);
  if (!found) found = find_living(name);
  if (!found && !module)
    raise_not_found(name, module_name, "is not known here: import " + module_name + " first");
  if (!found)
    raise_not_found(name, module_name,
                    "is not known here: module " + module_name + " does not have it");
  return found;
}

Ref find_class(const std::string& name) {
  Ref found = find_by_name(name);
  if (!PyType_Check(found.get()) ||
      PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(found.get()), types.object) == 0)
    raise_not_found(name, name.substr(0, name.find(':')), "is not a subclass of PersistentObject");
  return found;
}

}  // namespace

const std::string& name_of(PyTypeObject* type) { return info_of(type).name; }

std::string name_in(PoolObject* pool, PyTypeObject* type) {
  const Ref aliases = type_table("aliases");
  const Ref former = Ref::borrow(PyDict_GetItemWithError(aliases.get(), object_of(type)));
  if (!former) {
    if (PyErr_Occurred()) throw PythonError{};
    return name_of(type);
  }
  std::vector<std::string> names;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(former.get()); ++i)
    names.push_back(utf8_of(PyTuple_GET_ITEM(former.get(), i)));
  names.push_back(name_of(type));
  return best_name(usable(pool), std::move(names));
}

Ref find_any_class(const std::string& name) {
  Ref found = find_by_name(name);
  if (!PyType_Check(found.get()))
    raise_not_found(name, name.substr(0, name.find(':')), "is no class here");
  return found;
}

Ref find_custom_class(const std::string& name) {
  Ref found = find_any_class(name);
  auto* const type = reinterpret_cast<PyTypeObject*>(found.get());
  for (const char* method : kCustomMethods)
    if (!lookup(type, checked(PyUnicode_FromString(method)).get()))
      raise_not_found(name, name.substr(0, name.find(':')), std::string("has no ") + method);
  return found;
}

void remember_class(PoolObject* pool, uint64_t class_id, PyTypeObject* type) {
  const uint64_t epoch = pool->pool->undo_epoch();
  if (pool->classes_epoch != epoch) {
    // A class that was new in an undone transaction has lost its number.
    PyDict_Clear(pool->classes);
    pool->classes_epoch = epoch;
  }
  const Ref key = checked(PyLong_FromUnsignedLongLong(class_id));
  check(PyDict_SetItem(pool->classes, key.get(), object_of(type)));
}

Ref class_of(PoolObject* owner, heap::Handle* handle) {
  heap::Pool& pool = *owner->pool;
  uint64_t epoch = 0;
  const uint64_t id = heap::read(pool, [&] {
    epoch = pool.undo_epoch();
    return record::class_id(pool, offset_in(handle));
  });
  if (owner->classes_epoch == epoch) {
    const Ref key = checked(PyLong_FromUnsignedLongLong(id));
    PyObject* known = PyDict_GetItemWithError(owner->classes, key.get());
    if (known != nullptr) return Ref::borrow(known);
    if (PyErr_Occurred()) throw PythonError{};
  }
  const std::string name = heap::read(pool, [&] { return object::class_table::name_of(pool, id); });
  Ref found = find_class(name);
  remember_class(owner, id, reinterpret_cast<PyTypeObject*>(found.get()));
  return found;
}

void register_class_lookup() {
  const Ref errors = checked(PyImport_ImportModule("nvm._errors"));
  class_not_found = checked(PyObject_GetAttrString(errors.get(), "ClassNotFoundError")).release();
}

}  // namespace nvm::bindings
