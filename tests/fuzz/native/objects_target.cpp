#include "fuzz/native/targets.h"
#include "fuzz/native/use.h"

namespace nvm::fuzz {
namespace {

constexpr Place kPlaces[] = {Place::field, Place::block, Place::block_header, Place::root,
                             Place::page,  Place::run,   Place::chunk};

}  // namespace

void fuzz_objects(Bytes input) { use(Damaged(input, kPlaces)); }

}  // namespace nvm::fuzz
