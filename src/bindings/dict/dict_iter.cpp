// Iterators over a PersistentDict or PersistentSet, which is laid out as one: a RuntimeError if its
// size changes under them, as the built-in's. A position counts within one body; where the dict has
// got another, the iterator ends with a RuntimeError too. Entries of small parts are decoded ahead.
#include "capi/front.h"
#include "dict/dict.h"
#include "object/dict/dict_walk.h"
#include "values/ahead.h"

namespace nvm::bindings {

namespace dict = object::dict;

namespace {

struct Entry {
  PyObject* key;  // null, as the value: it is not asked for
  PyObject* value;
  uint64_t position;  // behind it
  void drop() noexcept {
    Py_XDECREF(key);
    Py_XDECREF(value);
  }
};

struct DictIterator {
  PyObject_HEAD PyObject* dict;  // null: at the end
  DictPart part;
  bool reversed;
  bool failed;  // the size has changed: no step succeeds any more
  capi::DictCursor cursor;
  Ahead<Entry> ahead;  // from the cursor on
};

PyTypeObject* iterator_type = nullptr;
PyTypeObject* set_iterator_type = nullptr;

DictIterator* as_iterator(PyObject* self) { return reinterpret_cast<DictIterator*>(self); }

bool over_set(const DictIterator* iterator) { return Py_TYPE(iterator) == set_iterator_type; }

bool wants_key(const DictIterator* iterator) { return iterator->part != DictPart::values; }
bool wants_value(const DictIterator* iterator) { return iterator->part != DictPart::keys; }

bool step_of(const DictIterator* iterator, const dict::Walk& walk, uint64_t& position,
             dict::Item& item) {
  return iterator->reversed ? walk.previous(position, item) : walk.next(position, item);
}

#ifdef PYPY_VERSION
constexpr bool kStepsAhead = false;  // its front moves the cursor by itself (front_cursor)
#else
constexpr bool kStepsAhead = true;
#endif

// REQUIRES: nothing is ahead.
void decode_ahead(DictIterator* iterator, heap::Pool& pool, const dict::Walk& walk,
                  uint64_t position) {
  iterator->ahead.fill(pool, [&](Entry& entry) {
    dict::Item item;
    if (!step_of(iterator, walk, position, item)) return false;
    Ref key;
    Ref value;
    if (wants_key(iterator)) {
      const object::StoredKey stored = walk.key_at(item.number);
      const bool fits =
          stored.kind != object::StoredKey::Kind::cell || fits_ahead(pool, stored.cell);
      if (!fits) return false;
      key = fetch_key(pool, stored).build(nullptr);
    }
    if (wants_value(iterator)) {
      if (!fits_ahead(pool, item.value)) return false;
      value = Decoded::fetch(pool, item.value).build(nullptr);
    }
    entry = {key.release(), value.release(), position};
    return true;
  });
}

enum class Step : uint8_t { item, end, resized, rebuilt };

// One step, under the latch; moves the position on. Decodes what follows, unless the item may run
// code of anyone's when it is built: that may fail, and then it comes again.
Step take(DictIterator* iterator, heap::Pool& pool, Offset offset, uint64_t& position, Decoded& key,
          Decoded& value) {
  iterator->ahead.drop();
  const dict::Walk walk(pool, offset);
  if (walk.size() != iterator->cursor.size) return Step::resized;
  if (walk.body_version() != iterator->cursor.version) return Step::rebuilt;
  dict::Item item;
  if (!step_of(iterator, walk, position, item)) return Step::end;
  bool runs_code = false;
  if (wants_key(iterator)) {
    const object::StoredKey stored = walk.key_at(item.number);
    runs_code = stored.cell.kind() == Cell::Kind::object;
    key = fetch_key(pool, stored);
  }
  if (wants_value(iterator)) {
    runs_code |= item.value.kind() == Cell::Kind::object;
    value = Decoded::fetch(pool, item.value);
  }
  if (kStepsAhead && !runs_code) decode_ahead(iterator, pool, walk, position);
  return Step::item;
}

// What a step gives is put into; null unless it gives both parts. The collector may run, and with
// it code of anyone's.
Ref make_pair(DictPart part) { return part == DictPart::items ? checked(PyTuple_New(2)) : Ref(); }

// Takes over what there is of the three.
Ref joined(Ref pair, Ref key, Ref value) {
  if (!pair) return key ? std::move(key) : std::move(value);
  PyTuple_SET_ITEM(pair.get(), 0, key.release());
  PyTuple_SET_ITEM(pair.get(), 1, value.release());
  return pair;
}

Ref build(PoolObject* pool, DictPart part, Decoded& key, Decoded& value) {
  Ref first = key.empty() ? Ref() : key.build(pool);
  Ref second = value.empty() ? Ref() : value.build(pool);
  return joined(make_pair(part), std::move(first), std::move(second));
}

[[noreturn]] void fail_resized(DictIterator* iterator) {
  iterator->failed = true;
  raise(PyExc_RuntimeError, over_set(iterator) ? "Set changed size during iteration"
                                               : "dictionary changed size during iteration");
}

void move_on(DictIterator* iterator, uint64_t position) {
  iterator->cursor.position = position;
  --iterator->cursor.remaining;
}

Ref look(DictIterator* iterator) try {
  const Ref dict = Ref::borrow(iterator->dict);
  if (iterator->failed) fail_resized(iterator);
  Decoded key;
  Decoded value;
  const uint64_t before = iterator->cursor.position;
  uint64_t position = before;
  const Step step = reading(as_proxy(dict.get()), [&](heap::Pool& pool, Offset offset) {
    return take(iterator, pool, offset, position, key, value);
  });
  switch (step) {
    case Step::item: {
      Ref item = build(as_proxy(dict.get())->pool, iterator->part, key, value);
      // Else it was stepped meanwhile, by code that the item ran or in another thread.
      if (iterator->cursor.position == before) move_on(iterator, position);
      return item;
    }
    case Step::resized:
      fail_resized(iterator);
    case Step::rebuilt:
      Py_CLEAR(iterator->dict);
      raise(PyExc_RuntimeError, over_set(iterator) ? "Set changed during iteration"
                                                   : "dictionary keys changed during iteration");
    default:
      Py_CLEAR(iterator->dict);
      return {};
  }
} catch (...) {
  iterator->ahead.drop();
  throw;
}

bool has_ahead(const DictIterator* iterator) {
  return iterator->dict != nullptr && iterator->ahead.stands(pool_of(as_proxy(iterator->dict)));
}

Ref step(DictIterator* iterator) {
  if (has_ahead(iterator)) {
    Ref pair = make_pair(iterator->part);
    if (has_ahead(iterator)) {  // still
      const Entry entry = iterator->ahead.take();
      move_on(iterator, entry.position);
      return joined(std::move(pair), Ref(entry.key), Ref(entry.value));
    }
  }
  return iterator->dict == nullptr ? Ref() : look(iterator);
}

PyObject* next_item(PyObject* self) {
  return guarded([&] { return step(as_iterator(self)).release(); });
}

PyObject* length_hint(PyObject* self, PyObject*) {
  return guarded([&] {
    const DictIterator* iterator = as_iterator(self);
    uint64_t remaining = 0;
    if (iterator->dict != nullptr && dict_size(as_proxy(iterator->dict)) == iterator->cursor.size &&
        !iterator->failed)
      remaining = iterator->cursor.remaining;
    return PyLong_FromUnsignedLongLong(remaining);
  });
}

Ref copy_of(DictIterator* iterator) {
  PyTypeObject* type = Py_TYPE(iterator);
  Ref made = checked(type->tp_alloc(type, 0));
  DictIterator* copy = as_iterator(made.get());
  copy->part = iterator->part;
  copy->reversed = iterator->reversed;
  copy->failed = iterator->failed;
  copy->cursor = iterator->cursor;
  Py_XINCREF(iterator->dict);
  copy->dict = iterator->dict;
  return made;
}

// (iter, (list of what is left,)), as the built-in's.
PyObject* reduce(PyObject* self, PyObject*) {
  return guarded([&] {
    const Ref copy = copy_of(as_iterator(self));
    const Ref rest = checked(PySequence_List(copy.get()));
    const Ref builtins = checked(PyImport_ImportModule("builtins"));
    const Ref function = checked(PyObject_GetAttrString(builtins.get(), "iter"));
    return Py_BuildValue("O(O)", function.get(), rest.get());
  });
}

void dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  as_iterator(self)->ahead.drop();
  Py_CLEAR(as_iterator(self)->dict);
  type->tp_free(self);
  Py_DECREF(type);
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(as_iterator(self)->dict);
  return 0;
}

PyMethodDef methods[] = {
    {"__length_hint__", length_hint, METH_NOARGS,
     PyDoc_STR("Private method returning an estimate of len(list(it)).")},
    {"__reduce__", reduce, METH_NOARGS, PyDoc_STR("Return state information for pickling.")},
    {nullptr, nullptr, 0, nullptr}};

PyType_Slot slots[] = {{Py_tp_new, as_slot(refuse_new)},
                       {Py_tp_dealloc, as_slot(dealloc)},
                       {Py_tp_traverse, as_slot(traverse)},
                       {Py_tp_iter, as_slot(PyObject_SelfIter)},
                       {Py_tp_iternext, as_slot(next_item)},
                       {Py_tp_methods, methods},
                       {0, nullptr}};

PyTypeObject* add_iterator(PyObject* module, const char* name) {
  PyType_Spec spec = {name, sizeof(DictIterator), 0, kContainerFlags, slots};
  return add_type(module, spec);
}

Ref make_iterator(PyTypeObject* type, PyObject* dict, DictPart part, bool reversed) {
  Ref made = checked(type->tp_alloc(type, 0));
  DictIterator* iterator = as_iterator(made.get());
  iterator->part = part;
  iterator->reversed = reversed;
  reading(as_proxy(dict), [&](heap::Pool& pool, Offset offset) {
    iterator->cursor.size = dict::size(pool, offset);
    iterator->cursor.remaining = iterator->cursor.size;
    iterator->cursor.version = dict::body_version(pool, offset);
    iterator->cursor.position = reversed ? dict::used(pool, offset) : 0;
  });
  Py_INCREF(dict);
  iterator->dict = dict;
  return made;
}

}  // namespace

Ref dict_iterator(PyObject* dict, DictPart part, bool reversed) {
  return make_iterator(iterator_type, dict, part, reversed);
}

Ref set_iterator(PyObject* set) {
  return make_iterator(set_iterator_type, set, DictPart::keys, false);
}

PyObject* front_cursor(PyObject*, PyObject* object) {
  return guarded([&] {
    if (Py_TYPE(object) != iterator_type && Py_TYPE(object) != set_iterator_type)
      raise(PyExc_TypeError, "not an iterator over a dict or set");
    DictIterator* iterator = as_iterator(object);
    if (iterator->dict == nullptr || iterator->reversed) return none();
    const int64_t parts = iterator->part == DictPart::keys     ? capi::kKeys
                          : iterator->part == DictPart::values ? capi::kValues
                                                               : capi::kKeys | capi::kValues;
    return Py_BuildValue("OLL", iterator->dict, reinterpret_cast<long long>(&iterator->cursor),
                         static_cast<long long>(parts));
  });
}

void register_dict_iterator(PyObject* module) {
  iterator_type = add_iterator(module, "nvm._core.PersistentDictIterator");
  set_iterator_type = add_iterator(module, "nvm._core.PersistentSetIterator");
}

}  // namespace nvm::bindings
