// Room made beforehand for what must not fail later: past a commit point, or while something is
// undone.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace nvm::heap {

// So many further elements need no allocation. Grows as push_back() does, not by these alone.
template <class T>
void make_room_for(std::vector<T>& vector, size_t more) {
  const size_t needed = vector.size() + more;
  if (needed > vector.capacity()) vector.reserve(std::max(needed, 2 * vector.capacity()));
}

}  // namespace nvm::heap
