// The one place where C++ exceptions become Python's. The classes are those of nvm/_errors.py.
#include <cxxabi.h>

#include <array>
#include <new>
#include <stdexcept>
#include <string>

#include "common/python.h"
#include "pmem/error.h"

namespace nvm::bindings {

namespace {

// What an error becomes: an OSError(errno, message, filename) or an Exception(message).
struct Translation {
  PyObject* type = nullptr;
  bool os = false;
};
std::array<Translation, static_cast<size_t>(ErrorKind::internal) + 1> translations;

// Messages hold file names, which may be any bytes.
Ref text_of(const std::string& bytes) {
  return checked(
      PyUnicode_DecodeUTF8(bytes.data(), static_cast<Py_ssize_t>(bytes.size()), "surrogateescape"));
}

// The message without the file's name in front.
std::string cause_of(const Error& error) {
  const std::string prefix = "'" + error.file() + "': ";
  const std::string message = error.what();
  return message.rfind(prefix, 0) == 0 ? message.substr(prefix.size()) : message;
}

void set_os_error(PyObject* type, const Error& error) {
  const Ref number = checked(PyLong_FromLong(error.error_number()));
  const Ref message = text_of(cause_of(error));
  Ref file = error.file().empty()
                 ? Ref::borrow(Py_None)
                 : checked(PyUnicode_DecodeFSDefaultAndSize(
                       error.file().data(), static_cast<Py_ssize_t>(error.file().size())));
  const Ref exception =
      checked(PyObject_CallFunctionObjArgs(type, number.get(), message.get(), file.get(), nullptr));
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception.get())), exception.get());
}

void set_plain_error(PyObject* type, const Error& error) {
  const std::string cause = cause_of(error);
  const Ref message = text_of(error.file().empty() ? cause : "'" + error.file() + "': " + cause);
  PyErr_SetObject(type, message.get());
}

void set_error(const Error& error) noexcept {
  try {
    const Translation& translation = translations[static_cast<size_t>(error.kind())];
    if (translation.os) {
      set_os_error(translation.type, error);
    } else {
      set_plain_error(translation.type, error);
    }
  } catch (const PythonError&) {
    // what went wrong in making the exception is set instead
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  }
}

}  // namespace

void set_python_error() noexcept {
  try {
    throw;
  } catch (const PythonError&) {
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_SystemError, "nvm: an error without an exception");
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted && PyErr_Occurred()) return;
    if (error.kind() == ErrorKind::closed) wait_for_exit();
    set_error(error);
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::length_error&) {
    PyErr_NoMemory();
  } catch (const abi::__forced_unwind&) {
    stop_thread();
  } catch (const std::exception& error) {
    PyErr_Format(PyExc_SystemError, "nvm: %s", error.what());
  } catch (...) {
    PyErr_SetString(PyExc_SystemError, "nvm: an unknown C++ exception");
  }
}

void register_errors(PyObject*) {
  const Ref module = checked(PyImport_ImportModule("nvm._errors"));
  const auto take = [&module](ErrorKind kind, const char* name, bool os = false) {
    translations[static_cast<size_t>(kind)] = {
        checked(PyObject_GetAttrString(module.get(), name)).release(), os};
  };
  const auto use = [](ErrorKind kind, PyObject* type, bool os = false) {
    Py_INCREF(type);
    translations[static_cast<size_t>(kind)] = {type, os};
  };
  use(ErrorKind::os, PyExc_OSError, true);
  take(ErrorKind::closed, "PoolClosedError");
  take(ErrorKind::full, "PoolFullError");
  take(ErrorKind::corrupt, "PoolCorruptError", true);
  take(ErrorKind::locked, "PoolLockedError", true);
  take(ErrorKind::forked, "PoolForkedError");
  take(ErrorKind::layout, "LayoutError");
  take(ErrorKind::transaction, "TransactionError");
  take(ErrorKind::stale, "StaleObjectError");
  take(ErrorKind::read_only, "ReadOnlyError", true);
  use(ErrorKind::value, PyExc_ValueError);
  use(ErrorKind::type, PyExc_TypeError);
  use(ErrorKind::key, PyExc_KeyError);
  use(ErrorKind::index, PyExc_IndexError);
  use(ErrorKind::buffer, PyExc_BufferError);
  use(ErrorKind::interrupted, PyExc_KeyboardInterrupt);
  take(ErrorKind::timeout, "TransactionTimeoutError", true);
  take(ErrorKind::internal, "Error");
}

}  // namespace nvm::bindings
