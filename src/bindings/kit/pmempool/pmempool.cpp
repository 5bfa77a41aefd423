// nvm.pmempool: libpmempool.
#include "kit/pmempool/pmempool.h"

#include <cstring>

#include "heap/file/other_pool.h"
#include "heap/file/set_files.h"
#include "poolset/pool_set.h"

namespace nvm::bindings::kit {

Ref path_text(const std::string& bytes) {
  return checked(
      PyUnicode_DecodeFSDefaultAndSize(bytes.data(), static_cast<Py_ssize_t>(bytes.size())));
}

Ref message_text(const char* bytes) {
  const char* const told = bytes != nullptr ? bytes : "";
  return checked(
      PyUnicode_DecodeUTF8(told, static_cast<Py_ssize_t>(std::strlen(told)), "surrogateescape"));
}

void put(const Ref& dict, const char* key, Ref value) {
  check(PyDict_SetItemString(dict.get(), key, value.get()));
}

namespace {

// A pool set file that the library can be given. Throws Error(os), Error(corrupt).
std::string pool_set_name(PyObject* argument) {
  std::string path = file_name(argument);
  const poolset::PoolSet set = poolset::read(path);
  try {
    poolset::check(set, {});
  } catch (const Error& error) {
    throw Error(ErrorKind::corrupt, "'" + path + "': " + error.what(), EUCLEAN, path);
  }
  return path;
}

PyObject* sync_set(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  return guarded([&] {
    check_count("sync", count, 2, 2);
    const std::string path = pool_set_name(arguments[0]);
    const auto flags = static_cast<unsigned>(size_argument(arguments[1], "flags"));
    if (without_lock([&] { return pmempool_sync(path.c_str(), flags); }) != 0)
      throw_open_error(errno, pmempool_errormsg(), path);
    return none();
  });
}

PyObject* transform(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  return guarded([&] {
    constexpr Py_ssize_t wanted = 3;
    check_count("transform", count, wanted, wanted);
    const std::string source = pool_set_name(arguments[0]);
    const std::string target = pool_set_name(arguments[1]);
    const auto flags = static_cast<unsigned>(size_argument(arguments[2], "flags"));
    const int result =
        without_lock([&] { return pmempool_transform(source.c_str(), target.c_str(), flags); });
    if (result != 0) throw_open_error(errno, pmempool_errormsg(), source);
    return none();
  });
}

using Feature = int (*)(const char* path, pmempool_feature feature, unsigned flags);

int call_feature(Feature call, PyObject* const* arguments, Py_ssize_t count) {
  check_count("feature", count, 2, 2);
  const std::string path = file_name(arguments[0]);
  const auto feature = static_cast<pmempool_feature>(integer_argument(arguments[1]));
  without_lock([&] { return tools::PoolView(path).size(); });  // what is no pool is refused
  const int result = without_lock([&] { return call(path.c_str(), feature, 0); });
  if (result < 0) throw_open_error(errno, pmempool_errormsg(), path);
  return result;
}

PyObject* feature_query(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  return guarded(
      [&] { return boolean(call_feature(pmempool_feature_query, arguments, count) != 0); });
}

PyObject* feature_enable(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  return guarded([&] {
    call_feature(pmempool_feature_enable, arguments, count);
    return none();
  });
}

PyObject* feature_disable(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  return guarded([&] {
    call_feature(pmempool_feature_disable, arguments, count);
    return none();
  });
}

PyObject* remove_pool(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  return guarded([&] {
    check_count("rm", count, 2, 2);
    const std::string path = file_name(arguments[0]);
    const auto flags = static_cast<unsigned>(size_argument(arguments[1], "flags"));
    if (heap::names_pool_set(path)) pool_set_name(arguments[0]);
    if (without_lock([&] { return pmempool_rm(path.c_str(), flags); }) != 0)
      throw_open_error(errno, pmempool_errormsg(), path);
    return none();
  });
}

// create_objects(path, layout, size, mode)
PyObject* create_objects(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  return guarded([&] {
    constexpr Py_ssize_t wanted = 4;
    check_count("create", count, wanted, wanted);
    const std::string path = file_name(arguments[0]);
    const std::string layout = bytes_argument(arguments[1]);
    size_t size = size_argument(arguments[2], "size");
    const auto mode = static_cast<mode_t>(size_argument(arguments[3], "mode"));
    if (heap::names_pool_set(path)) {
      pool_set_name(arguments[0]);
      size = 0;
    } else if (size != 0 && size < heap::least_other_pool()) {
      raise(PyExc_ValueError, "size %zu smaller than %zu", size,
            static_cast<size_t>(heap::least_other_pool()));
    }
    without_lock([&] {
      heap::create_other_pool(path, layout, size, mode);
      return 0;
    });
    return none();
  });
}

PyObject* check_version(PyObject*, PyObject* arguments) {
  return check_library_version(arguments, pmempool_check_version);
}

PyMethodDef functions[] = {
    {"sync", as_method(sync_set), METH_FASTCALL, nullptr},
    {"transform", as_method(transform), METH_FASTCALL, nullptr},
    {"feature_query", as_method(feature_query), METH_FASTCALL, nullptr},
    {"feature_enable", as_method(feature_enable), METH_FASTCALL, nullptr},
    {"feature_disable", as_method(feature_disable), METH_FASTCALL, nullptr},
    {"rm", as_method(remove_pool), METH_FASTCALL, nullptr},
    {"create_objects", as_method(create_objects), METH_FASTCALL, nullptr},
    {"check_version", check_version, METH_VARARGS,
     "check_version($module, major_required, minor_required, /)\n--\n\n"
     "True if the library loaded serves a program written for this version of its interface;\n"
     "RuntimeError with the library's message if not."},
    {}};

}  // namespace

void register_pmempool(PyObject* module) {
  register_pool_check(module);
  register_pool_sets(module);
  register_pool_info(module);
  register_pool_chunks(module);
  add_functions(module, "pmempool", functions);
  const Ref least = number(heap::least_other_pool());
  check(PyObject_SetAttrString(module, "PMEMPOOL_MIN_POOL", least.get()));
}

}  // namespace nvm::bindings::kit
