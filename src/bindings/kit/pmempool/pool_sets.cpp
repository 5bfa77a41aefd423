// Pool set files, to and from tuples:
//   ([([(size, path), ...], node, pool), ...], single_header, no_headers)
#include <libpmempool.h>

#include "heap/file/other_pool.h"
#include "kit/pmempool/pmempool.h"
#include "poolset/pool_set.h"

namespace nvm::bindings::kit {

namespace {

using poolset::Part;
using poolset::PoolSet;
using poolset::Replica;

// Of libpmemlog and libpmemblk, which need not be there.
constexpr uint64_t kLeastPart = uint64_t{2} << 20;
constexpr uint64_t kLeastLog = uint64_t{2} << 20;
constexpr uint64_t kLeastBlocks = (uint64_t{16} << 20) + (uint64_t{8} << 10);

Ref parts_of(const Replica& replica) {
  Ref parts = checked(PyList_New(0));
  for (const Part& part : replica.parts) {
    const Ref path = path_text(part.path);
    const Ref pair = checked(Py_BuildValue("(KO)", part.size, path.get()));
    check(PyList_Append(parts.get(), pair.get()));
  }
  return parts;
}

PyObject* tuple_of(const PoolSet& set) {
  const Ref replicas = checked(PyList_New(0));
  for (const Replica& replica : set.replicas) {
    const Ref parts = parts_of(replica);
    const Ref node = path_text(replica.node);
    const Ref pool = path_text(replica.pool);
    const Ref item = checked(Py_BuildValue("(OOO)", parts.get(), node.get(), pool.get()));
    check(PyList_Append(replicas.get(), item.get()));
  }
  const Ref single = Ref(boolean(set.single_header));
  const Ref none_of_them = Ref(boolean(set.no_headers));
  return Py_BuildValue("(OOO)", replicas.get(), single.get(), none_of_them.get());
}

PyObject* item(PyObject* sequence, Py_ssize_t index) {
  PyObject* const found = PyTuple_GetItem(sequence, index);
  if (found == nullptr) throw PythonError{};
  return found;
}

Replica replica_from(PyObject* tuple) {
  Replica replica;
  const Ref parts = checked(PySequence_List(item(tuple, 0)));
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(parts.get()); ++i) {
    PyObject* const part = PyList_GET_ITEM(parts.get(), i);
    replica.parts.push_back(
        {size_argument(item(part, 0), "the size of a part"), file_name(item(part, 1))});
  }
  replica.node = file_name(item(tuple, 1));
  replica.pool = file_name(item(tuple, 2));
  return replica;
}

PoolSet set_from(PyObject* tuple) {
  PoolSet set;
  const Ref replicas = checked(PySequence_List(item(tuple, 0)));
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(replicas.get()); ++i)
    set.replicas.push_back(replica_from(PyList_GET_ITEM(replicas.get(), i)));
  set.single_header = item(tuple, 1) == Py_True;
  set.no_headers = item(tuple, 2) == Py_True;
  return set;
}

PyObject* parse(PyObject*, PyObject* text) {
  return guarded([&] {
    const Range bytes(text);
    return tuple_of(poolset::parse({bytes.data(), bytes.size()}));
  });
}

PyObject* format(PyObject*, PyObject* set) {
  return guarded([&] {
    const std::string text = poolset::format(set_from(set));
    return PyBytes_FromStringAndSize(text.data(), static_cast<Py_ssize_t>(text.size()));
  });
}

PyObject* read(PyObject*, PyObject* path) {
  return guarded([&] { return tuple_of(poolset::read(file_name(path))); });
}

constexpr Py_ssize_t kWriteArguments = 3;

// write(path, set, mode)
PyObject* write(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  return guarded([&] {
    check_count("poolset_write", count, kWriteArguments, kWriteArguments);
    poolset::write(file_name(arguments[0]), set_from(arguments[1]),
                   static_cast<mode_t>(size_argument(arguments[2], "mode")));
    return none();
  });
}

// check(set, kind): ValueError says what is wrong.
PyObject* check_set(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  return guarded([&] {
    check_count("poolset_check", count, 2, 2);
    const std::string kind = bytes_argument(arguments[1]);
    poolset::Demands demands;
    if (kind == "obj") {
      demands = {heap::least_other_pool(), heap::least_other_part(), true};
    } else if (kind == "log") {
      demands = {kLeastLog, kLeastPart, false};
    } else if (kind == "blk") {
      demands = {kLeastBlocks, kLeastPart, false};
    } else {
      raise(PyExc_ValueError, "kind must be 'obj', 'log' or 'blk', not %R", arguments[1]);
    }
    poolset::check(set_from(arguments[0]), demands);
    return none();
  });
}

PyObject* pool_size(PyObject*, PyObject* set) {
  return guarded([&] { return PyLong_FromUnsignedLongLong(poolset::pool_size(set_from(set))); });
}

PyMethodDef functions[] = {{"poolset_parse", parse, METH_O, nullptr},
                           {"poolset_format", format, METH_O, nullptr},
                           {"poolset_read", read, METH_O, nullptr},
                           {"poolset_write", as_method(write), METH_FASTCALL, nullptr},
                           {"poolset_check", as_method(check_set), METH_FASTCALL, nullptr},
                           {"poolset_size", pool_size, METH_O, nullptr},
                           {}};

}  // namespace

void register_pool_sets(PyObject* module) { add_functions(module, "pmempool", functions); }

}  // namespace nvm::bindings::kit
