// nvm.open, nvm.pmemobj.create and nvm.pmemobj.open.
#include "pool/open.h"

#include <chrono>
#include <cstring>
#include <limits>
#include <thread>

#include "container.h"
#include "object/store.h"
#include "pmem/error.h"
#include "pool/transaction.h"

namespace nvm::bindings {

namespace {

constexpr double kLockSlice = 0.05;  // seconds between two looks for signals
constexpr int kDefaultMode = 0666;

std::shared_ptr<heap::Pool> open_now(const heap::OpenOptions& options) {
  const Unlocked unlocked;
  return heap::Pool::open(options, object::initialize, object::destroy);
}

// Another process's lock is waited for in slices, so that signals end the wait.
std::shared_ptr<heap::Pool> open_waiting(heap::OpenOptions& options, double timeout) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  if (timeout == kForEver) timeout = std::numeric_limits<double>::infinity();
  for (;;) {
    const double left = timeout - std::chrono::duration<double>(Clock::now() - start).count();
    options.lock_timeout = std::max(0.0, std::min(left, kLockSlice));
    try {
      return open_now(options);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::locked || left <= kLockSlice) throw;
    }
    check_signals();
    const Unlocked unlocked;
    std::this_thread::sleep_for(std::chrono::duration<double>(kLockSlice / 2));
  }
}

Ref new_pool_object() { return checked(types.pool->tp_new(types.pool, nullptr, nullptr)); }

PyObject* opened(OpenRequest request, double timeout) {
  Ref pool = new_pool_object();
  open_pool(reinterpret_cast<PoolObject*>(pool.get()), std::move(request), timeout);
  return pool.release();
}

PyObject* nvm_open(PyObject*, PyObject* args, PyObject* kw) {
  static const char* names[] = {"path",    "flag", "size",    "mode",
                                "backend", "sync", "timeout", nullptr};
  PyObject* path = nullptr;
  const char* flag = "c";
  PyObject* size = nullptr;
  int mode = kDefaultMode;
  const char* backend_name = nullptr;
  const char* sync = "commit";
  PyObject* timeout = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kw, "O|s$OizsO:open", const_cast<char**>(names), &path,
                                   &flag, &size, &mode, &backend_name, &sync, &timeout))
    return nullptr;
  return guarded([&] {
    OpenRequest request;
    set_path(request, path);
    set_flag(request, flag);
    request.options.promise = *promise_of(sync);
    set_limit(request, size_of(size));
    request.options.mode = static_cast<mode_t>(mode);
    if (backend_name != nullptr) request.options.backend = backend::kind_from_name(backend_name);
    return opened(std::move(request), timeout == nullptr ? 0 : seconds_of(timeout));
  });
}

PyObject* pmemobj_create(PyObject*, PyObject* args, PyObject* kw) {
  static const char* names[] = {"filename", "pool_size", "mode", "debug", nullptr};
  PyObject* path = nullptr;
  PyObject* size = nullptr;
  int mode = kDefaultMode;
  int debug = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kw, "O|Oip:create", const_cast<char**>(names), &path,
                                   &size, &mode, &debug))
    return nullptr;
  return guarded([&] {
    OpenRequest request;
    set_path(request, path);
    set_flag(request, "x");
    set_limit(request, size == nullptr ? heap::kMinPoolSize : size_of(size));
    request.options.mode = static_cast<mode_t>(mode);
    request.debug = debug != 0;
    return opened(std::move(request), 0);
  });
}

PyObject* pmemobj_open(PyObject*, PyObject* args, PyObject* kw) {
  static const char* names[] = {"filename", "debug", nullptr};
  PyObject* path = nullptr;
  int debug = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kw, "O|p:open", const_cast<char**>(names), &path, &debug))
    return nullptr;
  return guarded([&] {
    OpenRequest request;
    set_path(request, path);
    set_flag(request, "w");
    request.debug = debug != 0;
    return opened(std::move(request), 0);
  });
}

PyMethodDef open_method = {
    "open", as_method(nvm_open), METH_VARARGS | METH_KEYWORDS,
    "open(path, flag='c', *, size=None, mode=0o666, backend=None, sync='commit',\n"
    "     timeout=0)\n--\n\n"
    "Open a pool of persistent objects, creating the file if the flag says so.\n\n"
    "Args:\n"
    "    path: The file, or a pool set file (docs/kit.md): str, bytes or os.PathLike.\n"
    "    flag: \"r\" an existing pool, for reading: nothing in the file changes; \"w\" an "
    "existing\n"
    "        one; \"c\" create it if it is missing; \"n\" always a new one, replacing the file;\n"
    "        \"x\" create it, FileExistsError if it exists.\n"
    "    size: The limit that the pool may grow to, in bytes or as a text such as \"64 GiB\". It\n"
    "        raises an existing pool's. By default half of what the file system has free;\n"
    "        with the journal 64 GiB, as its files take only what is used of them.\n"
    "    mode: The permissions of a new file, less the umask.\n"
    "    backend: \"dax\", \"journal\" or \"memory\"; by default what the file system calls for.\n"
    "    sync: \"commit\": an operation or transaction is durable when it returns.\n"
    "        \"relaxed\", with the journal: it survives the process then, and soon afterwards a\n"
    "        power failure.\n"
    "    timeout: Seconds to wait for another process that has the pool open; None: for ever.\n\n"
    "Returns:\n"
    "    PersistentObjectPool: The pool, a context manager and a mapping.\n\n"
    "Raises:\n"
    "    OSError: The file is missing, exists, cannot be accessed or is no regular file; the\n"
    "        disk has too little room.\n"
    "    PoolLockedError: It is open already, in another process or in this one.\n"
    "    PoolCorruptError: It is damaged or no pool.\n"
    "    LayoutError: It is the pool of another program or format.\n"
    "    ValueError: The size is too small or too large, or another argument is wrong."};

PyMethodDef pmemobj_create_method = {
    "create", as_method(pmemobj_create), METH_VARARGS | METH_KEYWORDS,
    "create(filename, pool_size=MIN_POOL_SIZE, mode=0o666, debug=False)\n--\n\n"
    "Create a pool that may grow to pool_size bytes.\n\n"
    "Raises:\n"
    "    FileExistsError: The file exists.\n"
    "    ValueError: pool_size is under MIN_POOL_SIZE."};

PyMethodDef pmemobj_open_method = {
    "open", as_method(pmemobj_open), METH_VARARGS | METH_KEYWORDS,
    "open(filename, debug=False)\n--\n\n"
    "Open an existing pool.\n\n"
    "Raises:\n"
    "    FileNotFoundError: The file does not exist.\n"
    "    PoolLockedError, PoolCorruptError, LayoutError: As nvm.open()."};

// A function whose public home is another module.
void add_function(PyObject* module, const char* attribute, PyMethodDef& method, const char* home) {
  const Ref name = checked(PyUnicode_InternFromString(home));
  const Ref function = checked(PyCFunction_NewEx(&method, nullptr, name.get()));
  check(PyObject_SetAttrString(module, attribute, function.get()));
}

}  // namespace

void set_path(OpenRequest& request, PyObject* path) {
  const Ref plain = checked(PyOS_FSPath(path));
  const Ref bytes = PyBytes_Check(plain.get()) ? Ref::borrow(plain.get())
                                               : checked(PyUnicode_EncodeFSDefault(plain.get()));
  std::string& name = request.options.path;
  name.assign(PyBytes_AS_STRING(bytes.get()), static_cast<size_t>(PyBytes_GET_SIZE(bytes.get())));
  if (name.find('\0') != std::string::npos)
    throw Error(ErrorKind::value, "a file name cannot have a null byte in it");
  request.filename =
      checked(PyUnicode_DecodeFSDefaultAndSize(name.data(), static_cast<Py_ssize_t>(name.size())));
}

void set_flag(OpenRequest& request, const char* flag) {
  if (flag[0] == '\0' || flag[1] != '\0' || std::strchr("rwcnx", flag[0]) == nullptr)
    throw Error(ErrorKind::value,
                std::string("flag must be 'r', 'w', 'c', 'n' or 'x', not '") + flag + "'");
  request.flag = flag[0];
  heap::OpenOptions& options = request.options;
  options.access = flag[0] == 'r' ? heap::Access::read : heap::Access::write;
  options.if_missing =
      std::strchr("rw", flag[0]) != nullptr ? heap::IfMissing::fail : heap::IfMissing::create;
  options.if_exists = flag[0] == 'n'   ? heap::IfExists::replace
                      : flag[0] == 'x' ? heap::IfExists::fail
                                       : heap::IfExists::open;
}

void set_limit(OpenRequest& request, std::optional<uint64_t> limit) {
  if (limit && *limit < heap::kMinPoolSize)
    throw Error(ErrorKind::value, "size " + std::to_string(*limit) + " smaller than " +
                                      std::to_string(heap::kMinPoolSize));
  if (limit && *limit > heap::kMaxPoolSize)
    throw Error(ErrorKind::value,
                "size larger than " + std::to_string(heap::kMaxPoolSize) + ", the format's limit");
  request.options.limit = limit;
}

void open_pool(PoolObject* pool, OpenRequest request, double timeout) {
  pool->pool = open_waiting(request.options, timeout);
  pool->flag = request.flag;
  pool->debug = request.debug;
  Py_XSETREF(pool->filename, Ref::borrow(request.filename.get()).release());
  add_open_pool(pool);
}

void register_open(PyObject* module) {
  add_function(module, "open", open_method, "nvm");
  add_function(module, "pmemobj_create", pmemobj_create_method, "nvm.pmemobj");
  add_function(module, "pmemobj_open", pmemobj_open_method, "nvm.pmemobj");
  const Ref least = checked(PyLong_FromUnsignedLongLong(heap::kMinPoolSize));
  check(PyObject_SetAttrString(module, "MIN_POOL_SIZE", least.get()));
}

}  // namespace nvm::bindings
