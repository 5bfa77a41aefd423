// The data descriptors that stand for attributes on the classes of the user.
#include "object/object.h"
#include "pmem/error.h"

namespace nvm::bindings {

namespace record = object::record;

namespace {

struct Attribute {
  PyObject_HEAD PyObject* name;  // a str, interned
  PyObject* covered;             // what the class itself had under the name; null if nothing
  std::string utf8;
  // Where the value lies in the records that were read last: good as long as the pool's epoch is
  // this one.
  uint64_t undo_epoch;
  record::Place place;
};

PyObject* member_descriptor = nullptr;

Attribute* as_attribute(PyObject* object) { return reinterpret_cast<Attribute*>(object); }

Attribute* made_attribute(PyObject* object) {
  part_of_made(object, as_attribute(object)->name);
  return as_attribute(object);
}

bool knows_place(const Attribute* attribute, const heap::Pool& pool) {
  return attribute->undo_epoch == pool.undo_epoch();
}

void learn_place(Attribute* attribute, heap::Pool& pool, Offset offset) {
  attribute->place = record::find(pool, offset, attribute->utf8);
  attribute->undo_epoch = pool.undo_epoch();
}

// The cell, blank if the record has no such attribute.
Cell read_cell(Attribute* attribute, heap::Pool& pool, Offset offset) {
  bool hit = false;
  if (knows_place(attribute, pool)) {
    const Cell cell = record::get_at(pool, offset, attribute->place, hit);
    if (hit) return cell;
  }
  learn_place(attribute, pool, offset);
  const Cell cell = record::get_at(pool, offset, attribute->place, hit);
  return hit ? cell : record::get(pool, offset, attribute->utf8);
}

Ref read_value(Attribute* attribute, PyObject* object) {
  Proxy* self = as_proxy(object);
  Decoded value = reading(self, [&](heap::Pool& pool, Offset offset) {
    const Cell cell = read_cell(attribute, pool, offset);
    return cell.blank() ? Decoded() : Decoded::fetch(pool, cell);
  });
  return value.empty() ? Ref() : value.build(self->pool);
}

void write_value(Attribute* attribute, Proxy* self, PyObject* value) {
  Encoded encoded(self->pool, value);
  changing(self, [&](Operation& op, Offset offset) {
    encoded.begin();
    if (knows_place(attribute, op.pool()) &&
        record::set_at(op, offset, attribute->place, encoded.value()))
      return;
    record::set(op, offset, attribute->utf8, encoded.value());
  });
}

// As the class would give it without our descriptor. `object` is null for a read on the class.
PyObject* read_from_class(Attribute* attribute, PyObject* object, PyObject* type) {
  auto* owner = reinterpret_cast<PyTypeObject*>(type);
  Ref value = class_value(owner, attribute->name);
  if (!value) {
    if (object != nullptr) raise_no_attribute(owner, attribute->name);
    raise(PyExc_AttributeError, "type object '%.100s' has no attribute '%U'", owner->tp_name,
          attribute->name);
  }
  const descrgetfunc get = Py_TYPE(value.get())->tp_descr_get;
  return get == nullptr ? value.release() : get(value.get(), object, type);
}

void check_instance(PyObject* descriptor, PyObject* object) {
  if (!is_object(object))
    raise(PyExc_TypeError, "persistent attribute '%U' doesn't apply to a '%.100s' object",
          made_attribute(descriptor)->name, Py_TYPE(object)->tp_name);
}

PyObject* get(PyObject* self, PyObject* object, PyObject* type) {
  return guarded([&] {
    if (object == nullptr || object == Py_None)
      return read_from_class(made_attribute(self), nullptr, type);
    check_instance(self, object);
    Ref value = read_value(made_attribute(self), object);
    if (value) return value.release();
    return read_from_class(as_attribute(self), object, object_of(Py_TYPE(object)));
  });
}

int set(PyObject* self, PyObject* object, PyObject* value) {
  return guarded_int([&] {
    check_instance(self, object);
    set_attribute(object, self, value);
    return 0;
  });
}

PyObject* repr(PyObject* self) {
  return guarded([&] {
    return PyUnicode_FromFormat("<persistent attribute %R>", made_attribute(self)->name);
  });
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(as_attribute(self)->covered);
  return 0;
}

int clear(PyObject* self) {
  Py_CLEAR(as_attribute(self)->covered);
  return 0;
}

void dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  Py_CLEAR(as_attribute(self)->covered);
  Py_CLEAR(as_attribute(self)->name);
  std::destroy_at(&as_attribute(self)->utf8);
  type->tp_free(self);
  Py_DECREF(type);
}

PyType_Slot slots[] = {{Py_tp_doc, const_cast<char*>("An attribute that lies in a pool.")},
                       {Py_tp_new, as_slot(refuse_new)},
                       {Py_tp_dealloc, as_slot(dealloc)},
                       {Py_tp_traverse, as_slot(traverse)},
                       {Py_tp_clear, as_slot(clear)},
                       {Py_tp_repr, as_slot(repr)},
                       {Py_tp_descr_get, as_slot(get)},
                       {Py_tp_descr_set, as_slot(set)},
                       {0, nullptr}};

PyType_Spec spec = {"nvm._core.PersistentAttribute", sizeof(Attribute), 0, kContainerFlags, slots};

Ref make_attribute(PyObject* name, Ref covered) {
  std::string utf8 = utf8_of(name);
  Ref made = checked(types.attribute->tp_alloc(types.attribute, 0));
  Attribute* attribute = as_attribute(made.get());
  std::construct_at(&attribute->utf8, std::move(utf8));
  Py_INCREF(name);
  attribute->name = name;
  PyUnicode_InternInPlace(&attribute->name);
  attribute->covered = covered.release();
  return made;
}

}  // namespace

bool is_attribute(PyObject* object) noexcept {
  return object != nullptr && Py_TYPE(object) == types.attribute;
}

bool is_slot(PyObject* object) noexcept { return object_of(Py_TYPE(object)) == member_descriptor; }

bool place_of(PyObject* descriptor, uint64_t& undo_epoch, record::Place& place) noexcept {
  const Attribute* attribute = as_attribute(descriptor);
  undo_epoch = attribute->undo_epoch;
  place = attribute->place;
  return place.shape != 0 && place.slot >= 0;
}

std::string utf8_of(PyObject* text) {
  Py_ssize_t length = 0;
  if (const char* data = PyUnicode_AsUTF8AndSize(text, &length))
    return {data, static_cast<size_t>(length)};
  PyErr_Clear();
  const Ref bytes = checked(PyUnicode_AsEncodedString(text, "utf-8", "surrogatepass"));
  return {PyBytes_AS_STRING(bytes.get()), static_cast<size_t>(PyBytes_GET_SIZE(bytes.get()))};
}

Ref text_of(const std::string& utf8) {
  return checked(
      PyUnicode_DecodeUTF8(utf8.data(), static_cast<Py_ssize_t>(utf8.size()), "surrogatepass"));
}

void raise_no_attribute(PyTypeObject* type, PyObject* name) {
  raise(PyExc_AttributeError, "'%.100s' object has no attribute '%U'", type->tp_name, name);
}

Ref class_value(PyTypeObject* type, PyObject* name) {
  const Ref mro = Ref::borrow(type->tp_mro);
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(mro.get()); ++i) {
    Ref value = own_value(reinterpret_cast<PyTypeObject*>(PyTuple_GET_ITEM(mro.get(), i)), name);
    if (is_attribute(value.get())) value = Ref::borrow(as_attribute(value.get())->covered);
    if (value && !is_slot(value.get())) return value;
  }
  return {};
}

Ref attribute_of(PyTypeObject* type, PyObject* name) {
  Ref present = lookup(type, name);
  if (is_attribute(present.get())) return present;
  Ref attribute = make_attribute(name, own_value(type, name));
  put_on_class(type, as_attribute(attribute.get())->name, attribute.get());
  return attribute;
}

void set_attribute(PyObject* self, PyObject* descriptor, PyObject* value) {
  Attribute* attribute = made_attribute(descriptor);
  if (value != nullptr) return write_value(attribute, as_proxy(self), value);
  const bool erased = changing(as_proxy(self), [&](Operation& op, Offset offset) {
    return record::erase(op, offset, attribute->utf8);
  });
  if (!erased) raise_no_attribute(Py_TYPE(self), attribute->name);
}

void register_attribute(PyObject* module) {
  types.attribute = add_type(module, spec);
  const Ref standard_types = checked(PyImport_ImportModule("types"));
  member_descriptor =
      checked(PyObject_GetAttrString(standard_types.get(), "MemberDescriptorType")).release();
}

}  // namespace nvm::bindings
