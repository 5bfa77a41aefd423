// PersistentList: searches and comparisons.
//
// What is sought is compared with the stored cells in the core where no code of the user's can
// have a say: a value of a built-in type or of the standard library's with all but instances of the
// user's classes. For any other comparison the item is fetched, the latch let go, and == called, as
// the built-in list does; the list may have changed by then, so that each step looks at its size
// again.
#include <algorithm>
#include <limits>
#include <optional>

#include "list/list.h"
#include "object/boxed/boxed.h"
#include "object/key/key.h"
#include "values/boxed.h"

namespace nvm::bindings {

namespace list = object::list;

namespace {

// Cells that are looked at before the latch is let go for others.
constexpr uint64_t kScanned = 4096;
constexpr uint64_t kToTheEnd = std::numeric_limits<uint64_t>::max();

bool is_value(PyObject* object) {
  const PyTypeObject* type = Py_TYPE(object);
  return type == &PyUnicode_Type || type == &PyLong_Type || type == &PyFloat_Type ||
         type == &PyBool_Type || type == &PyBytes_Type || type == &PyComplex_Type ||
         object == Py_None || object == Py_Ellipsis;
}

// What is sought.
class Sought {
 public:
  enum class Answer : uint8_t { no, yes, ask };

  Sought(PoolObject* pool, PyObject* object) : object_(object) {
    if (is_value(object)) {
      value_.emplace(pool, object);
    } else if (is_standard_key(object)) {
      value_.emplace(pool, object, Encoded::Purpose::look_up);
      if (!value_->comparable()) value_.reset();
    }
  }
  PyObject* object() const noexcept { return object_; }

  // Whether a cell equals it, or whether Python has to be asked. Under the latch.
  Answer compare(heap::Pool& pool, Cell cell) const {
    if (!value_) return Answer::ask;
    if (cell.kind() == Cell::Kind::object) return compare_object(pool, cell);
    return object::equal(pool, value_->value(), cell) ? Answer::yes : Answer::no;
  }

 private:
  // No built-in container equals a value that is none, but for a bytearray.
  Answer compare_object(heap::Pool& pool, Cell cell) const {
    switch (static_cast<heap::Type>(pool.type_number(cell.offset()))) {
      case heap::Type::list:
      case heap::Type::dict:
      case heap::Type::set:
      case heap::Type::tuple:
      case heap::Type::frozenset:
      case heap::Type::persistent_tuple:
      case heap::Type::persistent_frozenset:
        return Answer::no;
      case heap::Type::boxed:
        if (!compares_by_key(pool, cell.offset())) return Answer::ask;
        return object::equal(pool, value_->value(), cell) ? Answer::yes : Answer::no;
      default:
        return Answer::ask;
    }
  }

  static bool compares_by_key(heap::Pool& pool, Offset offset) {
    const object::boxed::View view = object::boxed::view(pool, offset);
    return view.form == object::boxed::Form::standard && !view.key.blank();
  }

  PyObject* object_;
  std::optional<Encoded> value_;
};

// Where a scan has stopped.
struct Stop {
  Sought::Answer answer = Sought::Answer::no;
  uint64_t index = 0;
  bool end = false;  // beyond the last place
  Cell cell;         // for `ask`
  Decoded item;
};

Stop scan(heap::Pool& pool, Offset offset, const Sought& sought, uint64_t index, uint64_t end) {
  const std::span<const uint64_t> cells = list::cells(pool, offset);
  end = std::min<uint64_t>(end, cells.size());
  const uint64_t pause = index < end ? index + std::min(end - index, kScanned) : end;
  Stop stop;
  for (; index < pause; ++index) {
    stop.answer = sought.compare(pool, Cell(cells[index]));
    if (stop.answer == Sought::Answer::no) continue;
    stop.cell = Cell(cells[index]);
    if (stop.answer == Sought::Answer::ask) stop.item = Decoded::fetch(pool, stop.cell);
    break;
  }
  stop.index = index;
  stop.end = index >= end;
  return stop;
}

// The next place in [index, end) that holds what is sought.
struct Found {
  bool found;
  uint64_t index;
  Cell cell;
};

Found find(Proxy* self, const Sought& sought, uint64_t index, uint64_t end) {
  for (;;) {
    Stop stop = reading(self, [&](heap::Pool& pool, Offset offset) {
      return scan(pool, offset, sought, index, end);
    });
    if (stop.answer == Sought::Answer::yes) return {true, stop.index, stop.cell};
    if (stop.end) return {false, 0, {}};
    index = stop.index;
    if (stop.answer == Sought::Answer::no) {
      check_signals();
      continue;
    }
    const Ref item = stop.item.build(self->pool);
    if (same_item(item.get(), sought.object())) return {true, index, stop.cell};
    ++index;
  }
}

// A bound given to index(): from the end if it is negative.
uint64_t bound_of(PyObject* argument, Proxy* self) {
  const Py_ssize_t bound = bound_argument(argument);
  if (bound >= 0) return static_cast<uint64_t>(bound);
  const auto size = static_cast<int64_t>(list_size(self));
  return static_cast<uint64_t>(std::max<int64_t>(bound + size, 0));
}

// Takes the item at `place` out if it is still there.
bool remove_at(Proxy* self, const Found& place) {
  return changing(self, [&](Operation& op, Offset offset) {
    const std::span<const uint64_t> cells = list::cells(op.pool(), offset);
    if (place.index >= cells.size() || Cell(cells[place.index]) != place.cell) return false;
    list::splice(op, offset, place.index, place.index + 1, {});
    return true;
  });
}

// An item of a list or PersistentList, or null at its end.
Ref item_of(PyObject* sequence, uint64_t index) {
  if (is_list(sequence)) return list_item(as_proxy(sequence), index);
  const auto place = static_cast<Py_ssize_t>(index);
  if (place >= PyList_GET_SIZE(sequence)) return {};
  return Ref::borrow(PyList_GET_ITEM(sequence, place));
}

uint64_t size_of(PyObject* sequence) {
  if (is_list(sequence)) return list_size(as_proxy(sequence));
  return static_cast<uint64_t>(PyList_GET_SIZE(sequence));
}

}  // namespace

int list_contains(PyObject* self, PyObject* value) {
  return guarded_int([&] {
    const Sought sought(as_proxy(self)->pool, value);
    return find(as_proxy(self), sought, 0, kToTheEnd).found ? 1 : 0;
  });
}

PyObject* list_count(PyObject* self, PyObject* value) {
  return guarded([&] {
    const Sought sought(as_proxy(self)->pool, value);
    Py_ssize_t count = 0;
    Found place = find(as_proxy(self), sought, 0, kToTheEnd);
    for (; place.found; place = find(as_proxy(self), sought, place.index + 1, kToTheEnd)) ++count;
    return PyLong_FromSsize_t(count);
  });
}

PyObject* list_index(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  return guarded([&] {
    check_count("index", count, 1, 3);
    const uint64_t begin = count > 1 ? bound_of(arguments[1], as_proxy(self)) : 0;
    const uint64_t end = count > 2 ? bound_of(arguments[2], as_proxy(self)) : kToTheEnd;
    const Sought sought(as_proxy(self)->pool, arguments[0]);
    const Found place = find(as_proxy(self), sought, begin, end);
    if (!place.found) raise(PyExc_ValueError, "%R is not in list", arguments[0]);
    return PyLong_FromUnsignedLongLong(place.index);
  });
}

PyObject* list_remove(PyObject* self, PyObject* value) {
  return guarded([&] {
    const Sought sought(as_proxy(self)->pool, value);
    for (;;) {
      const Found place = find(as_proxy(self), sought, 0, kToTheEnd);
      if (!place.found) raise(PyExc_ValueError, "list.remove(x): x not in list");
      if (remove_at(as_proxy(self), place)) return none();
      check_signals();  // changed meanwhile: sought again
    }
  });
}

PyObject* list_compare(PyObject* self, PyObject* other, int op) {
  if (!PyList_Check(other) && !is_list(other)) Py_RETURN_NOTIMPLEMENTED;
  return guarded([&] { return compare_sequences(self, other, op, size_of, item_of); });
}

}  // namespace nvm::bindings
