#include "fuzz/native/use.h"

#include "collect/check.h"
#include "collect/gc.h"
#include "collect/stats.h"
#include "fuzz/native/reading.h"
#include "fuzz/native/scratch.h"
#include "fuzz/native/targets.h"
#include "heap/access.h"
#include "object/store.h"

namespace nvm::fuzz {
namespace {

using heap::Pool;

bool is_sound(Pool& pool) {
  const heap::Surveying surveying(pool, "check()");
  return collect::check(pool).findings.empty();
}

void read(Pool& pool, bool sound) {
  const bool passed = passes([&] { heap::read(pool, [&] { read_all(pool); }); });
  expect(passed || !sound, "damage met in a pool that check() has found sound");
  heap::read(pool, [&] { collect::stats(pool); });
}

void collect_cycles(Pool& pool) {
  passes([&] {
    const heap::Surveying surveying(pool, "gc()");
    collect::gc(pool);
  });
}

}  // namespace

void use(const Damaged& damaged) {
  heap::OpenOptions options;
  options.path = scratch_path("damaged");
  options.if_missing = heap::IfMissing::fail;
  const bool writes = (damaged.flags() & kForWriting) != 0;
  options.access = writes ? heap::Access::write : heap::Access::read;
  options.limit = damaged.base().pool.size();
  options.backend = damaged.base().journal.empty() ? backend::Kind::memory : backend::Kind::journal;
  damaged.write(options.path);
  passes([&] {
    const auto pool = Pool::open(options, object::initialize, object::destroy);
    const bool sound = is_sound(*pool);
    read(*pool, sound);
    if (writes) {
      collect_cycles(*pool);
      expect(!sound || is_sound(*pool), "a sound pool is none after a collection");
    }
    pool->close();
  });
}

}  // namespace nvm::fuzz
