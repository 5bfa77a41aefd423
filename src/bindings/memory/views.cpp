// What nvm/_pypy/views.py calls: exports that are shown in memory of the interpreter's.
#include "memory/views.h"

#include "bytearray/bytearray.h"
#include "memory/memory.h"
#include "object/raw/raw.h"

namespace nvm::bindings {

namespace {

using Arguments = PyObject* const*;

PyObject* dead_views = nullptr;

char* place_of(PyObject* address) {
  const long long place = PyLong_AsLongLong(address);
  if (place == -1 && PyErr_Occurred()) throw PythonError{};
  return reinterpret_cast<char*>(place);  // NOLINT(performance-no-int-to-ptr)
}

heap::Pool& pool_of_exporter(PyObject* exporter) {
  if (is_bytearray(exporter)) return checked_pool(as_proxy(exporter));
  return *memory_block_pool(exporter)->pool;
}

// The exporter's bytes. REQUIRES: the latch.
object::bytearray::Place bytes_of_exporter(heap::Pool& pool, PyObject* exporter) {
  if (is_bytearray(exporter)) return object::bytearray::place(pool, offset_of(as_proxy(exporter)));
  const Offset block = memory_block_offset(exporter);
  const object::raw::View view = object::raw::view(pool, block);
  return {block, view.begin, view.size};
}

void count_exports(PyObject* exporter, int more) noexcept {
  if (is_bytearray(exporter)) reinterpret_cast<ByteArrayProxy*>(exporter)->exports += more;
}

// (byte array or block, address, room there) -> the room that is needed, if it is more; otherwise
// (bytes before the data, its size, whether it is read-only)
PyObject* open_view(PyObject*, Arguments arguments, Py_ssize_t) {
  return guarded([&] {
    PyObject* const exporter = arguments[0];
    char* const place = place_of(arguments[1]);
    const long long room = PyLong_AsLongLong(arguments[2]);
    if (!is_bytearray(exporter)) usable(memory_block_pool(exporter));
    heap::Pool& pool = pool_of_exporter(exporter);
    long long needed = 0;
    const auto open = [&]() -> const heap::Export* {
      const auto [block, begin, size] = bytes_of_exporter(pool, exporter);
      needed = static_cast<long long>(heap::Exports::room_for(begin, size));
      return needed > room ? nullptr : pool.exports().open(block, begin, size, place);
    };
    // Dead ones may have all descriptors.
    const heap::Export* const exported = past_dead_views([&] { return heap::read(pool, open); });
    if (exported == nullptr) return PyLong_FromLongLong(needed);
    count_exports(exporter, 1);
    const auto size = static_cast<Py_ssize_t>(exported->size());
    const Py_ssize_t skipped = size == 0 ? 0 : exported->data() - place;
    return Py_BuildValue("nnO", skipped, size, pool.writable() ? Py_False : Py_True);
  });
}

// (byte array or block, address): nothing if nothing is shown there.
PyObject* end_view(PyObject*, Arguments arguments, Py_ssize_t) {
  return guarded([&] {
    heap::Exports& exports = pool_of_exporter(arguments[0]).exports();
    heap::Export* const exported = exports.at(place_of(arguments[1]));
    if (exported != nullptr) {
      exports.close(exported);
      count_exports(arguments[0], -1);
    }
    return none();
  });
}

// (function that ends dead views and says whether there were any)
PyObject* use_views(PyObject*, PyObject* function) {
  Py_INCREF(function);
  dead_views = function;
  return none();
}

PyMethodDef functions[] = {{"front_open_view", as_method(open_view), METH_FASTCALL, nullptr},
                           {"front_end_view", as_method(end_view), METH_FASTCALL, nullptr},
                           {"front_use_views", use_views, METH_O, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

bool end_dead_views() {
  if (dead_views == nullptr) return false;
  return checked(PyObject_CallFunctionObjArgs(dead_views, nullptr)).get() == Py_True;
}

void register_views(PyObject* module) { check(PyModule_AddFunctions(module, functions)); }

}  // namespace nvm::bindings
