// Iterators over a PersistentDict or PersistentSet, which is laid out as one: a RuntimeError if its
// size changes under them, as the built-in's. A position counts within one body; where the dict has
// got another, the iterator ends with a RuntimeError too.
#include "capi/front.h"
#include "dict/dict.h"

namespace nvm::bindings {

namespace dict = object::dict;

namespace {

struct DictIterator {
  PyObject_HEAD PyObject* dict;  // null: at the end
  DictPart part;
  bool reversed;
  bool failed;  // the size has changed: no step succeeds any more
  capi::DictCursor cursor;
};

PyTypeObject* iterator_type = nullptr;
PyTypeObject* set_iterator_type = nullptr;

DictIterator* as_iterator(PyObject* self) { return reinterpret_cast<DictIterator*>(self); }

bool over_set(const DictIterator* iterator) { return Py_TYPE(iterator) == set_iterator_type; }

enum class Step : uint8_t { item, end, resized, rebuilt };

// One step, under the latch.
Step take(DictIterator* iterator, heap::Pool& pool, Offset offset, Decoded& key, Decoded& value) {
  if (dict::size(pool, offset) != iterator->cursor.size) return Step::resized;
  if (dict::body_version(pool, offset) != iterator->cursor.version) return Step::rebuilt;
  const auto step = iterator->reversed ? dict::previous : dict::next;
  dict::Item item;
  if (!step(pool, offset, iterator->cursor.position, item)) return Step::end;
  if (iterator->part != DictPart::values)
    key = fetch_key(pool, dict::key_at(pool, offset, item.number));
  if (iterator->part != DictPart::keys) value = Decoded::fetch(pool, item.value);
  return Step::item;
}

Ref build(PoolObject* pool, DictPart part, Decoded& key, Decoded& value) {
  if (part == DictPart::keys) return key.build(pool);
  if (part == DictPart::values) return value.build(pool);
  const Ref first = key.build(pool);
  const Ref second = value.build(pool);
  return checked(PyTuple_Pack(2, first.get(), second.get()));
}

[[noreturn]] void fail_resized(DictIterator* iterator) {
  iterator->failed = true;
  raise(PyExc_RuntimeError, over_set(iterator) ? "Set changed size during iteration"
                                               : "dictionary changed size during iteration");
}

Ref next_of(DictIterator* iterator) {
  const Ref dict = Ref::borrow(iterator->dict);
  if (iterator->failed) fail_resized(iterator);
  Decoded key;
  Decoded value;
  const Step step = reading(as_proxy(dict.get()), [&](heap::Pool& pool, Offset offset) {
    return take(iterator, pool, offset, key, value);
  });
  switch (step) {
    case Step::item:
      --iterator->cursor.remaining;
      return build(as_proxy(dict.get())->pool, iterator->part, key, value);
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
}

PyObject* next_item(PyObject* self) {
  if (as_iterator(self)->dict == nullptr) return nullptr;
  return guarded([&] { return next_of(as_iterator(self)).release(); });
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
