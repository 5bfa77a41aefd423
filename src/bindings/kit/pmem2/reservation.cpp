// nvm.pmem2.Reservation: a stretch of addresses that maps are placed in.
#include "kit/pmem2/pmem2.h"

namespace nvm::bindings::kit::pmem2 {

namespace {

PyTypeObject* reservation_type = nullptr;

Reservation* as_reservation(PyObject* self) noexcept {
  return reinterpret_cast<Reservation*>(self);
}

pmem2_vm_reservation* open_reservation(PyObject* self) {
  return reservation_argument(self)->reservation;
}

PyObject* make(PyTypeObject* type, PyObject* arguments, PyObject* keywords) {
  return guarded([&] {
    static const char* const kNames[] = {"size", "address", nullptr};
    PyObject *size = nullptr, *address = nullptr;
    if (PyArg_ParseTupleAndKeywords(arguments, keywords, "O|$O:Reservation",
                                    const_cast<char**>(kNames), &size, &address) == 0)
      throw PythonError{};
    const size_t bytes = size_argument(size, "size");
    const size_t at =
        address == nullptr || address == Py_None ? 0 : size_argument(address, "address");
    Ref self = checked(type->tp_alloc(type, 0));
    check_code(pmem2_vm_reservation_new(&as_reservation(self.get())->reservation,
                                        reinterpret_cast<void*>(at), bytes));
    return self.release();
  });
}

PyObject* get_address(PyObject* self, void*) {
  return guarded(
      [&] { return PyLong_FromVoidPtr(pmem2_vm_reservation_get_address(open_reservation(self))); });
}

Py_ssize_t length(PyObject* self) {
  return guarded(
      [&] {
        return static_cast<Py_ssize_t>(pmem2_vm_reservation_get_size(open_reservation(self)));
      },
      -1);
}

PyObject* extend(PyObject* self, PyObject* argument) {
  return guarded([&] {
    pmem2_vm_reservation* reservation = open_reservation(self);
    check_code(pmem2_vm_reservation_extend(reservation, size_argument(argument, "size")));
    return none();
  });
}

PyObject* shrink(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  return guarded([&] {
    check_count("shrink", count, 2, 2);
    pmem2_vm_reservation* reservation = open_reservation(self);
    check_code(pmem2_vm_reservation_shrink(reservation, size_argument(arguments[0], "offset"),
                                           size_argument(arguments[1], "size")));
    return none();
  });
}

// ---- Its maps

// The Map that a look-up found, None if it found none.
PyObject* found(int code, pmem2_map* map) {
  if (code == PMEM2_E_MAPPING_NOT_FOUND) return none();
  check_code(code);
  Ref object = map_object(map);
  return object ? object.release() : none();
}

PyObject* find(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  return guarded([&] {
    check_count("find", count, 2, 2);
    pmem2_map* map = nullptr;
    const int code =
        pmem2_vm_reservation_map_find(open_reservation(self), size_argument(arguments[0], "offset"),
                                      size_argument(arguments[1], "size"), &map);
    return found(code, map);
  });
}

template <auto Function>
PyObject* find_end(PyObject* self, PyObject*) {
  return guarded([&] {
    pmem2_map* map = nullptr;
    const int code = Function(open_reservation(self), &map);
    return found(code, map);
  });
}

template <auto Function>
PyObject* find_beside(PyObject* self, PyObject* argument) {
  return guarded([&] {
    pmem2_vm_reservation* reservation = open_reservation(self);
    const Map* beside = map_argument(argument);
    if (beside->reservation != as_reservation(self))
      raise(PyExc_ValueError, "the map is not in this reservation");
    pmem2_map* map = nullptr;
    const int code = Function(reservation, beside->map, &map);
    return found(code, map);
  });
}

// ---- The type

PyObject* delete_method(PyObject* self, PyObject*) {
  return guarded([&] {
    Reservation* reservation = as_reservation(self);
    if (reservation->reservation != nullptr)
      check_code(pmem2_vm_reservation_delete(&reservation->reservation));
    return none();
  });
}

PyObject* get_closed(PyObject* self, void*) {
  return boolean(as_reservation(self)->reservation == nullptr);
}

void dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  // Its maps, which would keep it alive, are gone.
  if (as_reservation(self)->reservation != nullptr)
    pmem2_vm_reservation_delete(&as_reservation(self)->reservation);
  type->tp_free(self);
  Py_DECREF(type);
}

PyMethodDef methods[] = {
    {"extend", extend, METH_O,
     "extend($self, size, /)\n--\n\n"
     "Add size bytes of addresses at the end; an Error if they are taken."},
    {"shrink", as_method(shrink), METH_FASTCALL,
     "shrink($self, offset, size, /)\n--\n\n"
     "Give up an empty part at the beginning or the end."},
    {"find", as_method(find), METH_FASTCALL,
     "find($self, offset, size, /)\n--\n\nThe first Map that has something of this part, or None."},
    {"first", find_end<pmem2_vm_reservation_map_find_first>, METH_NOARGS,
     "first($self, /)\n--\n\nThe first Map, or None."},
    {"last", find_end<pmem2_vm_reservation_map_find_last>, METH_NOARGS,
     "last($self, /)\n--\n\nThe last Map, or None."},
    {"next", find_beside<pmem2_vm_reservation_map_find_next>, METH_O,
     "next($self, map, /)\n--\n\nThe Map after this one, or None."},
    {"previous", find_beside<pmem2_vm_reservation_map_find_prev>, METH_O,
     "previous($self, map, /)\n--\n\nThe Map before this one, or None."},
    {"delete", delete_method, METH_NOARGS,
     "delete($self, /)\n--\n\n"
     "Give the addresses back; an Error if there are maps in it. Twice is fine."},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef attributes[] = {
    {"address", get_address, refuse_set, "Where it begins.", as_closure("address")},
    {"closed", get_closed, refuse_set, "Whether it has been deleted.", as_closure("closed")},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>(
                    "Reservation(size, *, address=None)\n--\n\n"
                    "A stretch of size bytes of addresses, for maps to be placed in: those of a "
                    "Config\nwith reservation and reservation_offset. size must be a multiple of "
                    "the page size.")},
    {Py_tp_new, as_slot(make)},
    {Py_tp_dealloc, as_slot(dealloc)},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_mp_length, as_slot(length)},
    {0, nullptr}};

PyType_Spec spec = {"nvm.pmem2.Reservation", sizeof(Reservation), 0, kPlainFlags, slots};

}  // namespace

Reservation* reservation_argument(PyObject* argument) {
  if (PyObject_TypeCheck(argument, reservation_type) == 0)
    raise(PyExc_TypeError, "a Reservation is needed, not %.200s", Py_TYPE(argument)->tp_name);
  if (as_reservation(argument)->reservation == nullptr)
    raise(PyExc_ValueError, "this Reservation has been deleted");
  return as_reservation(argument);
}

void register_reservation(PyObject* module) {
  reservation_type = add_named_type(module, "Pmem2Reservation", spec);
}

}  // namespace nvm::bindings::kit::pmem2
