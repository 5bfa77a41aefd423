// to_python(): deep copies made of ordinary built-ins.
//
// Without recursion: each container is copied once, empty at first, and put on a list of those that
// are still to be filled, so that what is shared or cyclic stays so at any depth. Tuples cannot be
// made empty: one that holds containers is rebuilt when all of its parts are there. (A cycle
// through a tuple leads through a list or dict, which is there from the start.)
#include <unordered_map>

#include "container.h"
#include "dict/dict.h"
#include "list/list.h"
#include "set/set.h"
#include "values/boxed.h"

namespace nvm::bindings {

namespace {

class Copier {
 public:
  Ref copy(PyObject* root) {
    Ref result = convert(root);
    while (!unfilled_.empty()) {
      PyObject* proxy = unfilled_.back();
      unfilled_.pop_back();
      if (++filled_ % kSignalInterval == 0) check_signals();
      if (is_list(proxy)) {
        fill_list(as_proxy(proxy));
      } else if (is_set(proxy)) {
        fill_set(as_proxy(proxy));
      } else {
        fill_dict(as_proxy(proxy));
      }
    }
    return result;
  }

 private:
  static constexpr size_t kSignalInterval = 4096;

  struct Copy {
    Ref proxy;  // kept: its address is the key
    Ref plain;
  };
  struct OpenTuple {
    Ref tuple;
    std::vector<Ref> parts;
  };

  static bool is_copied(PyObject* object) {
    return is_list(object) || is_dict(object) || is_set(object);
  }
  static PyObject* empty_counterpart(PyObject* proxy) {
    if (is_list(proxy)) return PyList_New(0);
    return is_set(proxy) ? PySet_New(nullptr) : PyDict_New();
  }

  // The list, dict or set that a proxy becomes; not filled yet perhaps. Borrowed.
  PyObject* counterpart(PyObject* proxy) {
    const auto found = copies_.find(proxy);
    if (found != copies_.end()) return found->second.plain.get();
    Ref plain = checked(empty_counterpart(proxy));
    unfilled_.push_back(proxy);
    return copies_.emplace(proxy, Copy{Ref::borrow(proxy), std::move(plain)})
        .first->second.plain.get();
  }

  Ref convert(PyObject* value) {
    if (is_copied(value)) return Ref::borrow(counterpart(value));
    if (is_tuple(value)) return convert_tuple(value);
    return Ref::borrow(value);
  }

  // Nested tuples from the inside out.
  Ref convert_tuple(PyObject* root) {
    std::vector<OpenTuple> open;
    open.push_back({Ref::borrow(root), {}});
    for (;;) {
      OpenTuple& top = open.back();
      const auto next = static_cast<Py_ssize_t>(top.parts.size());
      if (next < PyTuple_GET_SIZE(top.tuple.get())) {
        PyObject* part = PyTuple_GET_ITEM(top.tuple.get(), next);
        if (is_tuple(part)) {
          open.push_back({Ref::borrow(part), {}});
        } else {
          top.parts.push_back(convert(part));
        }
        continue;
      }
      Ref tuple = rebuilt(top);
      open.pop_back();
      if (open.empty()) return tuple;
      open.back().parts.push_back(std::move(tuple));
    }
  }

  // Named tuples too; other subclasses hold nothing that is copied.
  static bool is_tuple(PyObject* value) { return PyTuple_Check(value); }

  // The tuple itself if nothing in it has been copied.
  static Ref rebuilt(OpenTuple& open) {
    PyObject* original = open.tuple.get();
    bool same = true;
    for (size_t i = 0; i < open.parts.size(); ++i)
      same &= open.parts[i].get() == PyTuple_GET_ITEM(original, static_cast<Py_ssize_t>(i));
    if (same) return std::move(open.tuple);
    Ref tuple = checked(PyTuple_New(static_cast<Py_ssize_t>(open.parts.size())));
    for (size_t i = 0; i < open.parts.size(); ++i)
      PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), open.parts[i].release());
    if (PyTuple_CheckExact(original)) return tuple;
    return tuple_of_type(Py_TYPE(original), tuple.get());
  }

  void fill_list(Proxy* proxy) {
    PyObject* plain = counterpart(reinterpret_cast<PyObject*>(proxy));
    const Ref items = list_snapshot(proxy);
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items.get()); ++i) {
      const Ref item = convert(PyList_GET_ITEM(items.get(), i));
      check(PyList_Append(plain, item.get()));
    }
  }

  void fill_dict(Proxy* proxy) {
    PyObject* plain = counterpart(reinterpret_cast<PyObject*>(proxy));
    const Ref entries = dict_snapshot(proxy);
    PyObject* key = nullptr;
    PyObject* value = nullptr;
    Py_ssize_t position = 0;
    while (PyDict_Next(entries.get(), &position, &key, &value) != 0) {
      const Ref converted = convert(value);
      check(PyDict_SetItem(plain, key, converted.get()));
    }
  }

  // Elements are hashable: there is nothing in them to be copied.
  void fill_set(Proxy* proxy) {
    PyObject* plain = counterpart(reinterpret_cast<PyObject*>(proxy));
    const Ref elements = set_elements(proxy);
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(elements.get()); ++i)
      check(PySet_Add(plain, PyList_GET_ITEM(elements.get(), i)));
  }

  std::unordered_map<PyObject*, Copy> copies_;
  std::vector<PyObject*> unfilled_;  // borrowed from copies_
  size_t filled_ = 0;
};

}  // namespace

Ref to_python(PyObject* container) { return Copier().copy(container); }

Ref plain_copy(PyObject* value) { return Copier().copy(value); }

}  // namespace nvm::bindings
