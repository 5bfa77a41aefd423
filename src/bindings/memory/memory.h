// What the files of the memory manager share. The manager itself, and what becomes of the user's
// classes, is in nvm/_memory.py; here is what it calls.
#pragma once

#include <Python.h>

#include "container.h"
#include "object/trace.h"

namespace nvm::bindings {

// Whether instances of a class are persistent by the class's own code (_p_new, _p_resurrect).
bool is_custom_type(PyTypeObject* type);

// The pool's MemoryManager, made when it is first asked for.
Ref memory_manager(PoolObject* pool);

// pool.new() of such a class.
Ref new_custom(PoolObject* pool, PyTypeObject* type, PyObject* arguments, PyObject* keywords);
// The instance for a pinned head; takes the pin over.
Ref custom_object(PoolObject* pool, heap::Handle* pinned);
// The pin of an instance of such a class; throws PythonError if it is of another pool, or of none.
Ref pin_of(PoolObject* pool, PyObject* object);
// Pins the head of an instance for as long as it lives (custom.cpp): what encoding keeps.
bool is_pin(PyObject* object) noexcept;
// Throws Error(stale) if the head was undone with its transaction.
Offset pin_offset(PyObject* pin);
// What the classes of these objects say that they hold. `strict`: a class that this program does
// not have is a ClassNotFoundError, otherwise its objects are left out.
object::HeldBy held_by(PoolObject* pool, const std::vector<Offset>& heads, bool strict);
// Lets the classes of objects that only cycles keep alive let go what they hold.
void free_custom_garbage(PoolObject* pool, const std::vector<Offset>& heads);
// Offsets for Python.
Ref list_of_offsets(const std::vector<Offset>& offsets);
// Lets the classes of unreferenced objects let go what they hold; no transaction may be open.
void free_custom_objects(PoolObject* pool);

// An object whose buffer is the bytes of a block (memory_block.cpp).
Ref make_memory_block(PoolObject* pool, Offset block);
// Throw PythonError unless it is such an object.
PoolObject* memory_block_pool(PyObject* block);
Offset memory_block_offset(PyObject* block);

void register_memory_block(PyObject* module);
void register_custom_objects(PyObject* module);

}  // namespace nvm::bindings
