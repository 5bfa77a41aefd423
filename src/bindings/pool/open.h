// Opening pools: what the arguments of open() and of the pool's constructor mean.
#pragma once

#include <optional>

#include "binding.h"
#include "heap/file/pool_file.h"

namespace nvm::bindings {

struct OpenRequest {
  heap::OpenOptions options;
  Ref filename;  // as text
  char flag = 'w';
  bool debug = false;
};

// Bytes from an int or a text such as "64 GiB"; null and None are no size. Throws Error(value),
// PythonError (size.cpp).
std::optional<uint64_t> size_of(PyObject* size);

// Sets path, filename and flag from what Python gave: str, bytes or os.PathLike, and one of the
// letters r, w, c, n, x. Throws Error(value), PythonError.
void set_path(OpenRequest& request, PyObject* path);
void set_flag(OpenRequest& request, const char* flag);
void set_limit(OpenRequest& request, std::optional<uint64_t> limit);

// Opens the file and makes `pool`, which is new, its object. Waits for other processes' locks as
// long as `timeout` says, with the interpreter's lock let go.
void open_pool(PoolObject* pool, OpenRequest request, double timeout);

}  // namespace nvm::bindings
