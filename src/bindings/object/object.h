// PersistentObject: what the files of this folder share.
//
// How attributes work
//   - An attribute's value lies in the object's record. Its name is represented on the class by a
//     data descriptor (an Attribute), so that reading is the interpreter's own lookup; the
//     descriptor is put on the class when the name is first stored, or first met in a pool, or
//     annotated.
//   - A descriptor keeps what the class itself had under the name (a default, a method). That is
//     what Class.name gives, and instance.name where the instance has no such attribute.
//   - Names that begin with _v_ are volatile: they lie in the instance's dict. So do the values of
//     functools.cached_property. Names that begin with _p_ are reserved.
//   - object.__setattr__, which the user's methods may call, puts what has no descriptor yet into
//     the instance's dict: such strays are stored as soon as can be (strays.cpp).
#pragma once

#include <Python.h>

#include <string>
#include <vector>

#include "container.h"
#include "object/record/class_table.h"
#include "object/record/record.h"

namespace nvm::bindings {

struct ObjectProxy {
  Proxy base;
  PyObject* dict;  // of volatile attributes; null until there is one
};
inline ObjectProxy* as_object(PyObject* self) noexcept {
  return reinterpret_cast<ObjectProxy*>(self);
}
bool is_object(PyObject* object) noexcept;

// ---- attribute.cpp

bool is_attribute(PyObject* object) noexcept;
// A slot of a class with __slots__: the class has no value of its own there.
bool is_slot(PyObject* object) noexcept;
// The class's descriptor for a name, put there if there is none. REQUIRES: the name is a str, and
// no other data descriptor has it.
Ref attribute_of(PyTypeObject* type, PyObject* name);
// Stores, or deletes if value is null, what an Attribute stands for.
void set_attribute(PyObject* self, PyObject* attribute, PyObject* value);
// What the class gives for a name, descriptors of ours left aside; null (no exception) if nothing.
Ref class_value(PyTypeObject* type, PyObject* name);
// Where an Attribute's value lies in the record that was read last, and the pool's epoch for which
// that holds; false if that is not known or is no slot.
bool place_of(PyObject* descriptor, uint64_t& undo_epoch, object::record::Place& place) noexcept;
[[noreturn]] void raise_no_attribute(PyTypeObject* type, PyObject* name);
std::string utf8_of(PyObject* text);
Ref text_of(const std::string& utf8);
void register_attribute(PyObject* module);

// ---- class_dict.cpp

// What is under a name in the class's own __dict__; null (no exception) if nothing.
Ref own_value(PyTypeObject* type, PyObject* name);
// What a lookup on the class finds; null (no exception) if nothing.
Ref lookup(PyTypeObject* type, PyObject* name);
// Whether what a class has under a name has a say when the name is assigned on an instance.
bool is_data_descriptor(PyObject* class_attribute);
// Whether a class has the same under a name as PersistentObject.
bool inherits(PyTypeObject* type, PyObject* name);
// Assigns to an attribute of a class, not through a metaclass's own __setattr__.
void put_on_class(PyTypeObject* type, PyObject* name, PyObject* value);
#ifndef PYPY_VERSION
// Puts an entry into a class's __dict__ that type.__setattr__ would refuse.
void put_in_dict(PyTypeObject* type, PyObject* name, PyObject* value);
#endif

// ---- class_lookup.cpp

// "module:qualname", UTF-8.
const std::string& name_of(PyTypeObject* type);
// The name by which this pool knows a class: one of its former names (nvm.class_alias) if the pool
// has met it under that, else its own.
std::string name_in(PoolObject* pool, PyTypeObject* type);
// The class of that name, of any kind, without importing anything. Throws a ClassNotFoundError.
Ref find_any_class(const std::string& name);
// Of those that lay out their own memory.
Ref find_custom_class(const std::string& name);
// The class of a record. Throws a ClassNotFoundError if this program does not have it.
Ref class_of(PoolObject* pool, heap::Handle* record);
// Tells that records of this number are instances of this class.
void remember_class(PoolObject* pool, uint64_t class_id, PyTypeObject* type);
void register_class_lookup();

// ---- class_prepare.cpp

// Puts on a class, once, what it needs before it has instances.
void prepare_class(PyTypeObject* type);
// Puts the descriptors for the attributes that a record has on its class.
void prepare_record(PyTypeObject* type, PoolObject* pool, heap::Handle* record);
void register_class_preparation();

// ---- strays.cpp

// Stores what object.__setattr__ has left in the instance's dict.
void store_strays(PyObject* self);
// An instance that is made by calling its class, in a transaction: what its __init__ leaves there
// is stored at the end of the transaction's level.
void add_young(PoolObject* pool, PyObject* self);
// Young objects are numbered; this is the next one's number.
uint64_t young_end(const PoolObject* pool) noexcept;
// Those from this number on: stores their strays, or not, and lets them go.
void settle_young(PoolObject* pool, uint64_t first);
void drop_young(PoolObject* pool, uint64_t first) noexcept;
// A __setattr__ of the user's that stores strays after each call.
Ref storing(PyObject* set_attribute);
void register_strays(PyObject* module);

// ---- object.cpp

bool is_volatile(PyObject* name) noexcept;  // begins with _v_
// Whether a name's value lies in the instance's dict because of what the class has under it.
bool is_cached_property(PyObject* class_attribute) noexcept;
// The instance's dict, null (no exception) if it has none yet.
Ref volatile_dict(PyObject* self);
// Calls _v__init__(). An instance that it fails for is met no more, whoever holds it: who looks for
// the object next gets another one.
void begin_volatile(PyObject* self);
// An instance that has no object yet.
Ref allocate(PyTypeObject* type);
// Makes an instance the proxy of a new object; its class has this number.
void adopt_new(PyObject* self, PoolObject* pool, uint64_t class_id, heap::Handle* pinned);
// Gives an instance a new object in the pool, whose attributes fill(operation, offset) sets.
template <class F>
void create_record(PyObject* self, PoolObject* pool, F&& fill) {
  const std::string& name = name_of(Py_TYPE(self));
  uint64_t class_id = 0;
  heap::Handle* pinned = create_pinned(pool, [&](Operation& op) {
    class_id = object::class_table::ensure(op, name);
    const Offset offset = object::record::create(op, class_id);
    fill(op, offset);
    return offset;
  });
  adopt_new(self, pool, class_id, pinned);
}

// ---- attributes_view.cpp

// All attributes at one instant, in an ordinary dict.
Ref object_snapshot(Proxy* self);
PyObject* object_vars(PyObject* self, void*);
PyObject* object_dir(PyObject* self, PyObject*);
void register_attributes_view(PyObject* module);

// ---- object_copy.cpp

PyObject* object_copy(PyObject* self, PyObject*);
PyObject* object_deepcopy(PyObject* self, PyObject* memo);
PyObject* object_reduce(PyObject* self, PyObject* protocol);

}  // namespace nvm::bindings
