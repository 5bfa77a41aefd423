#include "collect/census.h"

#include <algorithm>

namespace nvm::collect {

bool is_counted(uint64_t type) noexcept {
  switch (static_cast<heap::Type>(type)) {
    case heap::Type::list:
    case heap::Type::dict:
    case heap::Type::set:
    case heap::Type::record:
    case heap::Type::tuple:
    case heap::Type::frozenset:
      return true;
    default:
      return false;
  }
}

Census::Census(const heap::Pool& pool) {
  heap::HeapWalk walk(pool.file().base(), pool.file().size());
  heap::Block block;
  while (walk.next(block))
    if (!block.internal) entries_.push_back({block.offset, block.usable, block.type});
}

Entry* Census::find(heap::Offset offset) noexcept {
  const auto found =
      std::lower_bound(entries_.begin(), entries_.end(), offset,
                       [](const Entry& entry, heap::Offset at) { return entry.offset < at; });
  return found != entries_.end() && found->offset == offset ? &*found : nullptr;
}

}  // namespace nvm::collect
