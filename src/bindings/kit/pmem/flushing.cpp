// nvm.pmem: what makes stores durable.
#include <libpmem.h>

#include "kit/pmem/pmem.h"

namespace nvm::bindings::kit::pmem {

namespace {

// msync of the range; the interpreter's lock is let go meanwhile.
void sync(const Range& range) {
  const Unlocked unlocked;
  if (pmem_msync(range.data(), range.size()) != 0) throw_library_error(nullptr);
}

// Runs f(address, size), without the interpreter's lock if it takes long.
template <class F>
void on(const Range& range, F&& f) {
  if (range.size() < kLongCopy) return f(range.data(), range.size());
  const Unlocked unlocked;
  f(range.data(), range.size());
}

}  // namespace

bool is_pmem(const Range& range) noexcept {
  const Buffer* buffer = mapping_of(range.data());
  return buffer != nullptr ? buffer->is_pmem : pmem_is_pmem(range.data(), range.size()) != 0;
}

void persist(const Range& range) {
  if (range.size() == 0) return;
  is_pmem(range) ? on(range, pmem_persist) : sync(range);
}

void flush(const Range& range) {
  if (range.size() == 0) return;
  is_pmem(range) ? on(range, pmem_flush) : sync(range);
}

namespace {

template <void (*Function)(const Range&)>
PyObject* without_result(PyObject*, PyObject* object) {
  return guarded([&] {
    Function(Range(object));
    return none();
  });
}

template <void (*Function)(const Range&)>
PyObject* with_zero(PyObject*, PyObject* object) {
  return guarded([&] {
    Function(Range(object));
    return PyLong_FromLong(0);
  });
}

void check_deep(int result) {
  if (result != 0) throw_library_error(pmem_errormsg());
}

void deep_flush(const Range& range) {
  if (range.size() == 0) return;
  is_pmem(range) ? on(range, pmem_deep_flush) : sync(range);
}

void deep_drain(const Range& range) {
  if (range.size() == 0 || !is_pmem(range)) return;
  const Unlocked unlocked;
  check_deep(pmem_deep_drain(range.data(), range.size()));
}

void deep_persist(const Range& range) {
  deep_flush(range);
  deep_drain(range);
}

PyObject* is_pmem_of(PyObject*, PyObject* object) {
  return guarded([&] { return boolean(is_pmem(Range(object))); });
}

PyObject* drain(PyObject*, PyObject* const*, Py_ssize_t count) {
  return guarded([&] {
    check_count("drain", count, 0, 1);
    pmem_drain();
    return none();
  });
}

PyObject* has_hw_drain(PyObject*, PyObject*) { return boolean(pmem_has_hw_drain() != 0); }

PyObject* has_auto_flush(PyObject*, PyObject*) {
  return guarded([&] {
    const int answer = pmem_has_auto_flush();
    if (answer < 0) throw_library_error(pmem_errormsg());
    return boolean(answer != 0);
  });
}

PyMethodDef functions[] = {
    {"is_pmem", is_pmem_of, METH_O,
     "is_pmem($module, buffer, /)\n--\n\n"
     "Whether this memory is persistent memory, made durable by flushing the processor's caches.\n"
     "False for a file on an ordinary disk, for which the functions here call msync instead."},
    {"persist", without_result<persist>, METH_O,
     "persist($module, buffer, /)\n--\n\n"
     "Make the bytes of a buffer, or of a slice of one, durable. On return they are; where "
     "is_pmem\n"
     "is False this takes an msync (OSError if it fails)."},
    {"msync", with_zero<sync>, METH_O,
     "msync($module, buffer, /)\n--\n\n"
     "Make the bytes durable with msync, whatever they lie on but device DAX, where it does "
     "nothing."
     "\nReturns 0; OSError if it fails."},
    {"flush", without_result<flush>, METH_O,
     "flush($module, buffer, /)\n--\n\n"
     "The first half of persist(): durable after the next drain() of this thread. Where is_pmem "
     "is\n"
     "False it is an msync, and durable already."},
    {"drain", as_method(drain), METH_FASTCALL,
     "drain($module, buffer=None, /)\n--\n\n"
     "The second half of persist(): waits for all that this thread has flushed, in any buffer."},
    {"deep_flush", without_result<deep_flush>, METH_O,
     "deep_flush($module, buffer, /)\n--\n\n"
     "flush(), even where the environment (PMEM_NO_FLUSH) says that there is no need."},
    {"deep_drain", with_zero<deep_drain>, METH_O,
     "deep_drain($module, buffer, /)\n--\n\n"
     "drain() into the most reliable domain there is, past the memory controller's queue. Returns "
     "0;"
     "\nOSError if it fails."},
    {"deep_persist", with_zero<deep_persist>, METH_O,
     "deep_persist($module, buffer, /)\n--\n\n"
     "deep_flush() and deep_drain(). Returns 0; OSError if it fails."},
    {"has_hw_drain", has_hw_drain, METH_NOARGS,
     "has_hw_drain($module, /)\n--\n\nWhether the processor has an instruction to drain with."},
    {"has_auto_flush", has_auto_flush, METH_NOARGS,
     "has_auto_flush($module, /)\n--\n\n"
     "Whether this machine flushes its caches by itself when the power fails."},
    {}};

}  // namespace

void register_flushing(PyObject* module) { add_functions(module, "pmem", functions); }

}  // namespace nvm::bindings::kit::pmem
