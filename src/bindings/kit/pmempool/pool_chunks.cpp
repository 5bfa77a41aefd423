// What chunks() tells: the links of the chains of chunks that libpmemobj's heap consists of.
#include <vector>

#include "heap/layout/heap_walk.h"
#include "kit/pmempool/pmempool.h"

namespace nvm::bindings::kit {

namespace {

using heap::pmdk::ChunkType;

struct ChunkFacts {
  heap::Chunk chunk;
  heap::Offset offset = 0;
  heap::Block block;  // of one that is used
  heap::RunShape run;
  uint64_t used_units = 0;  // of a run
};

ChunkFacts facts_of(const heap::HeapView& heap, const heap::Chunk& chunk) {
  ChunkFacts facts{.chunk = chunk, .offset = heap.chunk_offset(chunk.zone, chunk.index)};
  if (chunk.type == ChunkType::used) facts.block = heap.block_of(chunk);
  if (chunk.type == ChunkType::run) {
    heap.check_run_data(chunk);
    facts.run = heap.run_at(chunk);
    facts.used_units = heap::allocated_units(heap, facts.run);
  }
  return facts;
}

// From a place of the chain on: up to the zone's end, or to the first that is damaged, which the
// next call is about. Throws Error(corrupt) if that is the first of all.
std::vector<ChunkFacts> chunks_from(const heap::HeapView& heap, uint32_t zone, uint64_t index) {
  std::vector<ChunkFacts> found;
  try {
    while (index < heap.chunks_of(zone)) {
      found.push_back(facts_of(heap, heap.chunk_at(zone, static_cast<uint32_t>(index))));
      index += found.back().chunk.chunks;
    }
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::corrupt || found.empty()) throw;
  }
  return found;
}

const char* name_of(ChunkType type) {
  return type == ChunkType::free ? "free" : type == ChunkType::used ? "used" : "run";
}

// zone, index, chunks, kind, flags, offset; block's type and size; unit, units, used units.
Ref tuple_of(const ChunkFacts& facts) {
  using Number = unsigned long long;
  const heap::Chunk& chunk = facts.chunk;
  return checked(Py_BuildValue("(IIIsIKKKKIK)", chunk.zone, chunk.index, chunk.chunks,
                               name_of(chunk.type), unsigned{chunk.flags}, Number{facts.offset},
                               Number{facts.block.type}, Number{facts.block.usable},
                               Number{facts.run.unit}, facts.run.units, Number{facts.used_units}));
}

// chunks(path, zone, index): a list; None: there is no such zone.
PyObject* chunks(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  return guarded([&] {
    constexpr Py_ssize_t wanted = 3;
    check_count("chunks", count, wanted, wanted);
    const tools::PoolView view(file_name(arguments[0]));
    const size_t zone = size_argument(arguments[1], "zone");
    const size_t index = size_argument(arguments[2], "index");
    const heap::HeapView heap(view.base(), view.size());
    std::vector<ChunkFacts> found;
    const bool exists = view.read([&] {
      const Unlocked unlocked;
      recover_heap(view);
      if (zone >= heap.zones()) return false;
      found = chunks_from(heap, static_cast<uint32_t>(zone), index);
      return true;
    });
    if (!exists) return none();
    Ref list = checked(PyList_New(0));
    for (const ChunkFacts& facts : found) check(PyList_Append(list.get(), tuple_of(facts).get()));
    return list.release();
  });
}

PyMethodDef functions[] = {{"chunks", as_method(chunks), METH_FASTCALL, nullptr}, {}};

}  // namespace

void register_pool_chunks(PyObject* module) { add_functions(module, "pmempool", functions); }

}  // namespace nvm::bindings::kit
