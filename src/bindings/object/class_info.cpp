#include "object/class_info.h"

#include <algorithm>
#include <unordered_map>

namespace nvm::bindings {

namespace {

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

}  // namespace

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

Ref find_living(const std::string& name) {
  const auto found = registry().by_name.find(name);
  return found == registry().by_name.end() ? Ref() : found->second.get();
}

}  // namespace nvm::bindings
