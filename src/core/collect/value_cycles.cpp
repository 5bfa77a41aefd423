#include "collect/value_cycles.h"

#include <algorithm>

#include "object/tuple/tuple.h"

namespace nvm::collect {

using heap::Offset;

bool is_value(uint64_t type) noexcept {
  const auto known = static_cast<heap::Type>(type);
  return object::tuple::is_tuple(known) || object::tuple::is_frozenset(known) ||
         known == heap::Type::boxed;
}

// Depth first: what leads to an object that is still being left closes a cycle.
std::vector<Offset> ValueCycles::find() {
  std::sort(edges_.begin(), edges_.end());
  for (const auto& [from, to] : edges_) visit(from);
  return std::move(found_);
}

void ValueCycles::enter(Offset object) {
  left_[object] = false;
  path_.emplace_back(
      object, std::lower_bound(edges_.cbegin(), edges_.cend(), std::pair(object, Offset{0})));
}

void ValueCycles::visit(Offset start) {
  if (left_.count(start) != 0) return;
  enter(start);
  while (!path_.empty()) {
    auto& [object, next] = path_.back();
    if (next == edges_.cend() || next->first != object) {
      left_[object] = true;
      path_.pop_back();
      continue;
    }
    const Offset to = (next++)->second;
    const auto known = left_.find(to);
    if (known == left_.end()) {
      enter(to);
    } else if (!known->second) {
      found_.push_back(to);
    }
  }
}

}  // namespace nvm::collect
