// nvm.pmem: memcpy, memmove and memset, each plain (with flags), persist and nodrain.
#include <libpmem.h>

#include <cstring>

#include "kit/pmem/pmem.h"

namespace nvm::bindings::kit::pmem {

namespace {

constexpr unsigned kBytes = 256;  // values of a byte

// What a function does besides copying.
struct Form {
  const char* name;
  unsigned flags;
};

// A destination that has room for a size given, or for all of what is copied.
size_t size_to_copy(const Range& destination, const Range& source, PyObject* given) {
  const size_t size =
      given == nullptr || given == Py_None ? source.size() : size_argument(given, "len");
  if (size > source.size())
    raise(PyExc_ValueError, "len is %zu, but the source has %zu bytes", size, source.size());
  if (size > destination.size())
    raise(PyExc_ValueError, "%zu bytes do not fit: the destination has %zu", size,
          destination.size());
  return size;
}

size_t size_to_fill(const Range& destination, PyObject* given) {
  if (given == nullptr || given == Py_None) return destination.size();
  const size_t size = size_argument(given, "len");
  if (size > destination.size())
    raise(PyExc_ValueError, "%zu bytes do not fit: the destination has %zu", size,
          destination.size());
  return size;
}

int byte_argument(PyObject* argument) {
  const size_t byte = size_argument(argument, "c");
  if (byte >= kBytes) raise(PyExc_ValueError, "c must be in range(0, 256), not %zu", byte);
  return static_cast<int>(byte);
}

unsigned flags_argument(PyObject* argument) {
  if (argument == nullptr) return 0;
  const size_t flags = size_argument(argument, "flags");
  if ((flags & ~static_cast<size_t>(PMEM_F_MEM_VALID_FLAGS)) != 0)
    raise(PyExc_ValueError, "unknown flags: %zu", flags);
  return static_cast<unsigned>(flags);
}

// Runs store(), which stores to persistent memory with the flags; anywhere else, plain(), and then
// what was stored is written to the file unless the flags say that it need not be flushed.
template <class Store, class Plain>
void store_to(const Range& destination, size_t size, unsigned flags, Store&& store, Plain&& plain) {
  if (size == 0) return;
  if (is_pmem(destination)) {
    if (size < kLongCopy) return store();
    const Unlocked unlocked;
    return store();
  }
  const Unlocked unlocked;
  plain();
  if ((flags & PMEM_F_MEM_NOFLUSH) == 0 && pmem_msync(destination.data(), size) != 0)
    throw_library_error(nullptr);
}

bool overlap(const char* one, const char* other, size_t size) {
  return one != other && one < other + size && other < one + size;
}

enum class Overlap : bool { refused, allowed };

void copy(const Range& destination, const Range& source, size_t size, unsigned flags,
          Overlap overlapping) {
  char* const to = destination.data();
  const char* const from = source.data();
  if (overlapping == Overlap::refused && overlap(to, from, size))
    raise(PyExc_ValueError, "the ranges overlap: use memmove");
  store_to(
      destination, size, flags, [&] { pmem_memmove(to, from, size, flags); },
      [&] { std::memmove(to, from, size); });
}

void fill(const Range& destination, int byte, size_t size, unsigned flags) {
  char* const to = destination.data();
  store_to(
      destination, size, flags, [&] { pmem_memset(to, byte, size, flags); },
      [&] { std::memset(to, byte, size); });
}

PyObject* same(PyObject* destination) { return Ref::borrow(destination).release(); }

template <const Form& form, Overlap overlapping>
PyObject* copy_function(PyObject*, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
  return guarded([&] {
    const Arguments<3> expected{form.name, {"pmemdest", "src", "len"}, 2};
    const auto [to, from, length] = expected.take(given, count, keywords);
    const Range destination(to, Access::write);
    const Range source(from);
    copy(destination, source, size_to_copy(destination, source, length), form.flags, overlapping);
    return same(to);
  });
}

template <const Form& form, Overlap overlapping>
PyObject* copy_with_flags(PyObject*, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
  return guarded([&] {
    const Arguments<4> expected{form.name, {"pmemdest", "src", "len", "flags"}, 2};
    const auto [to, from, length, flags] = expected.take(given, count, keywords);
    const Range destination(to, Access::write);
    const Range source(from);
    const size_t size = size_to_copy(destination, source, length);
    copy(destination, source, size, flags_argument(flags), overlapping);
    return same(to);
  });
}

template <const Form& form>
PyObject* fill_function(PyObject*, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
  return guarded([&] {
    const Arguments<3> expected{form.name, {"pmemdest", "c", "len"}, 2};
    const auto [to, byte, length] = expected.take(given, count, keywords);
    const Range destination(to, Access::write);
    fill(destination, byte_argument(byte), size_to_fill(destination, length), form.flags);
    return same(to);
  });
}

PyObject* fill_with_flags(PyObject*, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
  return guarded([&] {
    const Arguments<4> expected{"memset", {"pmemdest", "c", "len", "flags"}, 2};
    const auto [to, byte, length, flags] = expected.take(given, count, keywords);
    const Range destination(to, Access::write);
    const size_t size = size_to_fill(destination, length);
    fill(destination, byte_argument(byte), size, flags_argument(flags));
    return same(to);
  });
}

constexpr Form kCopy{"memcpy", 0};
constexpr Form kCopyPersist{"memcpy_persist", 0};
constexpr Form kCopyNodrain{"memcpy_nodrain", PMEM_F_MEM_NODRAIN};
constexpr Form kMove{"memmove", 0};
constexpr Form kMovePersist{"memmove_persist", 0};
constexpr Form kMoveNodrain{"memmove_nodrain", PMEM_F_MEM_NODRAIN};
constexpr Form kFillPersist{"memset_persist", 0};
constexpr Form kFillNodrain{"memset_nodrain", PMEM_F_MEM_NODRAIN};

constexpr int kKeywords = METH_FASTCALL | METH_KEYWORDS;

PyMethodDef functions[] = {
    {"memcpy_persist", as_method(copy_function<kCopyPersist, Overlap::refused>), kKeywords,
     "memcpy_persist($module, /, pmemdest, src, len=None)\n--\n\n"
     "Copy the first len bytes of src (all of them if None) to the beginning of pmemdest. They "
     "are\n"
     "durable on return. Returns pmemdest. ValueError if they do not fit, or if the ranges "
     "overlap."},
    {"memcpy_nodrain", as_method(copy_function<kCopyNodrain, Overlap::refused>), kKeywords,
     "memcpy_nodrain($module, /, pmemdest, src, len=None)\n--\n\n"
     "As memcpy_persist, but durable only after this thread's next drain()."},
    {"memmove_persist", as_method(copy_function<kMovePersist, Overlap::allowed>), kKeywords,
     "memmove_persist($module, /, pmemdest, src, len=None)\n--\n\n"
     "As memcpy_persist, for ranges that may overlap."},
    {"memmove_nodrain", as_method(copy_function<kMoveNodrain, Overlap::allowed>), kKeywords,
     "memmove_nodrain($module, /, pmemdest, src, len=None)\n--\n\n"
     "As memmove_persist, but durable only after this thread's next drain()."},
    {"memset_persist", as_method(fill_function<kFillPersist>), kKeywords,
     "memset_persist($module, /, pmemdest, c, len=None)\n--\n\n"
     "Store the byte c to the first len bytes of pmemdest (to all if None). They are durable on\n"
     "return. Returns pmemdest."},
    {"memset_nodrain", as_method(fill_function<kFillNodrain>), kKeywords,
     "memset_nodrain($module, /, pmemdest, c, len=None)\n--\n\n"
     "As memset_persist, but durable only after this thread's next drain()."},
    {"memcpy", as_method(copy_with_flags<kCopy, Overlap::refused>), kKeywords,
     "memcpy($module, /, pmemdest, src, len=None, flags=0)\n--\n\n"
     "As memcpy_persist, done as the flags say: F_MEM_NODRAIN, F_MEM_NOFLUSH (nothing is made\n"
     "durable), and the hints F_MEM_NONTEMPORAL, F_MEM_TEMPORAL, F_MEM_WC, F_MEM_WB."},
    {"memmove", as_method(copy_with_flags<kMove, Overlap::allowed>), kKeywords,
     "memmove($module, /, pmemdest, src, len=None, flags=0)\n--\n\n"
     "As memcpy, for ranges that may overlap."},
    {"memset", as_method(fill_with_flags), kKeywords,
     "memset($module, /, pmemdest, c, len=None, flags=0)\n--\n\n"
     "As memset_persist, done as the flags say (see memcpy)."},
    {}};

}  // namespace

void register_copying(PyObject* module) {
  add_functions(module, "pmem", functions);
  check(PyModule_AddIntConstant(module, "PMEM_F_MEM_NODRAIN", PMEM_F_MEM_NODRAIN));
  check(PyModule_AddIntConstant(module, "PMEM_F_MEM_NONTEMPORAL", PMEM_F_MEM_NONTEMPORAL));
  check(PyModule_AddIntConstant(module, "PMEM_F_MEM_TEMPORAL", PMEM_F_MEM_TEMPORAL));
  check(PyModule_AddIntConstant(module, "PMEM_F_MEM_WC", PMEM_F_MEM_WC));
  check(PyModule_AddIntConstant(module, "PMEM_F_MEM_WB", PMEM_F_MEM_WB));
  check(PyModule_AddIntConstant(module, "PMEM_F_MEM_NOFLUSH", PMEM_F_MEM_NOFLUSH));
}

}  // namespace nvm::bindings::kit::pmem
