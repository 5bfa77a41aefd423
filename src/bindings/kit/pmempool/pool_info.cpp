// What info() and dump() tell: nested dicts, and blocks. libpmempool has no function for either.
#include <algorithm>
#include <cstring>

#include "blk/blk_layout.h"
#include "heap/layout/heap_walk.h"
#include "heap/layout/lane_logs.h"
#include "heap/layout/pool_header.h"
#include "kit/pmempool/pmempool.h"
#include "log/log_layout.h"

namespace nvm::bindings::kit {

namespace {

using tools::PoolKind;
using tools::PoolView;

Ref text_of(const char* bytes, size_t most) {
  const size_t length = ::strnlen(bytes, most);
  return checked(PyUnicode_DecodeUTF8(bytes, static_cast<Py_ssize_t>(length), "backslashreplace"));
}

Ref bytes_of(const void* data, size_t size) {
  return checked(
      PyBytes_FromStringAndSize(static_cast<const char*>(data), static_cast<Py_ssize_t>(size)));
}

Ref header_dict(const heap::pmdk::PoolHeader& header) {
  Ref dict = checked(PyDict_New());
  put(dict, "signature", text_of(header.signature, sizeof header.signature));
  put(dict, "major", number(header.major));
  put(dict, "compatible", number(header.compatible));
  put(dict, "incompatible", number(header.incompatible));
  put(dict, "ro_compatible", number(header.ro_compatible));
  put(dict, "uuids", bytes_of(header.uuids, sizeof header.uuids));
  put(dict, "created", number(header.created));
  put(dict, "checksum_right", Ref(boolean(heap::has_right_checksum(header))));
  put(dict, "closed_cleanly", Ref(boolean(heap::closed_cleanly(header))));
  return dict;
}

struct ObjectFacts {
  heap::pmdk::Descriptor descriptor;
  heap::LaneReport lanes;
  heap::HeapTotals heap;
};

ObjectFacts object_facts(const PoolView& view) {
  const Unlocked unlocked;
  ObjectFacts facts{};
  facts.lanes = recover_heap(view);
  facts.descriptor = heap::descriptor_of(view.base());
  try {
    heap::check_zones(view.base(), view.size());
    facts.heap = heap::heap_totals(view.base(), view.size());
  } catch (const Error& error) {
    heap::throw_error(error.kind(), view.path(), std::string("damaged: ") + error.what(),
                      error.error_number());
  }
  return facts;
}

Ref heap_dict(const heap::HeapTotals& totals) {
  Ref dict = checked(PyDict_New());
  put(dict, "zones", number(totals.zones));
  put(dict, "bytes", number(totals.bytes));
  put(dict, "free_bytes", number(totals.free_bytes));
  put(dict, "largest_free", number(totals.largest_free));
  put(dict, "used_bytes", number(totals.used_bytes));
  put(dict, "run_bytes", number(totals.run_bytes));
  put(dict, "run_used_bytes", number(totals.run_used_bytes));
  put(dict, "runs", number(totals.runs));
  put(dict, "blocks", number(totals.blocks));
  return dict;
}

Ref object_dict(const PoolView& view) {
  const ObjectFacts facts = object_facts(view);
  Ref dict = checked(PyDict_New());
  put(dict, "layout", text_of(facts.descriptor.layout, heap::pmdk::kLayoutLength));
  put(dict, "lanes", number(facts.descriptor.lanes));
  put(dict, "redo_logs", number(facts.lanes.redo_logs));
  put(dict, "undo_logs", number(facts.lanes.undo_logs));
  put(dict, "heap_offset", number(facts.descriptor.heap_offset));
  put(dict, "heap_size", number(facts.descriptor.heap_size));
  put(dict, "root_offset", number(facts.descriptor.root_offset));
  put(dict, "root_size", number(facts.descriptor.root_size));
  put(dict, "heap", heap_dict(facts.heap));
  return dict;
}

Ref log_dict(const PoolView& view) {
  log::check(view);
  const log::LogDescriptor& log = log::descriptor_of(view);
  Ref dict = checked(PyDict_New());
  put(dict, "start", number(log.start));
  put(dict, "end", number(log.end));
  put(dict, "write", number(log.write));
  return dict;
}

Ref arena_dict(const PoolView& view, const blk::Arena& arena) {
  const auto* map = reinterpret_cast<const uint32_t*>(view.base() + arena.offset + arena.info.map);
  uint64_t written = 0;
  uint64_t zero = 0;
  uint64_t error = 0;
  for (uint32_t block = 0; block < arena.info.external_blocks; ++block) {
    const uint32_t state = map[block] & blk::kEntryState;
    written += state == blk::kEntryNormal ? 1 : 0;
    zero += state == blk::kEntryZero ? 1 : 0;
    error += state == blk::kEntryError ? 1 : 0;
  }
  Ref dict = checked(PyDict_New());
  put(dict, "offset", number(arena.offset));
  put(dict, "flags", number(arena.info.flags));
  put(dict, "major", number(arena.info.major));
  put(dict, "minor", number(arena.info.minor));
  put(dict, "blocks", number(arena.info.external_blocks));
  put(dict, "internal_block_size", number(arena.info.internal_size));
  put(dict, "free_blocks", number(arena.info.free_blocks));
  put(dict, "written", number(written));
  put(dict, "zero", number(zero));
  put(dict, "error", number(error));
  return dict;
}

Ref blocks_dict(const PoolView& view) {
  blk::check(view);
  const Ref list = checked(PyList_New(0));
  for (const blk::Arena& arena : blk::arenas(view)) {
    const Ref item = arena_dict(view, arena);
    check(PyList_Append(list.get(), item.get()));
  }
  Ref dict = checked(PyDict_New());
  put(dict, "block_size", number(blk::descriptor_of(view).block_size));
  put(dict, "arenas", Ref::borrow(list.get()));
  return dict;
}

Ref content_dict(const PoolView& view, PoolKind kind) {
  switch (kind) {
    case PoolKind::obj:
      return object_dict(view);
    case PoolKind::log:
      return log_dict(view);
    case PoolKind::blk:
      return blocks_dict(view);
    case PoolKind::unknown:
      break;
  }
  throw Error(ErrorKind::corrupt,
              "'" + view.path() + "': not a pool: it does not begin with PMDK's signature", EUCLEAN,
              view.path());
}

Ref info_dict(const PoolView& view) {
  const PoolKind kind = tools::kind_of(view.header());
  const std::string name(tools::name_of(kind));
  Ref dict = checked(PyDict_New());
  put(dict, "kind", message_text(name.c_str()));
  put(dict, "size", number(view.size()));
  put(dict, "header", header_dict(view.header()));
  try {
    put(dict, "content", content_dict(view, kind));
    put(dict, "damage", Ref::borrow(Py_None));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::corrupt && error.kind() != ErrorKind::layout) throw;
    put(dict, "content", Ref::borrow(Py_None));
    put(dict, "damage", message_text(error.what()));
  }
  return dict;
}

// info(path): header, kind and size; and the content, or what is wrong with it.
PyObject* info(PyObject*, PyObject* path) {
  return guarded([&] {
    const PoolView view(file_name(path));
    return view.read([&] { return info_dict(view); }).release();
  });
}

// The bytes [begin, end) of a log, fewer where it ends.
Ref log_bytes(const PoolView& view, size_t begin, size_t end) {
  log::check(view);
  const log::LogDescriptor& log = log::descriptor_of(view);
  const size_t size = log.write - log.start;
  begin = std::min(begin, size);
  end = std::min(end, size);
  return bytes_of(view.base() + log.start + begin, end > begin ? end - begin : 0);
}

PyObject* dump_log(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  return guarded([&] {
    constexpr Py_ssize_t wanted = 3;
    check_count("dump_log", count, wanted, wanted);
    const PoolView view(file_name(arguments[0]));
    const size_t begin = size_argument(arguments[1], "start");
    const size_t end = size_argument(arguments[2], "stop");
    return view.read([&] { return log_bytes(view, begin, end); }).release();
  });
}

// A block, which is in one of the arenas; None: one in error.
PyObject* block_of(const PoolView& view, const std::vector<blk::Arena>& arenas, uint64_t block) {
  const size_t size = blk::descriptor_of(view).block_size;
  for (const blk::Arena& arena : arenas) {
    if (block >= arena.info.external_blocks) {
      block -= arena.info.external_blocks;
      continue;
    }
    const char* const base = view.base() + arena.offset;
    const uint32_t entry = reinterpret_cast<const uint32_t*>(base + arena.info.map)[block];
    const uint32_t state = entry & blk::kEntryState;
    if (state == blk::kEntryError) return none();
    if (state != blk::kEntryNormal) break;
    const uint64_t place = entry & blk::kPlaceMask;
    return bytes_of(base + arena.info.data + place * arena.info.internal_size, size).release();
  }
  const std::string zeros(size, '\0');
  return bytes_of(zeros.data(), zeros.size()).release();
}

// Blocks [start, stop): a list.
Ref block_list(const PoolView& view, uint64_t start, uint64_t stop) {
  blk::check(view);
  const std::vector<blk::Arena> arenas = blk::arenas(view);
  uint64_t blocks = 0;
  for (const blk::Arena& arena : arenas) blocks += arena.info.external_blocks;
  Ref list = checked(PyList_New(0));
  for (uint64_t block = start; block < std::min(stop, blocks); ++block) {
    const Ref bytes = checked(block_of(view, arenas, block));
    check(PyList_Append(list.get(), bytes.get()));
  }
  return list;
}

PyObject* dump_blocks(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  return guarded([&] {
    constexpr Py_ssize_t wanted = 3;
    check_count("dump_blocks", count, wanted, wanted);
    const PoolView view(file_name(arguments[0]));
    const uint64_t start = size_argument(arguments[1], "start");
    const uint64_t stop = size_argument(arguments[2], "stop");
    return view.read([&] { return block_list(view, start, stop); }).release();
  });
}

PyMethodDef functions[] = {{"info", info, METH_O, nullptr},
                           {"dump_log", as_method(dump_log), METH_FASTCALL, nullptr},
                           {"dump_blocks", as_method(dump_blocks), METH_FASTCALL, nullptr},
                           {}};

}  // namespace

heap::LaneReport recover_heap(const PoolView& view) {
  view.require(PoolKind::obj, heap::pmdk::kPoolMajor);
  heap::check_any_layout(view.base(), view.size(), view.path());
  return heap::recover_lanes(view.private_base(), view.size(), view.path());
}

void register_pool_info(PyObject* module) { add_functions(module, "pmempool", functions); }

}  // namespace nvm::bindings::kit
