#include "kit/control.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace nvm::bindings::kit {

namespace {

constexpr std::array<std::string_view, 4> kBooleans{"prefault.at_create", "prefault.at_open",
                                                    "sds.at_create", "copy_on_write.at_open"};

}  // namespace

std::string boolean_control(PyObject* name) {
  if (!PyUnicode_Check(name))
    raise(PyExc_TypeError, "the name of a control is a str, not %.200s", Py_TYPE(name)->tp_name);
  std::string text = bytes_argument(name);
  if (std::find(kBooleans.begin(), kBooleans.end(), text) == kBooleans.end())
    raise(PyExc_ValueError, "there is no control %R", name);
  return text;
}

}  // namespace nvm::bindings::kit
