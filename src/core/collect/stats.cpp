#include "collect/stats.h"

#include <unordered_map>

#include "collect/census.h"
#include "heap/access.h"
#include "heap/layout/heap_walk.h"
#include "object/record/class_table.h"
#include "object/trace.h"

namespace nvm::collect {

namespace {

using heap::Offset;
using heap::Pool;
using object::Cell;
using object::Slot;

class Measure : public object::Tracer {
 public:
  Measure(Pool& pool, Stats& stats, const Progress& progress)
      : pool_(pool), stats_(stats), pace_(progress) {}

  void run() {
    const heap::PoolFile& file = pool_.file();
    pace_.begin(heap::heap_totals(file.base(), file.size()).blocks);
    heap::HeapWalk walk(file.base(), file.size());
    for (heap::Block block; walk.next(block); pace_.advance(1)) take(block);
    for (const auto& [key, type] : types_) {
      TypeStats& named = stats_.types[name_of(key)];
      named.count += type.count;
      named.bytes += type.bytes;
    }
    pace_.end();
  }

  // ---- Tracer
  bool block(Offset offset, uint64_t) override {
    const heap::PoolFile& file = pool_.file();
    if (const auto found = heap::quick_block_at(file.base(), file.size(), offset))
      current_->bytes += found->usable;
    return true;
  }
  void cell(Cell cell, Slot) override {
    pace_.poll();
    if (cell.kind() == Cell::Kind::blob) block(cell.offset(), 0);
  }
  void damage(const std::string&, Slot, object::Flaw) override {}
  bool examines() const override { return false; }

 private:
  std::string name_of(uint64_t key) {
    try {
      return type_name(pool_, key);
    } catch (const Error&) {
      return "unknown";
    }
  }

  void take(const heap::Block& block) {
    stats_.allocated_bytes += block.usable;
    if (block.internal) return;
    const BlockClass kind = class_of_block(pool_, block);
    if (kind == BlockClass::memory) {
      TypeStats& memory = stats_.types["memory"];
      ++memory.count;
      memory.bytes += block.usable;
      return;
    }
    if (kind != BlockClass::object) {
      ++stats_.blobs;
      stats_.blob_bytes += block.usable;
      return;
    }
    ++stats_.objects;
    current_ = &types_[type_key(pool_, block.offset)];
    ++current_->count;
    current_->bytes += block.usable;
    try {
      object::trace(pool_, block.offset, *this);
    } catch (const Error&) {
      // Damaged, as check() will say: its own block has been counted.
    }
  }

  Pool& pool_;
  Stats& stats_;
  Pace pace_;
  std::unordered_map<uint64_t, TypeStats> types_;
  TypeStats* current_ = nullptr;
};

Stats measure(Pool& pool, const Progress& progress) {
  Stats stats;
  const heap::PoolFile& file = pool.file();
  stats.size = file.size();
  stats.limit = file.limit();
  Measure(pool, stats, progress).run();
  const heap::HeapTotals totals = heap::heap_totals(file.base(), file.size());
  stats.free_in_chunks = totals.free_bytes;
  stats.free_in_runs = totals.run_bytes - totals.run_used_bytes;
  stats.free_bytes = stats.free_in_chunks + stats.free_in_runs;
  stats.run_bytes = totals.run_bytes;
  stats.largest_free = totals.largest_free;
  stats.limbo = pool.limbo().objects().size();
  stats.classes = pool.root().class_count;
  stats.session = pool.session();
  return stats;
}

}  // namespace

Stats stats(Pool& pool, const Progress& progress) {
  return heap::whole(pool, [&] { return measure(pool, progress); });
}

}  // namespace nvm::collect
