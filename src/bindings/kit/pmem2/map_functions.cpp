// nvm.pmem2.Map: what makes its stores durable, by the functions that libpmem2 chose for the map.
#include <cstring>

#include "kit/pmem2/map.h"

namespace nvm::bindings::kit::pmem2 {

namespace {

constexpr unsigned kBytes = 256;  // values of a byte
constexpr int kKeywords = METH_FASTCALL | METH_KEYWORDS;

// Runs f(); without the interpreter's lock where it takes long: a system call, or a large copy.
template <class F>
void run(const Map* map, size_t size, F&& f) {
  if (map->granularity != PMEM2_GRANULARITY_PAGE && size < kLongCopy) return f();
  const Unlocked unlocked;
  f();
}

// A range in the map, held while it is used; all of the map if none is given.
class PartArgument {
 public:
  PartArgument(const Map* map, PyObject* object, Access access = Access::read)
      : range_(object, access), part_{range_.data(), range_.size()} {
    const auto begin = reinterpret_cast<uintptr_t>(map->memory.data);
    const auto at = reinterpret_cast<uintptr_t>(part_.data);
    if (part_.size != 0 &&
        (at < begin || part_.size > map->memory.size || at - begin > map->memory.size - part_.size))
      raise(PyExc_ValueError, "the range is not in this Map");
  }
  Part part() const noexcept { return part_; }

 private:
  Range range_;
  Part part_;
};

void flush(const Map* map, Part part) {
  if (part.size == 0) return;
  run(map, part.size, [&] { map->flush(part.data, part.size); });
}

void deep_flush(const Map* map, Part part) {
  if (part.size == 0) return;
  if (has_own_functions(map)) return persist(map, part);
  int code = 0;
  {
    const Unlocked unlocked;
    code = pmem2_deep_flush(map->map, part.data, part.size);
  }
  check_code(code);
}

template <void (*Function)(const Map*, Part)>
PyObject* of_part(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  return guarded([&] {
    check_count("a method that makes bytes durable", count, 0, 1);
    check_memory_open(as_memory(self));
    const Map* map = as_map(self);
    const bool whole = count == 0 || arguments[0] == Py_None;
    const PartArgument argument(map, whole ? self : arguments[0]);
    Function(map, argument.part());
    return none();
  });
}

PyObject* drain(PyObject* self, PyObject*) {
  return guarded([&] {
    check_memory_open(as_memory(self));
    as_map(self)->drain();
    return none();
  });
}

// ---- Copies

size_t size_to_copy(PyObject* given, size_t available, size_t room) {
  const size_t size =
      given == nullptr || given == Py_None ? available : size_argument(given, "len");
  if (size > available)
    raise(PyExc_ValueError, "len is %zu, but there are only %zu bytes", size, available);
  if (size > room)
    raise(PyExc_ValueError, "%zu bytes do not fit: there is room for %zu", size, room);
  return size;
}

unsigned flags_argument(PyObject* argument) {
  if (argument == nullptr) return 0;
  const size_t flags = size_argument(argument, "flags");
  if ((flags & ~static_cast<size_t>(PMEM2_F_MEM_VALID_FLAGS)) != 0)
    raise(PyExc_ValueError, "unknown flags: %zu", flags);
  return static_cast<unsigned>(flags);
}

bool overlap(const char* one, const char* other, size_t size) {
  return one != other && one < other + size && other < one + size;
}

template <bool Moves>
PyObject* copy(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
  return guarded([&] {
    static const Arguments<4> kExpected{
        Moves ? "memmove" : "memcpy", {"dest", "src", "len", "flags"}, 2};
    check_memory_open(as_memory(self));
    const auto [to, from, length, flags] = kExpected.take(given, count, keywords);
    const Map* map = as_map(self);
    const PartArgument destination(map, to, Access::write);
    const Range source(from);
    const size_t size = size_to_copy(length, source.size(), destination.part().size);
    const unsigned how = flags_argument(flags);
    if (!Moves && overlap(destination.part().data, source.data(), size))
      raise(PyExc_ValueError, "the ranges overlap: use memmove");
    if (size != 0)
      run(map, size, [&] {
        (Moves ? map->move : map->copy)(destination.part().data, source.data(), size, how);
      });
    return Ref::borrow(to).release();
  });
}

PyObject* fill(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
  return guarded([&] {
    static const Arguments<4> kExpected{"memset", {"dest", "c", "len", "flags"}, 2};
    check_memory_open(as_memory(self));
    const auto [to, c, length, flags] = kExpected.take(given, count, keywords);
    const Map* map = as_map(self);
    const PartArgument destination(map, to, Access::write);
    const size_t room = destination.part().size;
    const size_t byte = size_argument(c, "c");
    if (byte >= kBytes) raise(PyExc_ValueError, "c must be in range(0, 256), not %zu", byte);
    const size_t size = size_to_copy(length, room, room);
    const unsigned how = flags_argument(flags);
    if (size != 0)
      run(map, size,
          [&] { map->fill(destination.part().data, static_cast<int>(byte), size, how); });
    return Ref::borrow(to).release();
  });
}

}  // namespace

void persist(const Map* map, Part part) {
  if (part.size == 0) return;
  run(map, part.size, [&] { map->persist(part.data, part.size); });
}

std::vector<PyMethodDef> map_functions() {
  return {
      {"persist", as_method(of_part<persist>), METH_FASTCALL,
       "persist($self, buffer=None, /)\n--\n\n"
       "Make the bytes of a part of the map (a slice of it, or an array in it) durable; of all of\n"
       "it if None. ValueError if it is not in this map."},
      {"flush", as_method(of_part<flush>), METH_FASTCALL,
       "flush($self, buffer=None, /)\n--\n\n"
       "The first half of persist(): durable after the next drain() of this thread."},
      {"drain", drain, METH_NOARGS, "drain($self, /)\n--\n\nThe second half of persist()."},
      {"deep_flush", as_method(of_part<deep_flush>), METH_FASTCALL,
       "deep_flush($self, buffer=None, /)\n--\n\n"
       "Bring what was flushed and drained into the most reliable domain there is; an Error if "
       "the\n"
       "platform cannot."},
      {"memcpy", as_method(copy<false>), kKeywords,
       "memcpy($self, /, dest, src, len=None, flags=0)\n--\n\n"
       "Copy the first len bytes of src (all if None) to dest, a part of the map. They are "
       "durable\n"
       "on return, unless the flags say otherwise. Returns dest. ValueError if they do not fit, "
       "or\n"
       "if the ranges overlap."},
      {"memmove", as_method(copy<true>), kKeywords,
       "memmove($self, /, dest, src, len=None, flags=0)\n--\n\n"
       "As memcpy, for ranges that may overlap."},
      {"memset", as_method(fill), kKeywords,
       "memset($self, /, dest, c, len=None, flags=0)\n--\n\n"
       "Store the byte c to the first len bytes of dest (all if None), as memcpy does."},
      {nullptr, nullptr, 0, nullptr}};
}

}  // namespace nvm::bindings::kit::pmem2
