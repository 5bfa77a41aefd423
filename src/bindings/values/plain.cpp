// to_python(): deep copies made of ordinary built-ins.
//
// Without recursion: each container is copied once, empty at first, and put on a list of those that
// are still to be filled, so that what is shared or cyclic stays so at any depth. Tuples and
// frozensets cannot be made empty: they are rebuilt when all of their parts are there. (A cycle
// through a tuple leads through a list or dict, which is there from the start.)
#include <unordered_map>
#include <utility>

#include "bytearray/bytearray.h"
#include "container.h"
#include "dict/dict.h"
#include "list/list.h"
#include "pmem/error.h"
#include "set/set.h"
#include "tuple/tuple.h"
#include "values/boxed.h"

namespace nvm::bindings {

namespace {

// What is there from the start, and filled later.
bool is_fillable(PyObject* object) {
  return is_list(object) || is_dict(object) || is_set(object) || is_bytearray(object);
}
bool is_persistent_frozen(PyObject* object) { return is_tuple(object) || is_frozenset(object); }
// What is rebuilt from its parts: named tuples too; other subclasses hold nothing that is copied.
bool is_frozen(PyObject* object) {
  return PyTuple_Check(object) || PyFrozenSet_CheckExact(object) || is_persistent_frozen(object);
}

// Empty, but for a bytearray, which holds nothing that has to be copied.
PyObject* empty_counterpart(PyObject* proxy) {
  if (is_bytearray(proxy)) return bytearray_snapshot(as_proxy(proxy)).release();
  if (is_list(proxy)) return PyList_New(0);
  return is_set(proxy) ? PySet_New(nullptr) : PyDict_New();
}

class Copier {
 public:
  // A tuple or frozenset in the place of each persistent one, at any depth, but for those whose
  // hash is known; all else stays.
  Ref plain_frozen(PyObject* frozen) {
    copies_containers_ = false;
    return convert_frozen(frozen);
  }

  Ref copy(PyObject* root) {
    Ref result = convert(root);
    while (!unfilled_.empty()) {
      PyObject* proxy = unfilled_.back();
      unfilled_.pop_back();
      if (++filled_ % kSignalInterval == 0) check_signals();
      fill(proxy);
    }
    return result;
  }

 private:
  static constexpr size_t kSignalInterval = 4096;

  struct Copy {
    Ref proxy;  // kept: its address is the key
    Ref plain;  // null: a tuple or frozenset whose parts are being copied
  };
  // A tuple or frozenset whose parts are being copied.
  struct Open {
    Ref original;
    Ref items;  // in a tuple
    std::vector<Ref> parts;
  };

  Ref convert(PyObject* value) {
    if (copies_containers_ && is_fillable(value)) return Ref::borrow(counterpart(value));
    return is_frozen(value) ? convert_frozen(value) : Ref::borrow(value);
  }

  // The container that a proxy becomes; not filled yet perhaps. Borrowed.
  PyObject* counterpart(PyObject* proxy) {
    const auto found = copies_.find(proxy);
    if (found != copies_.end()) return found->second.plain.get();
    Ref plain = checked(empty_counterpart(proxy));
    if (!is_bytearray(proxy)) unfilled_.push_back(proxy);
    return copies_.emplace(proxy, Copy{Ref::borrow(proxy), std::move(plain)})
        .first->second.plain.get();
  }

  // Nested ones from the inside out.
  Ref convert_frozen(PyObject* root) {
    std::vector<Open> open;
    Ref done = begin(root, open);
    while (!open.empty()) {
      if (done) open.back().parts.push_back(std::exchange(done, Ref()));
      Open& top = open.back();
      const auto next = static_cast<Py_ssize_t>(top.parts.size());
      if (next < PyTuple_GET_SIZE(top.items.get())) {
        PyObject* part = PyTuple_GET_ITEM(top.items.get(), next);
        done = is_frozen(part) ? begin(part, open) : convert(part);
      } else {
        done = rebuilt(top);
        open.pop_back();
      }
    }
    return done;
  }

  // The copy if there is one already; else null, and the parts of the original are next.
  Ref begin(PyObject* frozen, std::vector<Open>& open) {
    if (!copies_containers_ && is_frozenset(frozen) && known_hash(frozen) != -1)
      return Ref::borrow(frozen);
    Ref items = PyTuple_Check(frozen) ? Ref::borrow(frozen) : checked(PySequence_Tuple(frozen));
    if (is_persistent_frozen(frozen)) {
      const auto [found, fresh] = copies_.try_emplace(frozen);
      if (!fresh && !found->second.plain) throw_corrupt("damaged: a tuple that holds itself");
      if (!fresh) return Ref::borrow(found->second.plain.get());
      found->second.proxy = Ref::borrow(frozen);
    }
    open.push_back({Ref::borrow(frozen), std::move(items), {}});
    return {};
  }

  Ref rebuilt(Open& open) {
    PyObject* original = open.original.get();
    if (!is_persistent_frozen(original) && unchanged(open)) return std::move(open.original);
    Ref plain = tuple_of(open.parts);
    if (PyTuple_Check(original) && !PyTuple_CheckExact(original))
      return tuple_of_type(Py_TYPE(original), plain.get());
    if (PyFrozenSet_CheckExact(original) || is_frozenset(original))
      plain = checked(PyFrozenSet_New(plain.get()));
    if (!copies_containers_ && is_frozenset(original)) learn_hash(original, plain.get());
    if (is_persistent_frozen(original)) copies_[original].plain = Ref::borrow(plain.get());
    return plain;
  }

  static bool unchanged(const Open& open) {
    for (size_t i = 0; i < open.parts.size(); ++i)
      if (open.parts[i].get() != PyTuple_GET_ITEM(open.items.get(), static_cast<Py_ssize_t>(i)))
        return false;
    return true;
  }

  static Ref tuple_of(std::vector<Ref>& parts) {
    Ref tuple = checked(PyTuple_New(static_cast<Py_ssize_t>(parts.size())));
    for (size_t i = 0; i < parts.size(); ++i)
      PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), parts[i].release());
    return tuple;
  }

  void fill(PyObject* proxy) {
    PyObject* plain = counterpart(proxy);
    if (is_list(proxy)) {
      fill_list(plain, list_snapshot(as_proxy(proxy)).get());
    } else if (is_set(proxy)) {
      fill_set(plain, set_elements(as_proxy(proxy)).get());
    } else {
      fill_dict(plain, dict_snapshot(as_proxy(proxy)).get());
    }
  }

  void fill_list(PyObject* plain, PyObject* items) {
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items); ++i)
      check(PyList_Append(plain, convert(PyList_GET_ITEM(items, i)).get()));
  }

  void fill_set(PyObject* plain, PyObject* elements) {
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(elements); ++i)
      check(PySet_Add(plain, convert(PyList_GET_ITEM(elements, i)).get()));
  }

  void fill_dict(PyObject* plain, PyObject* entries) {
    PyObject* key = nullptr;
    PyObject* value = nullptr;
    Py_ssize_t position = 0;
    while (PyDict_Next(entries, &position, &key, &value) != 0) {
      const Ref converted_key = convert(key);
      const Ref converted = convert(value);
      check(PyDict_SetItem(plain, converted_key.get(), converted.get()));
    }
  }

  std::unordered_map<PyObject*, Copy> copies_;
  std::vector<PyObject*> unfilled_;  // borrowed from copies_
  size_t filled_ = 0;
  bool copies_containers_ = true;
};

}  // namespace

Ref to_python(PyObject* container) { return Copier().copy(container); }

Ref plain_copy(PyObject* value) { return Copier().copy(value); }

// Built from the inside out, so that even deep ones take no more of the stack than built-ins.
Py_hash_t hash_of_frozen(PyObject* self) noexcept {
  return guarded(
      [&] {
        const Py_hash_t known = is_frozenset(self) ? known_hash(self) : -1;
        return known != -1 ? known : PyObject_Hash(Copier().plain_frozen(self).get());
      },
      Py_hash_t{-1});
}

}  // namespace nvm::bindings
