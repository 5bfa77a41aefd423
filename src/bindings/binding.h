// What the files of this folder share. Nothing outside it includes Python.h.
//
// Rules
//   - Python objects are encoded (and hashed) before a latch is taken: encode.h.
//   - Under a latch only objects that the collector does not track are made (str, int, bytes,
//     float, complex); what a cell refers to is pinned there and turned into a proxy after it:
//     decode.h.
//   - A function that returns PyObject* returns a new reference, or nullptr with an exception set.
//     C++ exceptions stop at the slot or method: guarded() translates them.
#pragma once

#include <Python.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "common/python.h"
#include "heap/access.h"
#include "heap/pool.h"
#include "object/value/cell.h"
#include "object/value/value.h"

namespace nvm::bindings {

// A level of a transaction: how it was begun, and so how it has to end (transaction.cpp).
struct Level {
  enum class Kind : uint8_t { block, begin } kind;
  uint64_t number;       // in the order of all levels of all pools
  uint64_t first_young;  // young objects from this one on were made in it
};

// The pool as Python sees it (pool.cpp). `pool` is set once and stays until the last proxy is gone,
// closed or not.
struct PoolObject {
  PyObject_HEAD std::shared_ptr<heap::Pool> pool;
  PyObject* filename;      // as it was given, decoded
  PyObject* classes;       // dict: class id -> type; filled as classes are met
  PyObject* pickled;       // set: the types that persist_via_pickle() was given
  uint64_t classes_epoch;  // the pool's undo_epoch() that `classes` is of
  PyObject* weakrefs;
  PyObject* manager;        // the MemoryManager; null until it is asked for
  heap::Handle* root_dict;  // pinned while the pool is open
  char flag;                // "r", "w", "c", "n" or "x"
  bool debug;
  // Of the open transaction; used by its thread only.
  std::vector<Level> levels;
  std::vector<PyObject*> on_commit;
  std::vector<PyObject*> on_abort;
  std::deque<Ref> young;  // PersistentObjects made by calling their class (object/strays.cpp)
  uint64_t first_young;   // the number of the first of them
};

// A persistent object as Python sees it: what PersistentList, PersistentObject and the other
// persistent types' instances begin with. It keeps its object pinned and its pool alive. One a
// persistent object: `a is b` holds.
struct Proxy {
  PyObject_HEAD heap::Handle* handle;  // pinned; null only while it is being made
  PoolObject* pool;
  PyObject* weakrefs;
};

// The types, made by the files named; filled before any object exists.
struct Types {
  PyTypeObject* pool = nullptr;         // pool.cpp
  PyTypeObject* transaction = nullptr;  // transaction.cpp
  PyTypeObject* reading = nullptr;      // reading.cpp
  PyTypeObject* list = nullptr;         // list.cpp
  PyTypeObject* dict = nullptr;         // dict.cpp
  PyTypeObject* dict_keys = nullptr;    // dict_views.cpp
  PyTypeObject* dict_values = nullptr;
  PyTypeObject* dict_items = nullptr;
  PyTypeObject* set = nullptr;        // set.cpp
  PyTypeObject* frozenset = nullptr;  // frozenset.cpp
  PyTypeObject* tuple = nullptr;      // tuple.cpp
  PyTypeObject* bytearray = nullptr;  // bytearray.cpp
  PyTypeObject* object = nullptr;     // object.cpp: PersistentObject
  PyTypeObject* attribute = nullptr;  // attribute.cpp: what stands for one on a class
};
extern Types types;

bool is_proxy(PyObject* object) noexcept;  // of any of the persistent types (proxy.cpp)
inline Proxy* as_proxy(PyObject* object) noexcept { return reinterpret_cast<Proxy*>(object); }

inline heap::Pool& pool_of(Proxy* proxy) noexcept { return *proxy->pool->pool; }
[[noreturn]] void throw_no_object(Proxy* proxy);
// The object's offset; throws Error(closed / forked / stale). Call it inside read() and mutate():
// while they wait for another thread's transaction, an object born in it may turn stale.
inline heap::Offset offset_of(Proxy* proxy) {
  if (proxy->handle == nullptr) throw_no_object(proxy);
  proxy->pool->pool->check_open();
  const heap::Offset offset = proxy->handle->offset();
  if (offset == 0) throw_no_object(proxy);
  return offset;
}

// The offset of a pinned object that may have no proxy; throws Error(stale).
heap::Offset offset_in(const heap::Handle* pinned);

// The proxy of a pinned object; takes the pin over. Runs Python code (class look-up, _v__init__):
// never under a latch. New reference; throws PythonError or Error.
Ref proxy_for(PoolObject* pool, heap::Handle* pinned);
// tp_dealloc and tp_traverse of proxies of built-in kinds (proxy.cpp); they need no tp_clear, since
// every cycle leads through the pool.
void proxy_dealloc(PyObject* self);
int proxy_traverse(PyObject* self, visitproc visit, void* arg);
// What a dealloc does with the handle: forgets the proxy, and unpins (takes no lock of the pool).
void proxy_detach(Proxy* self) noexcept;
// The handle's proxy, if there is one that is not dying. Borrowed. Look again after whatever can
// run other code: allocating a tracked object can.
PyObject* live_proxy(const heap::Handle* handle) noexcept;
// Lets a pin go; use it instead of Handles::unpin.
void unpin(heap::Pool& pool, heap::Handle* handle) noexcept;

// Provided by object.cpp: the proxy of a pinned record, as proxy_for. Sets handle->proxy.
Ref make_object_proxy(PoolObject* pool, heap::Handle* pinned);
// pool.new(type, *args, **kw): a new object on limbo, in a publish of its own. `kw` may be null.
Ref new_list(PoolObject* pool, PyObject* args, PyObject* kw);       // list.cpp
Ref new_dict(PoolObject* pool, PyObject* args, PyObject* kw);       // dict.cpp
Ref new_set(PoolObject* pool, PyObject* args, PyObject* kw);        // set.cpp
Ref new_frozenset(PoolObject* pool, PyObject* args, PyObject* kw);  // frozenset.cpp
Ref new_tuple(PoolObject* pool, PyObject* args, PyObject* kw);      // tuple.cpp
Ref new_bytearray(PoolObject* pool, PyObject* args, PyObject* kw);  // bytearray.cpp
Ref new_object(PoolObject* pool, PyTypeObject* type, PyObject* args, PyObject* kw);  // object.cpp

// The pools that are open in this process (process.cpp).
void add_open_pool(PoolObject* pool);
void remove_open_pool(PoolObject* pool) noexcept;
// The parent opened it, and this is a forked child.
bool of_parent_process(const heap::Pool& pool) noexcept;

// Ends the pool's transaction by undoing it, and closes it; twice is fine (pool.cpp).
void close_pool(PoolObject* pool);
// The pool, open and usable here, or Error(closed / forked) (pool.cpp).
heap::Pool& usable(PoolObject* pool);
// The innermost pool that this thread has a transaction of, null if there is none. Borrowed.
PoolObject* transaction_pool() noexcept;  // transaction.cpp

// A Python object on its way into a pool (encode.cpp). Keeps alive what the value points to.
class Encoded {
 public:
  // store     the object is to be stored: refuses what cannot be.
  // look_up   it is to be compared with what is stored (after hash() has been called): a subclass
  //           of a built-in type that overrides neither __eq__ nor __hash__ counts as its base, and
  //           what could not be stored is equal to nothing there.
  enum class Purpose : uint8_t { store, look_up };

  // Throws Error(type) / PythonError; messages name the path to the part that cannot be stored.
  Encoded(PoolObject* pool, PyObject* object, Purpose purpose = Purpose::store);
  ~Encoded();
  Encoded(Encoded&& other) noexcept;
  Encoded& operator=(Encoded&&) = delete;
  // Forgets what an earlier run of the operation stored: call first thing inside mutate(). Throws
  // Error(stale) if a persistent object in it has been undone since.
  void begin();
  const object::Value& value() const noexcept { return root_; }
  // False: nothing stored is equal to it (only for look_up); value() means nothing.
  bool comparable() const noexcept { return comparable_; }
  // Of a list, tuple, set, frozenset or dict (key, value, key, value, ...): the values in it. For
  // extend and the like: encode the whole, then store its parts.
  const std::vector<object::Value>& items() const;
  // A container is to be stored as this type, which holds the same: a tuple as a persistent tuple.
  void set_type(heap::Type type);

  struct Parts;  // of a container

 private:
  object::Value root_;
  bool comparable_ = true;
  PyObject* keep_ = nullptr;      // what a value without parts points to
  std::unique_ptr<Parts> parts_;  // null for a value without parts
};

// Throws a TypeError unless this object, which is hashable, compares as the pool can
// (dict_key.cpp): instances of the user's classes do so by identity only.
void check_key(PyObject* key);
// Whether it is one, as far as these instances are concerned.
bool compares_as_stored(PyObject* key);

// A str of `length` units of `width` bytes (decode.cpp). Makes its canonical form by itself.
PyObject* str_of(unsigned width, const void* units, uint64_t length);

// A value on its way out (decode.cpp): fetch() under the latch, build() after it. One word, so that
// those that are plain pass through registers.
class Decoded {
 public:
  Decoded() = default;
  ~Decoded() {
    if (word_ != 0) drop();
  }
  Decoded(Decoded&& other) noexcept : word_(std::exchange(other.word_, 0)) {}
  Decoded& operator=(Decoded&& other) noexcept {
    std::swap(word_, other.word_);
    return *this;
  }
  // Makes the Python object if it is untracked, else pins. `hashed`: what cannot be a key is
  // damage. Throws Error(corrupt), PythonError.
  static Decoded fetch(heap::Pool& pool, object::Cell cell, bool hashed = false) {
    if (cell.kind() == object::Cell::Kind::object) return fetch_object(pool, cell.offset(), hashed);
    return Decoded(leaf_of(pool, cell), Kind::leaf);
  }
  // Of an object that is made already and that the collector does not track.
  static Decoded of(Ref leaf) noexcept { return Decoded(leaf.release(), Kind::leaf); }
  Ref build(PoolObject* pool) {  // once
    if (kind() != Kind::leaf) return build_object(pool);
    return Ref(reinterpret_cast<PyObject*>(std::exchange(word_, 0)));
  }
  // Nothing was fetched (such as an absent key).
  bool empty() const noexcept { return word_ == 0; }

  struct Tree;  // tuples, frozensets and boxed values with what they hold

 private:
  // What the word points to, in its low bits: a PyObject, a Handle that is pinned, an owned Tree.
  enum class Kind : uintptr_t { leaf, pinned, tree };
  static constexpr uintptr_t kKinds = 3;
  static_assert(alignof(heap::Handle) > kKinds && alignof(PyObject) > kKinds);

  Decoded(void* what, Kind kind) noexcept
      : word_(reinterpret_cast<uintptr_t>(what) | static_cast<uintptr_t>(kind)) {}
  Kind kind() const noexcept { return static_cast<Kind>(word_ & kKinds); }
  template <class T>
  T* as() const noexcept {
    return reinterpret_cast<T*>(word_ & ~kKinds);
  }
  static PyObject* leaf_of(const heap::Pool& pool, object::Cell cell);  // new reference
  static Decoded fetch_object(heap::Pool& pool, heap::Offset offset, bool hashed);
  Ref build_object(PoolObject* pool);
  void drop() noexcept;  // lets pins go that build() has not taken

  uintptr_t word_ = 0;
};

// The registers of module.cpp: each adds the functions and types of one file to the module. They
// throw PythonError.
void register_waiting(PyObject* module);
void register_process(PyObject* module);
void register_open(PyObject* module);
void register_pool(PyObject* module);
void register_transaction(PyObject* module);
void register_reading(PyObject* module);
void register_libraries(PyObject* module);
void register_memory(PyObject* module);
void register_list(PyObject* module);
void register_dict(PyObject* module);
void register_set(PyObject* module);
void register_tuple(PyObject* module);
void register_bytearray(PyObject* module);
void register_object(PyObject* module);
void register_front(PyObject* module);

}  // namespace nvm::bindings
