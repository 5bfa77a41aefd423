// Messages about what cannot be stored.
#include "binding.h"
#include "values/encode.h"

namespace nvm::bindings {

namespace {

// Parts of a path that are shown at each end; a deep one is cut in the middle.
constexpr size_t kShownParts = 20;
constexpr size_t kShownKey = 40;

std::string utf8(PyObject* text) {
  const Ref bytes(text == nullptr ? nullptr
                                  : PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace"));
  if (bytes) return PyBytes_AS_STRING(bytes.get());
  PyErr_Clear();
  return "?";
}

// A str in double quotes, any other key by its repr.
std::string key_text(PyObject* key) {
  std::string text;
  if (PyUnicode_CheckExact(key)) {
    const std::string content = utf8(key);
    if (content.find_first_of("\"\\\n") == std::string::npos) text = "\"" + content + "\"";
  }
  if (text.empty()) text = utf8(Ref(PyObject_Repr(key)).get());
  return text.size() <= kShownKey ? text : text.substr(0, kShownKey) + "...";
}

std::string part_text(const Place& place) {
  switch (place.kind) {
    case Place::Kind::item:
      return "[" + std::to_string(place.index) + "]";
    case Place::Kind::key:
      return ".keys()[" + std::to_string(place.index) + "]";
    case Place::Kind::value:
      return "[" + key_text(place.key) + "]";
    case Place::Kind::element:
      return "{...}";
    case Place::Kind::field:
      return "." + utf8(place.key);
    case Place::Kind::state:
      return ".to_state()";
    case Place::Kind::own_key:
      return ".key()";
    default:
      return "";
  }
}

std::string name_of(PyTypeObject* type) {
  auto* object = reinterpret_cast<PyObject*>(type);
  const Ref name(PyObject_GetAttrString(object, "__qualname__"));
  const Ref module(PyObject_GetAttrString(object, "__module__"));
  PyErr_Clear();
  std::string short_name = utf8(name.get());
  if (!module || !PyUnicode_Check(module.get())) return short_name;
  const std::string module_name = utf8(module.get());
  return module_name == "builtins" ? short_name : module_name + "." + short_name;
}

// The storable built-in that the type derives from, or null.
const char* storable_base(PyTypeObject* type) {
  struct Base {
    PyTypeObject* type;
    const char* name;
  };
  for (const Base& base :
       {Base{&PyUnicode_Type, "str"}, Base{&PyLong_Type, "int"}, Base{&PyFloat_Type, "float"},
        Base{&PyBytes_Type, "bytes"}, Base{&PyByteArray_Type, "bytearray"},
        Base{&PyList_Type, "list"}, Base{&PyDict_Type, "dict"}, Base{&PyTuple_Type, "tuple"},
        Base{&PySet_Type, "set"}, Base{&PyFrozenSet_Type, "frozenset"},
        Base{&PyComplex_Type, "complex"}}) {
    if (PyType_IsSubtype(type, base.type) != 0) return base.name;
  }
  return nullptr;
}

}  // namespace

std::string path_of(const std::vector<Place>& nodes, const Place& place) {
  std::vector<const Place*> parts{&place};
  while (parts.back()->kind != Place::Kind::root) parts.push_back(&nodes[parts.back()->parent]);
  parts.pop_back();
  std::string path = " at value";
  for (size_t i = parts.size(); i-- > 0;) {
    const size_t depth = parts.size() - i;
    if (depth <= kShownParts || i < kShownParts) {
      path += part_text(*parts[i]);
    } else if (depth == kShownParts + 1) {
      path += "...";
    }
  }
  return path;
}

std::string refusal(PyObject* object) {
  PyTypeObject* type = Py_TYPE(object);
  std::string text = "Don't know how to persist '" + name_of(type) + "' objects";
  if (PyType_Check(object)) return text + " (classes themselves are not stored)";
  if (const char* base = storable_base(type))
    return text + " (a subclass of " + base + ", which would be lost: store " + base +
           "(...) of it, or register the class with nvm.register_type)";
  return text +
         " (store built-in values, derive the class from nvm.pmemobj.PersistentObject, or, if its "
         "instances never change, make it a frozen dataclass or register it with "
         "nvm.register_type)";
}

}  // namespace nvm::bindings
