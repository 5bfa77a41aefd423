// Beginning and ending the levels of a transaction, and what is called after its end.
#include <cmath>

#include "object/object.h"
#include "pmem/error.h"
#include "pool/transaction.h"

namespace nvm::bindings {

namespace {

uint64_t next_number = 1;  // guarded by the interpreter's lock

[[noreturn]] void misuse(PoolObject* pool, const std::string& what) {
  throw Error(ErrorKind::transaction, what, 0, pool->pool->path());
}

heap::Pool& inside(PoolObject* object, const char* what) {
  heap::Pool& pool = usable(object);
  if (!pool.in_transaction() || object->levels.empty())
    misuse(object, std::string(what) + " called outside of a transaction");
  return pool;
}

// Takes a list of functions away, so that each is called once.
std::vector<Ref> take(std::vector<PyObject*>& functions) {
  std::vector<Ref> taken;
  for (PyObject* function : std::exchange(functions, {})) taken.emplace_back(function);
  return taken;
}

// Calls all of them; exceptions are reported, but for the first one if it is to be raised.
void call(const std::vector<Ref>& functions, bool raise_first) {
  PyObject* type = nullptr;
  PyObject* value = nullptr;
  PyObject* traceback = nullptr;
  for (const Ref& function : functions) {
    if (Ref(PyObject_CallObject(function.get(), nullptr))) continue;
    if (raise_first && type == nullptr) {
      PyErr_Fetch(&type, &value, &traceback);
    } else {
      PyErr_WriteUnraisable(function.get());
    }
  }
  if (type == nullptr) return;
  PyErr_Restore(type, value, traceback);
  throw PythonError{};
}

// The exception that undid the transaction may be on its way: it is kept.
void call_aborted(PoolObject* pool) {
  const std::vector<Ref> dropped = take(pool->on_commit);
  const std::vector<Ref> functions = take(pool->on_abort);
  if (functions.empty()) return;
  PyObject* type = nullptr;
  PyObject* value = nullptr;
  PyObject* traceback = nullptr;
  PyErr_Fetch(&type, &value, &traceback);
  call(functions, false);
  PyErr_Restore(type, value, traceback);
}

void call_committed(PoolObject* pool) {
  const std::vector<Ref> dropped = take(pool->on_abort);
  call(take(pool->on_commit), true);
}

void end_failed(PoolObject* object) {
  drop_young(object, object->levels.back().first_young);
  object->levels.pop_back();
  object->pool->end_failed();
  if (object->levels.empty()) call_aborted(object);
}

// Stores what young objects have got outside the pool; what cannot be stored undoes everything.
void settle(PoolObject* object) {
  try {
    settle_young(object, object->levels.back().first_young);
  } catch (...) {
    object->pool->abort();
    end_failed(object);
    throw;
  }
}

// Ends the innermost level; the last one commits.
void end_level(PoolObject* object) {
  settle(object);
  object->levels.pop_back();
  const bool outermost = object->levels.empty();
  try {
    object->pool->commit();
  } catch (...) {
    if (outermost) call_aborted(object);
    throw;
  }
  if (outermost) call_committed(object);
}

bool innermost_is_block(const PoolObject* pool) {
  return !pool->levels.empty() && pool->levels.back().kind == Level::Kind::block;
}

void end_begun(PoolObject* pool) {
  while (!pool->levels.empty() && !innermost_is_block(pool)) end_failed(pool);
}

}  // namespace

double seconds_of(PyObject* timeout) {
  if (timeout == nullptr || timeout == Py_None) return kForEver;
  const double seconds = PyFloat_AsDouble(timeout);
  if (seconds == -1 && PyErr_Occurred()) throw PythonError{};
  if (std::isnan(seconds) || seconds < 0)
    throw Error(ErrorKind::value, "timeout must be None or a number of seconds, 0 or more");
  return seconds;
}

std::optional<backend::Promise> promise_of(const char* sync) {
  if (sync == nullptr) return std::nullopt;
  const std::string_view name(sync);
  if (name == "commit") return backend::Promise::durable;
  if (name == "relaxed") return backend::Promise::written;
  throw Error(ErrorKind::value,
              "sync must be \"commit\" or \"relaxed\", not \"" + std::string(name) + "\"");
}

void begin_level(PoolObject* object, Level::Kind kind, double timeout,
                 std::optional<backend::Promise> promise) {
  heap::Pool& pool = usable(object);
  object->levels.reserve(object->levels.size() + 1);
  pool.begin(timeout, promise);
  if (pool.transaction_depth() == 1 && !object->levels.empty()) {
    // A thread ended inside its transaction, which has been undone.
    forget_levels(object);
  }
  object->levels.push_back({kind, next_number++, young_end(object)});
}

void commit_level(PoolObject* object) {
  heap::Pool& pool = inside(object, "commit()");
  if (innermost_is_block(object)) {
    pool.abort();
    misuse(object,
           "commit() called inside a with block, which commits by itself at its end: everything "
           "has been undone");
  }
  end_level(object);
}

void abort_levels(PoolObject* object) {
  inside(object, "abort()").abort();
  end_begun(object);
}

void leave_block(PoolObject* object, bool failed) {
  heap::Pool& pool = usable(object);
  if (!pool.in_transaction() || object->levels.empty())
    misuse(object, "the transaction of this block has ended before it");
  if (!failed && innermost_is_block(object)) return end_level(object);
  pool.abort();
  end_begun(object);
  if (!object->levels.empty()) end_failed(object);
  if (!failed)
    misuse(object,
           "begin() inside this block was not followed by commit(): everything has been undone");
}

void forget_levels(PoolObject* object) noexcept {
  drop_young(object, 0);
  object->levels.clear();
  call_aborted(object);
}

void call_after_commit(PoolObject* pool, PyObject* function) {
  inside(pool, "on_commit()");
  pool->on_commit.push_back(function);
  Py_INCREF(function);
}

void call_after_abort(PoolObject* pool, PyObject* function) {
  inside(pool, "on_abort()");
  pool->on_abort.push_back(function);
  Py_INCREF(function);
}

}  // namespace nvm::bindings
