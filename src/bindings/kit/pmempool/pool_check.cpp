// PoolCheck: pmempool_check() as an iterator of statuses.
#include "kit/pmempool/pmempool.h"

namespace nvm::bindings::kit {

namespace {

PyTypeObject* check_type = nullptr;

struct CheckObject {
  PyObject_HEAD;
  PMEMpoolcheck* check;
  pmempool_check_status* question;  // the one that waits for an answer
  bool busy;                        // a thread is inside the library
  std::string* path;                // the library keeps pointers to both
  std::string* backup;
};

CheckObject* as_check(PyObject* self) noexcept { return reinterpret_cast<CheckObject*>(self); }

// Of one thread at a time: the library's context has no lock.
class Busy {
 public:
  explicit Busy(CheckObject* check) : check_(check) {
    if (check->busy) raise(PyExc_RuntimeError, "another thread is using this check");
    check->busy = true;
  }
  ~Busy() { check_->busy = false; }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  CheckObject* check_;
};

// The next status: (type, message); None when there is none left.
PyObject* step(PyObject* self, PyObject*) {
  return guarded([&]() -> PyObject* {
    CheckObject* const object = as_check(self);
    if (object->check == nullptr) return none();
    const Busy busy(object);
    pmempool_check_status* const status =
        without_lock([&] { return pmempool_check(object->check); });
    object->question = nullptr;
    if (status == nullptr) return none();
    if (status->type == PMEMPOOL_CHECK_MSG_TYPE_QUESTION) object->question = status;
    const Ref message = message_text(status->str.msg);
    return Py_BuildValue("(iO)", static_cast<int>(status->type), message.get());
  });
}

PyObject* answer(PyObject* self, PyObject* yes) {
  return guarded([&] {
    const int is_yes = PyObject_IsTrue(yes);
    check(is_yes);
    CheckObject* const object = as_check(self);
    if (object->question == nullptr)
      raise(PyExc_RuntimeError, "there is no question that waits for an answer");
    object->question->str.answer = is_yes != 0 ? "yes" : "no";
    return none();
  });
}

int end_check(CheckObject* object) {
  PMEMpoolcheck* const check = std::exchange(object->check, nullptr);
  object->question = nullptr;
  return without_lock([&] { return static_cast<int>(pmempool_check_end(check)); });
}

// The result, once: None if it has been told.
PyObject* end(PyObject* self, PyObject*) {
  return guarded([&]() -> PyObject* {
    CheckObject* const object = as_check(self);
    if (object->check == nullptr) return none();
    const Busy busy(object);
    return PyLong_FromLong(end_check(object));
  });
}

void dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  CheckObject* const object = as_check(self);
  if (object->check != nullptr) pmempool_check_end(std::exchange(object->check, nullptr));
  delete object->path;
  delete object->backup;
  type->tp_free(self);
  Py_DECREF(type);
}

PyMethodDef methods[] = {{"step", step, METH_NOARGS, nullptr},
                         {"answer", answer, METH_O, nullptr},
                         {"end", end, METH_NOARGS, nullptr},
                         {}};

PyType_Slot slots[] = {{Py_tp_new, as_slot(refuse_new)},
                       {Py_tp_dealloc, as_slot(dealloc)},
                       {Py_tp_methods, methods},
                       {}};

PyType_Spec spec = {"nvm.pmempool.PoolCheck", sizeof(CheckObject), 0, Py_TPFLAGS_DEFAULT, slots};

constexpr Py_ssize_t kBeginArguments = 4;

// begin(path, kind, flags, backup or None)
PyObject* begin(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  return guarded([&] {
    check_count("check_begin", count, kBeginArguments, kBeginArguments);
    Ref object = checked(check_type->tp_alloc(check_type, 0));
    CheckObject* const self = as_check(object.get());
    self->path = new std::string(file_name(arguments[0]));
    if (arguments[3] != Py_None) self->backup = new std::string(file_name(arguments[3]));
    const auto kind = static_cast<pmempool_pool_type>(integer_argument(arguments[1]));
    const auto flags = static_cast<unsigned>(size_argument(arguments[2], "flags"));
    without_lock([&] {
      // What is no file, or has no whole header, is not for the library.
      return tools::PoolView(*self->path).size();
    });
    pmempool_check_args wanted{};
    wanted.path = self->path->c_str();
    wanted.backup_path = self->backup != nullptr ? self->backup->c_str() : nullptr;
    wanted.pool_type = kind;
    wanted.flags = flags | PMEMPOOL_CHECK_FORMAT_STR;
    self->check = without_lock([&] { return pmempool_check_init(&wanted, sizeof wanted); });
    if (self->check == nullptr) throw_open_error(errno, pmempool_errormsg(), *self->path);
    return object.release();
  });
}

PyMethodDef functions[] = {{"check_begin", as_method(begin), METH_FASTCALL, nullptr}, {}};

}  // namespace

void register_pool_check(PyObject* module) {
  check_type = add_type(module, spec);
  add_functions(module, "pmempool", functions);
}

}  // namespace nvm::bindings::kit
