#include "fuzz/native/targets.h"
#include "fuzz/native/use.h"
#include "heap/layout/validate.h"

namespace nvm::fuzz {
namespace {

constexpr Place kPlaces[] = {Place::lane, Place::undo, Place::root, Place::block, Place::chunk};

// Recovery of the lanes in memory, with nothing beyond the pool to be touched.
bool recovers(Bytes input) {
  Damaged damaged(input, kPlaces);
  return passes([&] { heap::validate(damaged.pool(), damaged.size(), "pool"); });
}

}  // namespace

void fuzz_logs(Bytes input) {
  if (recovers(input)) use(Damaged(input, kPlaces));
}

}  // namespace nvm::fuzz
