#include "values/ahead.h"

#include "object/value/blob.h"

namespace nvm::bindings {

using object::Cell;

namespace {

constexpr uint64_t kMostBytes = 256;  // of a blob

}  // namespace

bool fits_ahead(const heap::Pool& pool, Cell cell) {
  switch (cell.kind()) {
    case Cell::Kind::constant:
    case Cell::Kind::integer:
    case Cell::Kind::real:
    case Cell::Kind::str:
    case Cell::Kind::bytes:
      return true;
    case Cell::Kind::blob:
      return object::blob::view(pool, cell.offset()).bytes <= kMostBytes;
    default:
      return false;
  }
}

}  // namespace nvm::bindings
