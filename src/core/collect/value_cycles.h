// Tuples, frozensets and boxed values that hold themselves, directly or through one another alone.
// They are written once, after what they hold: only damage makes them so, and reading one would
// never end.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "heap/format.h"

namespace nvm::collect {

// True of the types that cannot be changed.
bool is_value(uint64_t type) noexcept;

class ValueCycles {
 public:
  // One such object refers to another.
  void add(heap::Offset from, heap::Offset to) { edges_.emplace_back(from, to); }
  // At least one object of each cycle.
  std::vector<heap::Offset> find();

 private:
  using Edges = std::vector<std::pair<heap::Offset, heap::Offset>>;

  void visit(heap::Offset start);
  void enter(heap::Offset object);

  Edges edges_;
  std::vector<std::pair<heap::Offset, Edges::const_iterator>> path_;  // and the next edge to take
  std::unordered_map<heap::Offset, bool> left_;                       // of what has been entered
  std::vector<heap::Offset> found_;
};

}  // namespace nvm::collect
