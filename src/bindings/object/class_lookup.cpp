// Classes and their names: which class an object in a pool is an instance of, and what is done to a
// class before it has instances.
//
// Nothing is imported: a class is looked up in the modules that the program has imported. A class
// that is not to be found there (one made inside a function) is known as long as it lives.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "object/object.h"
#include "object/record/class_table.h"
#include "pmem/error.h"

namespace nvm::bindings {

namespace record = object::record;

namespace {

PyObject* class_not_found = nullptr;
PyObject* class_var = nullptr;

// A class, or any object, that is not kept alive.
class Weak {
 public:
  explicit Weak(PyTypeObject* type)
      : reference_(checked(PyWeakref_NewRef(object_of(type), nullptr))) {}
  Ref get() const {
#if PY_VERSION_HEX >= 0x030D0000
    PyObject* object = nullptr;
    PyWeakref_GetRef(reference_.get(), &object);
    return Ref(object);
#else
    PyObject* object = PyWeakref_GetObject(reference_.get());
    return object == Py_None ? Ref() : Ref::borrow(object);
#endif
  }

 private:
  Ref reference_;
};

// What is known of a class.
struct ClassInfo {
  Weak type;
  std::string name;
  bool prepared = false;
  // The shapes whose names have their descriptors: of one pool, as long as nothing is undone in it.
  uint64_t undo_epoch = 0;
  std::unordered_set<Offset> shapes;
};

constexpr size_t kLeastSwept = 64;

// Entries of classes that are gone are swept out whenever a table has doubled.
template <class Table, class Gone>
void sweep(Table& table, size_t& limit, Gone gone) {
  if (table.size() < std::max(limit, kLeastSwept)) return;
  std::erase_if(table, gone);
  limit = 2 * table.size();
}

// All classes that have been met. Never destroyed: the interpreter ends before it could be.
struct Registry {
  std::unordered_map<PyTypeObject*, ClassInfo> infos;
  std::unordered_map<std::string, Weak> by_name;
  size_t info_limit = 0;
  size_t name_limit = 0;
};
Registry& registry() {
  static auto* const instance = new Registry;
  return *instance;
}

std::string make_name(PyTypeObject* type) {
  const Ref module = checked(PyObject_GetAttrString(object_of(type), "__module__"));
  const Ref name = checked(PyObject_GetAttrString(object_of(type), "__qualname__"));
  if (!PyUnicode_Check(module.get()) || !PyUnicode_Check(name.get()))
    raise(PyExc_TypeError, "the class %R has no module or name", type);
  return utf8_of(module.get()) + ":" + utf8_of(name.get());
}

ClassInfo& info_of(PyTypeObject* type) {
  auto& [infos, by_name, info_limit, name_limit] = registry();
  const auto found = infos.find(type);
  if (found != infos.end()) {
    if (found->second.type.get().get() == object_of(type)) return found->second;
    infos.erase(found);  // of another class that was at this address
  }
  sweep(infos, info_limit, [](const auto& entry) { return !entry.second.type.get(); });
  sweep(by_name, name_limit, [](const auto& entry) { return !entry.second.get(); });
  std::string name = make_name(type);
  by_name.insert_or_assign(name, Weak(type));
  return infos.emplace(type, ClassInfo{Weak(type), std::move(name), false, 0, {}}).first->second;
}

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

Ref find_living(const std::string& name) {
  const auto found = registry().by_name.find(name);
  return found == registry().by_name.end() ? Ref() : found->second.get();
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

// ---- Descriptors that a class needs

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
  const bool data = present && Py_TYPE(present.get())->tp_descr_set != nullptr;
  if ((data && !is_slot(present.get())) || is_cached_property(present.get())) return;
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

struct Names {
  Offset shape;
  bool lasting;  // every record of the shape has these
  std::vector<std::string> names;
};

Names names_of(heap::Pool& pool, Offset offset) {
  Names result;
  result.shape = record::find(pool, offset, "").shape;
  result.lasting =
      result.shape == 0 || !object::ShapeCache::of(pool).shape(pool, result.shape).dict;
  if (!result.lasting) {
    for (record::Attribute& attribute : record::attributes(pool, offset))
      result.names.push_back(std::move(attribute.name));
  } else if (result.shape != 0) {
    result.names = object::ShapeCache::of(pool).shape(pool, result.shape).names;
  }
  return result;
}

Offset offset_in(const heap::Handle* record) {
  if (record->offset() == 0)
    throw Error(ErrorKind::stale, "the object was born in a transaction that has been undone");
  return record->offset();
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

void prepare_class(PyTypeObject* type) {
  if (info_of(type).prepared) return;
  const Ref mro = Ref::borrow(type->tp_mro);
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(mro.get()); ++i) {
    auto* base = reinterpret_cast<PyTypeObject*>(PyTuple_GET_ITEM(mro.get(), i));
    if (base == types.object || base == &PyBaseObject_Type) continue;
    cover_annotations(type, base);
    if (PyType_IsSubtype(base, types.object) != 0) cover_slots(type, base);
  }
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

void register_class_lookup() {
  const Ref errors = checked(PyImport_ImportModule("nvm._errors"));
  class_not_found = checked(PyObject_GetAttrString(errors.get(), "ClassNotFoundError")).release();
  const Ref typing = checked(PyImport_ImportModule("typing"));
  class_var = checked(PyObject_GetAttrString(typing.get(), "ClassVar")).release();
}

}  // namespace nvm::bindings
