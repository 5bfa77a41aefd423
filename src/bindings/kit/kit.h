// What the bindings of PMDK's other libraries share.
//
// Rules
//   - A function of library L is added by add_functions(module, "L", ...): in nvm._kit its name
//     begins with "L_", while it calls itself nvm.L.name. nvm/L.py gives it its public name.
//     Constants are named there as in C.
//   - Memory that a caller names is taken as a Range, held for as long as a library uses it.
//   - The interpreter's lock is let go around what waits for a medium or copies much.
//   - Where a library says no, throw_library_error() makes an OSError of its errno and message.
//   What
//     a library answers with abort() or a crash is refused before it is called.
#pragma once

#include <array>
#include <cstddef>
#include <string>

#include "common/python.h"
#include "pmem/error.h"

namespace nvm::bindings::kit {

// From how many bytes on it pays to let the interpreter's lock go while they are copied.
inline constexpr size_t kLongCopy = size_t{256} << 10;

enum class Access { read, write };

// The memory that a Python object stands for: anything with the buffer protocol whose bytes lie in
// one piece, such as a MemoryBuffer, a NumPy array, or a slice of either. It stays in place while
// this lives (range.cpp).
class Range {
 public:
  // Throws a TypeError for an object without a buffer, a BufferError that says so for one whose
  // bytes lie apart or, if they are to be written, are read-only or references.
  explicit Range(PyObject* object, Access access = Access::read);
  ~Range() { PyBuffer_Release(&view_); }
  Range(const Range&) = delete;
  Range& operator=(const Range&) = delete;

  char* data() const noexcept { return static_cast<char*>(view_.buf); }
  size_t size() const noexcept { return static_cast<size_t>(view_.len); }
  bool read_only() const noexcept { return view_.readonly != 0; }
  // Hands the view over; there is no range any more.
  Py_buffer release() noexcept { return std::exchange(view_, Py_buffer{}); }

 private:
  Py_buffer view_{};
};

// A file's name as the system takes it, from str, bytes or os.PathLike (arguments.cpp).
std::string file_name(PyObject* argument);
// An integer from 0 on; ValueError for a negative one, OverflowError beyond 2^63 - 1. `name` is
// what the message calls it (arguments.cpp).
size_t size_argument(PyObject* argument, const char* name);
// A str's UTF-8, or the bytes of anything that is contiguous; copied (arguments.cpp).
std::string bytes_argument(PyObject* argument);

// Throws Error(os) with what errno says (EIO if it says nothing) and the library's own message.
[[noreturn]] void throw_library_error(const char* message, const std::string& file = {});
// The same for a number that is known.
[[noreturn]] void throw_library_error(int number, const char* message,
                                      const std::string& file = {});

// See Arguments.
struct ArgumentNames {
  const char* function;
  const char* const* names;
  size_t count;
  size_t needed;
};
void take_arguments(const ArgumentNames& expected, PyObject* const* given, Py_ssize_t positional,
                    PyObject* keywords, PyObject** values);

// The arguments of a function that is called with METH_FASTCALL | METH_KEYWORDS, in the order of
// `names`, each null if it was not given. Throws Python's TypeErrors (arguments.cpp).
template <size_t Count>
struct Arguments {
  const char* function;
  std::array<const char*, Count> names;
  size_t needed;  // how many must be given

  std::array<PyObject*, Count> take(PyObject* const* given, Py_ssize_t positional,
                                    PyObject* keywords) const {
    std::array<PyObject*, Count> values{};
    take_arguments({function, names.data(), Count, needed}, given, positional, keywords,
                   values.data());
    return values;
  }
};

// Adds a library's functions to nvm._kit (arguments.cpp); the table ends with an empty entry.
void add_functions(PyObject* module, const char* library, PyMethodDef* functions);

// Makes a type and adds it to nvm._kit under a name of its own, where that of its class alone does
// not tell which library's it is.
PyTypeObject* add_named_type(PyObject* module, const char* name, PyType_Spec& spec);

// The registers of kit.cpp: each adds a library.
void register_pmem(PyObject* module);
void register_pmem2(PyObject* module);
void register_pmemlog(PyObject* module);
void register_pmemblk(PyObject* module);
void register_pmempool(PyObject* module);
void register_vmem(PyObject* module);

}  // namespace nvm::bindings::kit
