// pool.check() and pool.stats().
#include <string>

#include "collect/check.h"
#include "collect/repair.h"
#include "collect/stats.h"
#include "container.h"
#include "heap/access.h"
#include "memory/memory.h"
#include "object/object.h"
#include "pool/pool.h"
#include "pool/progress.h"

namespace nvm::bindings {

namespace {

PoolObject* as_pool(PyObject* self) { return reinterpret_cast<PoolObject*>(self); }

// Nothing changes for its lifetime.
class Sharing {
 public:
  explicit Sharing(heap::Pool& pool) : pool_(pool) { pool.begin_reading(); }
  ~Sharing() { pool_.end_reading(); }
  Sharing(const Sharing&) = delete;
  Sharing& operator=(const Sharing&) = delete;

 private:
  heap::Pool& pool_;
};

// ---- check

const char* name_of(collect::Finding::Kind kind) {
  switch (kind) {
    case collect::Finding::Kind::damage:
      return "damage";
    case collect::Finding::Kind::count:
      return "count";
    case collect::Finding::Kind::leak:
      return "leak";
    case collect::Finding::Kind::limbo:
      return "limbo";
  }
  return "?";
}

// What is damaged may be no UTF-8.
Ref message_of(const std::string& text) {
  return checked(
      PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "surrogateescape"));
}

Ref list_of(const std::vector<collect::Finding>& findings) {
  const Ref module = checked(PyImport_ImportModule("nvm._finding"));
  const Ref type = checked(PyObject_GetAttrString(module.get(), "Finding"));
  Ref list = checked(PyList_New(0));
  for (const collect::Finding& finding : findings) {
    const Ref what = message_of(finding.what);
    const Ref path = message_of(finding.path);
    const Ref repaired = message_of(finding.repaired);
    const Ref kept = message_of(finding.kept);
    const Ref item =
        checked(PyObject_CallFunction(type.get(), "sKOOOO", name_of(finding.kind),
                                      static_cast<unsigned long long>(finding.offset), what.get(),
                                      path.get(), repaired.get(), kept.get()));
    check(PyList_Append(list.get(), item.get()));
  }
  return list;
}

collect::CheckReport check_unlocked(heap::Pool& pool, const object::HeldBy& held,
                                    const collect::Progress& progress) {
  const Unlocked unlocked;
  return collect::check(pool, held, progress);
}

// Objects of classes with code of their own are asked what they hold, if there are any that can be.
// REQUIRES: the pool is surveyed.
collect::CheckReport check_surveyed(PoolObject* owner, const collect::Progress& progress) {
  heap::Pool& pool = *owner->pool;
  collect::CheckReport report = check_unlocked(pool, {}, progress);
  if (report.untold.empty()) return report;
  const object::HeldBy held = held_by(owner, report.untold, false);
  return held.empty() ? report : check_unlocked(pool, held, progress);
}

collect::CheckReport check_all(PoolObject* owner, const collect::Progress& progress) {
  const heap::Surveying surveying(*owner->pool, "check()");
  return check_surveyed(owner, progress);
}

// Durable when it returns.
collect::CheckReport repair_all(PoolObject* owner, const collect::Progress& progress) {
  heap::Pool& pool = *owner->pool;
  collect::CheckReport report;
  heap::PendingCommit commit;
  {
    const heap::Surveying surveying(pool, "check()");
    report = check_surveyed(owner, progress);
    const Unlocked unlocked;
    collect::repair(pool, report, progress);
    commit = pool.cut_commit();
  }
  pool.await(std::move(commit));
  return report;
}

PyObject* pool_check(PyObject* self, PyObject* args, PyObject* kw) {
  static const char* names[] = {"repair", "progress", nullptr};
  int repair = 0;
  PyObject* progress = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kw, "|$pO:check", const_cast<char**>(names), &repair,
                                   &progress))
    return nullptr;
  return guarded([&] {
    const heap::Pool& pool = usable(as_pool(self));
    if (repair != 0) pool.check_writable();
    const Ref function = progress_function(progress);
    const collect::Progress tell = report_to(pool, function.get());
    const collect::CheckReport report =
        repair != 0 ? repair_all(as_pool(self), tell) : check_all(as_pool(self), tell);
    return list_of(report.findings).release();
  });
}

// ---- stats

Ref dict_of(const std::map<std::string, collect::TypeStats>& types) {
  Ref all = checked(PyDict_New());
  for (const auto& [name, type] : types) {
    const Ref one = checked(PyDict_New());
    set_number(one, "count", type.count);
    set_number(one, "bytes", type.bytes);
    check(PyDict_SetItem(all.get(), text_of(name).get(), one.get()));
  }
  return all;
}

// What nothing owns, found by a whole check().
Ref leaks_of(PoolObject* pool) {
  const collect::CheckReport report = check_all(pool, report_to(*pool->pool, nullptr));
  Ref leaks = checked(PyDict_New());
  set_number(leaks, "count", report.leaks);
  set_number(leaks, "bytes", report.leaked_bytes);
  return leaks;
}

double share_of(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

PyObject* pool_stats(PyObject* self, PyObject* args, PyObject* kw) {
  static const char* names[] = {"leaks", nullptr};
  int with_leaks = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kw, "|$p:stats", const_cast<char**>(names), &with_leaks))
    return nullptr;
  return guarded([&] {
    heap::Pool& pool = usable(as_pool(self));
    const collect::Stats stats = [&pool] {
      const Sharing sharing(pool);
      const Unlocked unlocked;
      return collect::stats(pool, report_to(pool, nullptr));
    }();
    Ref dict = checked(PyDict_New());
    set_number(dict, "size", stats.size);
    set_number(dict, "limit", stats.limit);
    set_number(dict, "allocated_bytes", stats.allocated_bytes);
    set_number(dict, "free_bytes", stats.free_bytes);
    set_number(dict, "free_in_chunks", stats.free_in_chunks);
    set_number(dict, "free_in_runs", stats.free_in_runs);
    const Ref unused = checked(PyFloat_FromDouble(share_of(stats.free_in_runs, stats.run_bytes)));
    check(PyDict_SetItemString(dict.get(), "run_unused", unused.get()));
    set_number(dict, "largest_free", stats.largest_free);
    set_number(dict, "objects", stats.objects);
    set_number(dict, "blobs", stats.blobs);
    set_number(dict, "blob_bytes", stats.blob_bytes);
    set_number(dict, "limbo", stats.limbo);
    set_number(dict, "classes", stats.classes);
    set_number(dict, "session", stats.session);
    check(PyDict_SetItemString(dict.get(), "types", dict_of(stats.types).get()));
    if (with_leaks != 0)
      check(PyDict_SetItemString(dict.get(), "leaks", leaks_of(as_pool(self)).get()));
    return dict.release();
  });
}

}  // namespace

const std::vector<PyMethodDef> report_methods = {
    {"check", as_method(pool_check), METH_VARARGS | METH_KEYWORDS,
     "check($self, /, *, repair=False, progress=None)\n--\n\n"
     "Look through the whole pool and say what is wrong with it.\n\n"
     "Everything that can be reached is looked at: values, reference counts, indexes, and whether\n"
     "each allocated block belongs to something. Other threads can read meanwhile, not write.\n\n"
     "With repair, what can be put right without loss is: reference counts, numbers of entries,\n"
     "indexes, the list of objects that wait to be freed, footers of chunks, and leaks, which are\n"
     "freed. Nothing is freed, and no count lowered, while anything is damaged beyond that: what\n"
     "cannot be read may refer to it. Each repair happens or not, whenever the process is killed\n"
     "or an exception ends the check; all are durable on return.\n\n"
     "Args:\n"
     "    repair: Put right what can be.\n"
     "    progress: A function that is called with the blocks done and in all, or True for a\n"
     "        bar; with repair, then again with the repairs done and in all.\n\n"
     "Returns:\n"
     "    list[Finding]: What was found, each a (kind, offset, what, path, repaired, kept) tuple,\n"
     "    the first thousand; empty: it is sound. With repair each says in repaired what was done\n"
     "    about it, or in kept why nothing was.\n\n"
     "Raises:\n"
     "    TransactionError: Inside a transaction or reading() of this thread.\n"
     "    ReadOnlyError: To be repaired, and open for reading only.\n"
     "    OSError: A repair could not be written."},
    {"stats", as_method(pool_stats), METH_VARARGS | METH_KEYWORDS,
     "stats($self, /, *, leaks=False)\n--\n\n"
     "How the pool's room is used, as a dict.\n\n"
     "size, limit: of the file, in bytes; allocated_bytes; free_bytes, of these free_in_chunks "
     "(for\n"
     "blocks of any size) and free_in_runs (for blocks of about the size of those freed there);\n"
     "run_unused: the share of the runs that is free, from 0 to 1; largest_free: the largest "
     "block\n"
     "that fits without growing; objects; blobs, blob_bytes: their bodies and large values; "
     "limbo:\n"
     "objects that wait to be freed; classes; session: how often it has been opened for writing;\n"
     "types: for each type's or class's name its count, and its bytes with all they own.\n\n"
     "Args:\n"
     "    leaks: Also look for what nothing owns, as check() does: leaks, with count and bytes. "
     "Not\n"
     "        inside a transaction."},
};

}  // namespace nvm::bindings
