// nvm.pmem2.Config: how a source is mapped.
#include "kit/pmem2/pmem2.h"

namespace nvm::bindings::kit::pmem2 {

namespace {

PyTypeObject* config_type = nullptr;

Config* as_config(PyObject* self) noexcept { return reinterpret_cast<Config*>(self); }

// ---- The settings: each is told to libpmem2 when it is set.

void set_granularity(Config* self, PyObject* value) {
  const auto granularity =
      static_cast<pmem2_granularity>(member_argument(names.granularity, value));
  check_code(pmem2_config_set_required_store_granularity(self->config, granularity));
  self->settings.granularity = granularity;
  self->granularity_set = true;
}

Ref get_granularity(const Config* self) {
  return self->granularity_set ? member_of(names.granularity, self->settings.granularity)
                               : Ref::borrow(Py_None);
}

void set_length(Config* self, PyObject* value) {
  const size_t length = value == Py_None ? 0 : size_argument(value, "length");
  check_code(pmem2_config_set_length(self->config, length));
  self->settings.length = length;
}

Ref get_length(const Config* self) {
  return self->settings.length == 0 ? Ref::borrow(Py_None)
                                    : checked(PyLong_FromSize_t(self->settings.length));
}

void set_offset(Config* self, PyObject* value) {
  const size_t offset = size_argument(value, "offset");
  check_code(pmem2_config_set_offset(self->config, offset));
  self->settings.offset = offset;
}

Ref get_offset(const Config* self) { return checked(PyLong_FromSize_t(self->settings.offset)); }

void set_sharing(Config* self, PyObject* value) {
  const auto sharing = static_cast<pmem2_sharing_type>(member_argument(names.sharing, value));
  check_code(pmem2_config_set_sharing(self->config, sharing));
  self->settings.sharing = sharing;
}

Ref get_sharing(const Config* self) { return member_of(names.sharing, self->settings.sharing); }

void set_protection(Config* self, PyObject* value) {
  const auto protection = static_cast<unsigned>(member_argument(names.protection, value));
  check_code(pmem2_config_set_protection(self->config, protection));
  self->settings.protection = protection;
}

Ref get_protection(const Config* self) {
  return member_of(names.protection, static_cast<long>(self->settings.protection));
}

void place(Config* self, Reservation* reservation, size_t offset) {
  check_code(pmem2_config_set_vm_reservation(
      self->config, reservation == nullptr ? nullptr : reservation->reservation, offset));
}

void set_reservation(Config* self, PyObject* value) {
  Reservation* reservation = value == Py_None ? nullptr : reservation_argument(value);
  place(self, reservation, self->settings.reservation_offset);
  const Ref old(reinterpret_cast<PyObject*>(self->reservation));
  Py_XINCREF(reservation);
  self->reservation = reservation;
}

Ref get_reservation(const Config* self) {
  return Ref::borrow(self->reservation == nullptr ? Py_None
                                                  : reinterpret_cast<PyObject*>(self->reservation));
}

void set_reservation_offset(Config* self, PyObject* value) {
  const size_t offset = size_argument(value, "reservation_offset");
  place(self, self->reservation, offset);
  self->settings.reservation_offset = offset;
}

Ref get_reservation_offset(const Config* self) {
  return checked(PyLong_FromSize_t(self->settings.reservation_offset));
}

template <Ref (*Get)(const Config*)>
PyObject* getter(PyObject* self, void*) {
  return guarded([&] { return Get(as_config(self)).release(); });
}

template <void (*Set)(Config*, PyObject*)>
int setter(PyObject* self, PyObject* value, void*) {
  return guarded_int([&] {
    if (value == nullptr) raise(PyExc_AttributeError, "settings cannot be deleted");
    Set(as_config(self), value);
    return 0;
  });
}

PyGetSetDef attributes[] = {
    {"granularity", getter<get_granularity>, setter<set_granularity>,
     "The Granularity that stores must have at least, or None: it must be set.", nullptr},
    {"length", getter<get_length>, setter<set_length>,
     "How many bytes are mapped; None: to the end of the source.", nullptr},
    {"offset", getter<get_offset>, setter<set_offset>, "Where in the source the map begins.",
     nullptr},
    {"sharing", getter<get_sharing>, setter<set_sharing>,
     "Sharing.SHARED, or PRIVATE: stores do not reach the file.", nullptr},
    {"protection", getter<get_protection>, setter<set_protection>,
     "The Protection of the map's pages.", nullptr},
    {"reservation", getter<get_reservation>, setter<set_reservation>,
     "The Reservation that the map is placed in, or None.", nullptr},
    {"reservation_offset", getter<get_reservation_offset>, setter<set_reservation_offset>,
     "Where in the reservation the map begins.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

// ---- The type

// Config(**settings): each is an attribute that is set.
void set_all(PyObject* self, PyObject* settings) {
  PyObject *name = nullptr, *value = nullptr;
  for (Py_ssize_t at = 0; settings != nullptr && PyDict_Next(settings, &at, &name, &value) != 0;) {
    if (PyObject_HasAttr(self, name) == 0)
      raise(PyExc_TypeError, "Config() got an unexpected keyword argument '%U'", name);
    check(PyObject_SetAttr(self, name, value));
  }
}

PyObject* make(PyTypeObject* type, PyObject* arguments, PyObject* keywords) {
  return guarded([&] {
    check_count("Config", PyTuple_GET_SIZE(arguments), 0, 0);
    Ref self = checked(type->tp_alloc(type, 0));
    as_config(self.get())->settings = {};
    check_code(pmem2_config_new(&as_config(self.get())->config));
    set_all(self.get(), keywords);
    return self.release();
  });
}

void dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  if (as_config(self)->config != nullptr) pmem2_config_delete(&as_config(self)->config);
  Py_CLEAR(as_config(self)->reservation);
  type->tp_free(self);
  Py_DECREF(type);
}

PyType_Slot slots[] = {
    {Py_tp_doc,
     const_cast<char*>("Config(*, granularity=None, length=None, offset=0, sharing=Sharing.SHARED, "
                       "protection=Protection.READ|Protection.WRITE, reservation=None, "
                       "reservation_offset=0)\n--\n\n"
                       "How a source is mapped. Each argument is an attribute, too.")},
    {Py_tp_new, as_slot(make)},
    {Py_tp_dealloc, as_slot(dealloc)},
    {Py_tp_getset, attributes},
    {0, nullptr}};

PyType_Spec spec = {"nvm.pmem2.Config", sizeof(Config), 0, kPlainFlags, slots};

}  // namespace

Config* config_argument(PyObject* argument) {
  if (PyObject_TypeCheck(argument, config_type) == 0)
    raise(PyExc_TypeError, "a Config is needed, not %.200s", Py_TYPE(argument)->tp_name);
  const Config* config = as_config(argument);
  if (config->reservation != nullptr) reservation_argument(get_reservation(config).get());
  return as_config(argument);
}

void register_config(PyObject* module) {
  config_type = add_named_type(module, "Pmem2Config", spec);
}

}  // namespace nvm::bindings::kit::pmem2
