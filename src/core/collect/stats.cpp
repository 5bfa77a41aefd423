#include "collect/stats.h"

#include "collect/census.h"
#include "heap/layout/heap_walk.h"

namespace nvm::collect {

Stats stats(heap::Pool& pool) {
  Stats stats;
  const heap::PoolFile& file = pool.file();
  stats.size = file.size();
  stats.limit = file.limit();
  heap::HeapWalk walk(file.base(), file.size());
  heap::Block block;
  while (walk.next(block)) {
    stats.allocated_bytes += block.usable;
    if (block.internal) continue;
    if (is_counted(block.type)) {
      TypeStats& type = stats.types[name_of(static_cast<heap::Type>(block.type))];
      ++type.count;
      type.bytes += block.usable;
      ++stats.objects;
    } else {
      ++stats.blobs;
      stats.blob_bytes += block.usable;
    }
  }
  const heap::HeapTotals totals = heap::heap_totals(file.base(), file.size());
  stats.free_bytes = totals.free_bytes + totals.run_bytes - totals.run_used_bytes;
  stats.largest_free = totals.largest_free;
  stats.limbo = pool.limbo().objects().size();
  stats.classes = pool.root().class_count;
  stats.session = pool.session();
  return stats;
}

}  // namespace nvm::collect
