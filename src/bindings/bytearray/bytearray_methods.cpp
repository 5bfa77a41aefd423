// PersistentByteArray: what only reads. The built-in does it, on a copy of the bytes.
#include <array>
#include <deque>
#include <string>
#include <utility>

#include "bytearray/bytearray.h"

namespace nvm::bindings {

namespace {

// Methods of bytearray that change nothing. Those that this interpreter's does not have are left
// out.
constexpr std::array kNames = {
    "capitalize", "center",       "count",        "decode",  "endswith",   "expandtabs", "find",
    "hex",        "index",        "isalnum",      "isalpha", "isascii",    "isdigit",    "islower",
    "isspace",    "istitle",      "isupper",      "join",    "ljust",      "lower",      "lstrip",
    "partition",  "removeprefix", "removesuffix", "replace", "rfind",      "rindex",     "rjust",
    "rpartition", "rsplit",       "rstrip",       "split",   "splitlines", "startswith", "strip",
    "swapcase",   "title",        "translate",    "upper",   "zfill"};

// As the interpreter itself calls a method: errors name the function that is called.
PyObject* call_method(PyObject* bytes, const char* name, PyObject* arguments, PyObject* keywords) {
#if PY_VERSION_HEX < 0x030B0000
  const Ref bound = checked(PyObject_GetAttrString(bytes, name));
  return PyObject_Call(bound.get(), arguments, keywords);
#else
  const Ref method = checked(PyObject_GetAttrString(object_of(&PyByteArray_Type), name));
  const Ref first = checked(PyTuple_Pack(1, bytes));
  const Ref all = checked(PySequence_Concat(first.get(), arguments));
  return PyObject_Call(method.get(), all.get(), keywords);
#endif
}

template <size_t kIndex>
PyObject* delegate(PyObject* self, PyObject* arguments, PyObject* keywords) {
  return guarded([&] {
    const Ref copy = bytearray_snapshot(as_proxy(self));
    return call_method(copy.get(), kNames[kIndex], arguments, keywords);
  });
}

// The built-in's docstring, as a PyMethodDef wants it.
const char* doc_of(PyObject* method, const char* name) {
  static std::deque<std::string> docs;  // as long as the process lives
  const Ref signature(PyObject_GetAttrString(method, "__text_signature__"));
  const Ref doc(PyObject_GetAttrString(method, "__doc__"));
  PyErr_Clear();
  if (!doc || !PyUnicode_Check(doc.get())) return nullptr;
  std::string text;
  if (signature && PyUnicode_Check(signature.get()))
    text = std::string(name) + PyUnicode_AsUTF8(signature.get()) + "\n--\n\n";
  return docs.emplace_back(text + PyUnicode_AsUTF8(doc.get())).c_str();
}

void add_method(std::vector<PyMethodDef>& methods, const char* name, PyCFunctionWithKeywords call) {
  const Ref method(PyObject_GetAttrString(object_of(&PyByteArray_Type), name));
  PyErr_Clear();
  if (!method) return;
  methods.push_back(
      {name, as_method(call), METH_VARARGS | METH_KEYWORDS, doc_of(method.get(), name)});
}

template <size_t... kIndexes>
void add_methods(std::vector<PyMethodDef>& methods, std::index_sequence<kIndexes...>) {
  (add_method(methods, kNames[kIndexes], delegate<kIndexes>), ...);
}

Ref plain_operand(PyObject* operand) {
  return is_bytearray(operand) ? bytearray_snapshot(as_proxy(operand)) : Ref::borrow(operand);
}

}  // namespace

std::vector<PyMethodDef> bytearray_reading_methods() {
  std::vector<PyMethodDef> methods;
  add_methods(methods, std::make_index_sequence<kNames.size()>());
  return methods;
}

// Only what stands on the left is a format.
PyObject* bytearray_modulo(PyObject* left, PyObject* right) {
  if (!is_bytearray(left)) Py_RETURN_NOTIMPLEMENTED;
  return guarded([&] { return PyNumber_Remainder(plain_operand(left).get(), right); });
}

PyObject* bytearray_compare(PyObject* self, PyObject* other, int op) {
  if (!is_bytearray(other) && PyObject_CheckBuffer(other) == 0) Py_RETURN_NOTIMPLEMENTED;
  return guarded([&] {
    const Ref left = bytearray_snapshot(as_proxy(self));
    const Ref right = plain_operand(other);
    return PyObject_RichCompare(left.get(), right.get(), op);
  });
}

int bytearray_contains(PyObject* self, PyObject* value) {
  return guarded_int([&] {
    const Ref copy = bytearray_snapshot(as_proxy(self));
    const Ref sought = plain_operand(value);
    return PySequence_Contains(copy.get(), sought.get());
  });
}

}  // namespace nvm::bindings
