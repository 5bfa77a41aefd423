// nvm.vmem: the kinds of memory that libmemkind knows, and what concerns all of them.
#include <array>
#include <cstring>
#include <string>

#include "kit/vmem/vmem.h"

namespace nvm::bindings::kit::vmem {

namespace {

struct Named {
  const char* name;
  memkind_t* kind;
};

// libmemkind's variables; nvm.vmem.Kind has a member for each.
constexpr std::array kKinds{
    Named{"DEFAULT", &MEMKIND_DEFAULT},
    Named{"REGULAR", &MEMKIND_REGULAR},
    Named{"HUGETLB", &MEMKIND_HUGETLB},
    Named{"INTERLEAVE", &MEMKIND_INTERLEAVE},
    Named{"HBW", &MEMKIND_HBW},
    Named{"HBW_ALL", &MEMKIND_HBW_ALL},
    Named{"HBW_PREFERRED", &MEMKIND_HBW_PREFERRED},
    Named{"HBW_HUGETLB", &MEMKIND_HBW_HUGETLB},
    Named{"HBW_ALL_HUGETLB", &MEMKIND_HBW_ALL_HUGETLB},
    Named{"HBW_PREFERRED_HUGETLB", &MEMKIND_HBW_PREFERRED_HUGETLB},
    Named{"HBW_INTERLEAVE", &MEMKIND_HBW_INTERLEAVE},
    Named{"DAX_KMEM", &MEMKIND_DAX_KMEM},
    Named{"DAX_KMEM_ALL", &MEMKIND_DAX_KMEM_ALL},
    Named{"DAX_KMEM_PREFERRED", &MEMKIND_DAX_KMEM_PREFERRED},
    Named{"DAX_KMEM_INTERLEAVE", &MEMKIND_DAX_KMEM_INTERLEAVE},
    Named{"HIGHEST_CAPACITY", &MEMKIND_HIGHEST_CAPACITY},
    Named{"HIGHEST_CAPACITY_PREFERRED", &MEMKIND_HIGHEST_CAPACITY_PREFERRED},
    Named{"HIGHEST_CAPACITY_LOCAL", &MEMKIND_HIGHEST_CAPACITY_LOCAL},
    Named{"HIGHEST_CAPACITY_LOCAL_PREFERRED", &MEMKIND_HIGHEST_CAPACITY_LOCAL_PREFERRED},
    Named{"LOWEST_LATENCY_LOCAL", &MEMKIND_LOWEST_LATENCY_LOCAL},
    Named{"LOWEST_LATENCY_LOCAL_PREFERRED", &MEMKIND_LOWEST_LATENCY_LOCAL_PREFERRED},
    Named{"HIGHEST_BANDWIDTH_LOCAL", &MEMKIND_HIGHEST_BANDWIDTH_LOCAL},
    Named{"HIGHEST_BANDWIDTH_LOCAL_PREFERRED", &MEMKIND_HIGHEST_BANDWIDTH_LOCAL_PREFERRED}};

// (name) -> whether the machine has that kind
PyObject* kind_available(PyObject*, PyObject* argument) {
  return guarded([&] {
    const char* name = PyUnicode_AsUTF8(argument);
    if (name == nullptr) throw PythonError{};
    const memkind_t kind = kind_named(name);
    return boolean(kind != nullptr && memkind_check_available(kind) == MEMKIND_SUCCESS);
  });
}

PyObject* kind_names(PyObject*, PyObject*) {
  return guarded([] {
    Ref names = checked(PyList_New(0));
    for (const Named& named : kKinds)
      check(PyList_Append(names.get(), checked(PyUnicode_FromString(named.name)).get()));
    return names.release();
  });
}

// memkind_get_version() is major * kMajor + minor * kMinor + patch.
constexpr int kMajor = 1000000;
constexpr int kMinor = 1000;

PyObject* version(PyObject*, PyObject*) {
  const int number = memkind_get_version();
  return Py_BuildValue("(iii)", number / kMajor, number / kMinor % kMinor, number % kMinor);
}

PyObject* is_dax(PyObject*, PyObject* argument) {
  return guarded([&] {
    const std::string path = file_name(argument);
    return boolean(memkind_check_dax_path(path.c_str()) == MEMKIND_SUCCESS);
  });
}

PyObject* set_background_threads(PyObject*, PyObject* argument) {
  return guarded([&] {
    const int wanted = PyObject_IsTrue(argument);
    check(wanted);
    check_memkind(memkind_set_bg_threads(wanted != 0));
    return none();
  });
}

void append(void* text, const char* part) { static_cast<std::string*>(text)->append(part); }

// (options) -> text
PyObject* report(PyObject*, PyObject* argument) {
  return guarded([&] {
    const size_t options = size_argument(argument, "options");
    std::string text;
    check_memkind(memkind_stats_print(append, &text, static_cast<memkind_stat_print_opt>(options)));
    return PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace");
  });
}

PyMethodDef functions[] = {
    {"kind_available", kind_available, METH_O, nullptr},
    {"kind_names", kind_names, METH_NOARGS, nullptr},
    {"report", report, METH_O, nullptr},
    {"version", version, METH_NOARGS,
     "version($module, /)\n--\n\nlibmemkind's version: (major, minor, patch)."},
    {"is_dax", is_dax, METH_O,
     "is_dax($module, path, /)\n--\n\nWhether a folder lies on a file system with DAX."},
    {"set_background_threads", set_background_threads, METH_O,
     "set_background_threads($module, state, /)\n--\n\n"
     "Whether threads of libmemkind give memory that is not used back to the system."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

memkind_t kind_named(const char* name) noexcept {
  for (const Named& named : kKinds)
    if (std::strcmp(named.name, name) == 0) return *named.kind;
  return nullptr;
}

void check_kind(memkind_t kind, const char* name) {
  const int code = memkind_check_available(kind);
  if (code == MEMKIND_SUCCESS) return;
  try {
    check_memkind(code);
  } catch (const Error& error) {
    throw_library_error(
        error.error_number(),
        (std::string("this machine has no memory of the kind ") + name + " (" + error.what() + ")")
            .c_str());
  }
}

void register_kinds(PyObject* module) { add_functions(module, "vmem", functions); }

}  // namespace nvm::bindings::kit::vmem
