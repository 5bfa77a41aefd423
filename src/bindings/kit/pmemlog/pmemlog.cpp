// nvm.pmemlog: libpmemlog.
#include "kit/pmemlog/pmemlog.h"

#include "heap/file/set_files.h"
#include "kit/control.h"
#include "log/log_layout.h"

namespace nvm::bindings::kit {

namespace {

constexpr unsigned kDefaultMode = 0666;

const Arguments<3> kCreate{"create", {"filename", "pool_size", "mode"}, 1};
const Arguments<1> kOpen{"open", {"filename"}, 1};
const Arguments<1> kCheck{"check", {"filename"}, 1};

// As the library wants it: 0 for a pool set, and for a file that is there already.
size_t pool_size(PyObject* argument, const std::string& path) {
  if (heap::names_pool_set(path)) return 0;
  const size_t size = argument == nullptr ? PMEMLOG_MIN_POOL : size_argument(argument, "pool_size");
  if (size != 0 && size < PMEMLOG_MIN_POOL)
    raise(PyExc_ValueError, "size %zu smaller than %zu", size, PMEMLOG_MIN_POOL);
  return size;
}

// Throws Error(corrupt), Error(layout) for what the library must not see. Returns the pool's size.
size_t check_file(const std::string& path) {
  const Unlocked unlocked;
  const tools::PoolView view(path);
  return view.read([&] {
    log::check(view);
    return view.size();
  });
}

PyObject* create(PyObject*, PyObject* const* given, Py_ssize_t positional, PyObject* keywords) {
  return guarded([&] {
    const auto [name, size, mode] = kCreate.take(given, positional, keywords);
    const std::string path = file_name(name);
    const size_t bytes = pool_size(size, path);
    const auto permissions =
        static_cast<mode_t>(mode == nullptr ? kDefaultMode : size_argument(mode, "mode"));
    PMEMlogpool* const log =
        without_lock([&] { return pmemlog_create(path.c_str(), bytes, permissions); });
    if (log == nullptr) throw_open_error(errno, pmemlog_errormsg(), path);
    return new_log_pool(log, check_file(path), path);
  });
}

PyObject* open(PyObject*, PyObject* const* given, Py_ssize_t positional, PyObject* keywords) {
  return guarded([&] {
    const auto [name] = kOpen.take(given, positional, keywords);
    const std::string path = file_name(name);
    const size_t size = check_file(path);
    PMEMlogpool* const log = without_lock([&] { return pmemlog_open(path.c_str()); });
    if (log == nullptr) throw_open_error(errno, pmemlog_errormsg(), path);
    return new_log_pool(log, size, path);
  });
}

PyObject* check_log(PyObject*, PyObject* const* given, Py_ssize_t positional, PyObject* keywords) {
  return guarded([&] {
    const auto [name] = kCheck.take(given, positional, keywords);
    const std::string path = file_name(name);
    try {
      check_file(path);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::corrupt) throw;
      return boolean(false);
    }
    const int result = without_lock([&] { return pmemlog_check(path.c_str()); });
    if (result < 0) throw_open_error(errno, pmemlog_errormsg(), path);
    return boolean(result != 0);
  });
}

PyObject* check_version(PyObject*, PyObject* arguments) {
  return check_library_version(arguments, pmemlog_check_version);
}

PyObject* ctl_get(PyObject*, PyObject* name) {
  return get_control(
      name,
      [](const char* control, int* value) { return pmemlog_ctl_get(nullptr, control, value); },
      pmemlog_errormsg);
}

PyObject* ctl_set(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  return set_control(
      arguments, count,
      [](const char* control, int* value) { return pmemlog_ctl_set(nullptr, control, value); },
      pmemlog_errormsg);
}

PyMethodDef functions[] = {
    {"create", as_method(create), METH_FASTCALL | METH_KEYWORDS,
     "create($module, filename, pool_size=MIN_POOL_SIZE, mode=0o666)\n--\n\n"
     "Make a log and open it.\n\n"
     "filename may be a pool set, whose parts say how large it is; with pool_size 0 the log is\n"
     "made in a file of zeros that is there already.\n\n"
     "Raises FileExistsError, ValueError for a size below MIN_POOL_SIZE, OSError."},
    {"open", as_method(open), METH_FASTCALL | METH_KEYWORDS,
     "open($module, filename)\n--\n\n"
     "Open a log.\n\n"
     "Raises PoolLockedError, PoolCorruptError for a damaged one, LayoutError for a pool of\n"
     "another kind, OSError."},
    {"check", as_method(check_log), METH_FASTCALL | METH_KEYWORDS,
     "check($module, filename)\n--\n\nWhether a log that nobody has open is sound."},
    {"check_version", check_version, METH_VARARGS,
     "check_version($module, major_required, minor_required, /)\n--\n\n"
     "True if the library loaded serves a program written for this version of its interface;\n"
     "RuntimeError with the library's message if not."},
    {"ctl_get", ctl_get, METH_O,
     "ctl_get($module, name, /)\n--\n\nA control of the library, such as \"prefault.at_open\"."},
    {"ctl_set", as_method(ctl_set), METH_FASTCALL,
     "ctl_set($module, name, value, /)\n--\n\nSet a control, for pools opened from now on."},
    {}};

}  // namespace

void register_pmemlog(PyObject* module) {
  register_log_pool(module);
  register_log_chunks(module);
  add_functions(module, "pmemlog", functions);
  const Ref least = checked(PyLong_FromSize_t(PMEMLOG_MIN_POOL));
  check(PyObject_SetAttrString(module, "PMEMLOG_MIN_POOL", least.get()));
}

}  // namespace nvm::bindings::kit
