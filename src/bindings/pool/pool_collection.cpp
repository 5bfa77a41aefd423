// pool.gc().
#include <optional>

#include "collect/gc.h"
#include "container.h"
#include "heap/access.h"
#include "memory/memory.h"
#include "object/object.h"
#include "pool/pool.h"
#include "pool/progress.h"

namespace nvm::bindings {

namespace {

PoolObject* as_pool(PyObject* self) { return reinterpret_cast<PoolObject*>(self); }

collect::GcReport gc_unlocked(heap::Pool& pool, const object::HeldBy& held,
                              const collect::Progress& progress, bool debug) {
  const Unlocked unlocked;
  return collect::gc(pool, held, progress, debug);
}

// Objects of classes with code of their own are asked what they hold, if there are any.
collect::GcReport collect_all(PoolObject* owner, const collect::Progress& progress, bool debug) {
  heap::Pool& pool = *owner->pool;
  const heap::Surveying surveying(pool, "gc()");
  collect::GcReport report = gc_unlocked(pool, {}, progress, debug);
  if (report.untold.empty()) return report;
  return gc_unlocked(pool, held_by(owner, report.untold, true), progress, debug);
}

Ref types_of(const collect::GcReport& report) {
  Ref types = checked(PyDict_New());
  for (const auto& [name, count] : report.types) {
    const Ref number = checked(PyLong_FromUnsignedLongLong(count));
    check(PyDict_SetItem(types.get(), text_of(name).get(), number.get()));
  }
  return types;
}

Ref counts_of(const collect::GcReport& report) {
  Ref counts = checked(PyDict_New());
  set_number(counts, "containers-total", report.containers_total);
  set_number(counts, "containers-live", report.containers_live);
  set_number(counts, "other-total", report.other_total);
  set_number(counts, "other-live", report.other_live);
  set_number(counts, "orphans0-gced", report.orphans_uncounted);
  set_number(counts, "orphans1-gced", report.orphans_miscounted);
  set_number(counts, "collections-gced", report.collections);
  return counts;
}

Ref met_of(const collect::GcReport& report) {
  Ref met = checked(PyList_New(0));
  for (const collect::GcReport::Met& object : report.met) {
    const Ref item = checked(Py_BuildValue("KN", static_cast<unsigned long long>(object.offset),
                                           text_of(object.type).release()));
    check(PyList_Append(met.get(), item.get()));
  }
  return met;
}

// What is logged before and after, by the functions of nvm/_collection.py.
class DebugLog {
 public:
  explicit DebugLog(PyObject* pool)
      : pool_(pool), module_(checked(PyImport_ImportModule("nvm._collection"))) {}
  void before() { checked(PyObject_CallMethod(module_.get(), "before", "O", pool_)); }
  void after(const Ref& types, const Ref& counts, const Ref& met) {
    checked(PyObject_CallMethod(module_.get(), "after", "OOOO", pool_, types.get(), counts.get(),
                                met.get()));
  }

 private:
  PyObject* pool_;
  Ref module_;
};

PyObject* pool_gc(PyObject* self, PyObject* args, PyObject* kw) {
  static const char* names[] = {"debug", "progress", nullptr};
  PyObject* debug_given = Py_None;
  PyObject* progress = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kw, "|O$O:gc", const_cast<char**>(names), &debug_given,
                                   &progress))
    return nullptr;
  return guarded([&] {
    heap::Pool& pool = usable(as_pool(self));
    pool.check_writable();
    const int debug = debug_given == Py_None ? static_cast<int>(as_pool(self)->debug)
                                             : PyObject_IsTrue(debug_given);
    check(debug);
    const Ref function = progress_function(progress);
    std::optional<DebugLog> log;
    if (debug != 0) log.emplace(self).before();
    free_custom_objects(as_pool(self));
    const collect::GcReport report =
        collect_all(as_pool(self), report_to(pool, function.get()), debug != 0);
    free_custom_garbage(as_pool(self), report.heads);
    const Ref types = types_of(report);
    const Ref counts = counts_of(report);
    if (log) log->after(types, counts, met_of(report));
    return checked(PyTuple_Pack(2, types.get(), counts.get())).release();
  });
}

}  // namespace

const std::vector<PyMethodDef> collection_methods = {
    {"gc", as_method(pool_gc), METH_VARARGS | METH_KEYWORDS,
     "gc($self, /, debug=None, *, progress=None)\n--\n\n"
     "Free the objects that only keep one another alive.\n\n"
     "Everything else is freed at once, when the last reference to it goes; this finds cycles.\n"
     "What a Python object, an iterator or a view still refers to is kept. Each object is freed\n"
     "by operations of their own: an exception, a signal's too, ends the collection between two\n"
     "of them, and what has been freed is freed for good. Other threads can read meanwhile, and\n"
     "wait to write; it waits for their transactions. No code of the objects' classes is run.\n\n"
     "Args:\n"
     "    debug: Log what was met to the logger \"nvm\", and check the pool before and after. By\n"
     "        default what the pool was opened with.\n"
     "    progress: A function that is called with the objects done and in all, or True for a "
     "bar.\n\n"
     "Returns:\n"
     "    tuple[dict, dict]: How many objects of each type or class there are now; and counts:\n"
     "    containers-total and containers-live (objects that can refer to others, before and\n"
     "    after), other-total and other-live (large values), orphans0-gced and orphans1-gced\n"
     "    (freed, and their reference count was zero or otherwise wrong), collections-gced (freed\n"
     "    from cycles).\n\n"
     "Raises:\n"
     "    TransactionError: Inside a transaction or reading() of this thread.\n"
     "    PoolCorruptError: The pool is damaged: nothing has been freed.\n"
     "    PoolFullError: What is left can only be freed in a larger pool."},
};

}  // namespace nvm::bindings
