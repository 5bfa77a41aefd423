// nvm.pmemblk: libpmemblk.
#include "kit/pmemblk/pmemblk.h"

#include <cstdint>

#include "blk/blk_layout.h"
#include "heap/file/set_files.h"
#include "kit/control.h"

namespace nvm::bindings::kit {

namespace {

constexpr unsigned kDefaultMode = 0666;

const Arguments<4> kCreate{"create", {"filename", "block_size", "pool_size", "mode"}, 1};
const Arguments<2> kOpen{"open", {"filename", "block_size"}, 1};
const Arguments<2> kCheck{"check", {"filename", "block_size"}, 1};

size_t pool_size(PyObject* argument, const std::string& path) {
  if (heap::names_pool_set(path)) return 0;
  const size_t size = argument == nullptr ? PMEMBLK_MIN_POOL : size_argument(argument, "pool_size");
  if (size != 0 && size < PMEMBLK_MIN_POOL)
    raise(PyExc_ValueError, "size %zu smaller than %zu", size, PMEMBLK_MIN_POOL);
  return size;
}

size_t block_size(PyObject* argument, size_t otherwise) {
  if (argument == nullptr) return otherwise;
  const size_t size = size_argument(argument, "block_size");
  if (size > UINT32_MAX) raise(PyExc_ValueError, "blocks of %zu bytes are too large", size);
  return size;
}

// Throws Error(corrupt), Error(layout) for what the library must not see. Returns the pool's size.
size_t check_file(const std::string& path) {
  const Unlocked unlocked;
  const tools::PoolView view(path);
  return view.read([&] {
    blk::check(view);
    return view.size();
  });
}

PyObject* create(PyObject*, PyObject* const* given, Py_ssize_t positional, PyObject* keywords) {
  return guarded([&] {
    const auto [name, block, size, mode] = kCreate.take(given, positional, keywords);
    const std::string path = file_name(name);
    const size_t block_bytes = block_size(block, PMEMBLK_MIN_BLK);
    if (block_bytes == 0) raise(PyExc_ValueError, "blocks of no bytes");
    const size_t bytes = pool_size(size, path);
    const auto permissions =
        static_cast<mode_t>(mode == nullptr ? kDefaultMode : size_argument(mode, "mode"));
    PMEMblkpool* const blocks =
        without_lock([&] { return pmemblk_create(path.c_str(), block_bytes, bytes, permissions); });
    if (blocks == nullptr) throw_open_error(errno, pmemblk_errormsg(), path);
    return new_block_pool(blocks, check_file(path), path);
  });
}

PyObject* open(PyObject*, PyObject* const* given, Py_ssize_t positional, PyObject* keywords) {
  return guarded([&] {
    const auto [name, block] = kOpen.take(given, positional, keywords);
    const std::string path = file_name(name);
    const size_t block_bytes = block_size(block, 0);
    const size_t size = check_file(path);
    PMEMblkpool* const blocks =
        without_lock([&] { return pmemblk_open(path.c_str(), block_bytes); });
    if (blocks == nullptr) throw_open_error(errno, pmemblk_errormsg(), path);
    return new_block_pool(blocks, size, path);
  });
}

PyObject* check_blocks(PyObject*, PyObject* const* given, Py_ssize_t positional,
                       PyObject* keywords) {
  return guarded([&] {
    const auto [name, block] = kCheck.take(given, positional, keywords);
    const std::string path = file_name(name);
    const size_t block_bytes = block_size(block, 0);
    try {
      check_file(path);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::corrupt) throw;
      return boolean(false);
    }
    const int result = without_lock([&] { return pmemblk_check(path.c_str(), block_bytes); });
    if (result < 0) throw_open_error(errno, pmemblk_errormsg(), path);
    return boolean(result != 0);
  });
}

PyObject* check_version(PyObject*, PyObject* arguments) {
  return check_library_version(arguments, pmemblk_check_version);
}

PyObject* ctl_get(PyObject*, PyObject* name) {
  return get_control(
      name,
      [](const char* control, int* value) { return pmemblk_ctl_get(nullptr, control, value); },
      pmemblk_errormsg);
}

PyObject* ctl_set(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  return set_control(
      arguments, count,
      [](const char* control, int* value) { return pmemblk_ctl_set(nullptr, control, value); },
      pmemblk_errormsg);
}

PyMethodDef functions[] = {
    {"create", as_method(create), METH_FASTCALL | METH_KEYWORDS,
     "create($module, filename, block_size=MIN_BLK, pool_size=MIN_POOL_SIZE, mode=0o666)\n--\n\n"
     "Make a pool of blocks and open it.\n\n"
     "filename may be a pool set, whose parts say how large it is; with pool_size 0 the pool is\n"
     "made in a file of zeros that is there already. block_size may be less than MIN_BLK; each\n"
     "block takes MIN_BLK bytes at least.\n\n"
     "Raises FileExistsError, ValueError for a size below MIN_POOL_SIZE, OSError."},
    {"open", as_method(open), METH_FASTCALL | METH_KEYWORDS,
     "open($module, filename, block_size=0)\n--\n\n"
     "Open a pool of blocks; 0: of any size.\n\n"
     "Raises PoolLockedError, PoolCorruptError for a damaged one, LayoutError for a pool of\n"
     "another kind, OSError with EINVAL if its blocks are of another size."},
    {"check", as_method(check_blocks), METH_FASTCALL | METH_KEYWORDS,
     "check($module, filename, block_size=0)\n--\n\n"
     "Whether a pool that nobody has open is sound."},
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

void register_pmemblk(PyObject* module) {
  register_block_pool(module);
  add_functions(module, "pmemblk", functions);
  const Ref least = checked(PyLong_FromSize_t(PMEMBLK_MIN_POOL));
  check(PyObject_SetAttrString(module, "PMEMBLK_MIN_POOL", least.get()));
  const Ref block = checked(PyLong_FromSize_t(PMEMBLK_MIN_BLK));
  check(PyObject_SetAttrString(module, "PMEMBLK_MIN_BLK", block.get()));
}

}  // namespace nvm::bindings::kit
