// Sizes as people write them: 67108864, "64 MiB", "1.5 GB".
#include <cmath>
#include <cstdlib>
#include <string_view>

#include "pmem/error.h"
#include "pool/open.h"

namespace nvm::bindings {

namespace {

struct Unit {
  std::string_view name;
  double bytes;
};
constexpr Unit kUnits[] = {
    {"", 1},
    {"B", 1},
    {"kB", 1e3},
    {"KB", 1e3},
    {"MB", 1e6},
    {"GB", 1e9},
    {"TB", 1e12},
    {"KiB", 1024.0},
    {"MiB", 1024.0 * 1024},
    {"GiB", 1024.0 * 1024 * 1024},
    {"TiB", 1024.0 * 1024 * 1024 * 1024},
};

[[noreturn]] void refuse(const std::string& text) {
  throw Error(ErrorKind::value, "'" + text +
                                    "' is not a size: give a number of bytes, or a text such as "
                                    "\"512 MiB\" or \"1.5 GB\" (units B, kB, MB, GB, TB, KiB, MiB, "
                                    "GiB, TiB)");
}

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

uint64_t parse(const std::string& text) {
  const std::string_view whole = trimmed(text);
  const size_t digits = whole.find_first_not_of("0123456789.");
  const std::string number(whole.substr(0, digits));
  const std::string_view unit =
      digits == std::string_view::npos ? std::string_view() : trimmed(whole.substr(digits));
  char* end = nullptr;
  const double value = std::strtod(number.c_str(), &end);
  if (number.empty() || *end != '\0') refuse(text);
  for (const Unit& known : kUnits) {
    if (unit != known.name) continue;
    const double bytes = std::floor(value * known.bytes);
    return bytes >= static_cast<double>(heap::kMaxPoolSize) ? heap::kMaxPoolSize + 1
                                                            : static_cast<uint64_t>(bytes);
  }
  refuse(text);
}

uint64_t of_integer(PyObject* integer) {
  int overflow = 0;
  const long long bytes = PyLong_AsLongLongAndOverflow(integer, &overflow);
  if (bytes == -1 && PyErr_Occurred()) throw PythonError{};
  if (overflow > 0) return heap::kMaxPoolSize + 1;
  if (overflow < 0 || bytes < 0) throw Error(ErrorKind::value, "a size cannot be negative");
  return static_cast<uint64_t>(bytes);
}

}  // namespace

std::optional<uint64_t> size_of(PyObject* size) {
  if (size == nullptr || size == Py_None) return std::nullopt;
  if (PyUnicode_Check(size)) {
    const char* text = PyUnicode_AsUTF8(size);
    if (text == nullptr) throw PythonError{};
    return parse(text);
  }
  const Ref integer = checked(PyNumber_Index(size));
  return of_integer(integer.get());
}

}  // namespace nvm::bindings
