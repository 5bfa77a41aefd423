// How objects are reached from the pool, as Python would write it: pool["users"][3].name.
//
// Made when something has been found that is to be named: one more walk over all that is reached,
// breadth first, so that the path is a shortest one. 24 bytes a block.
#pragma once

#include <string>
#include <vector>

#include "collect/census.h"
#include "collect/progress.h"
#include "heap/pool.h"
#include "object/trace.h"

namespace nvm::collect {

class Paths : private object::Tracer {
 public:
  Paths(heap::Pool& pool, Census& census, Pace& pace);
  // Of an object, or of a slot in it; empty if nothing leads there, or for object 0. Elements of a
  // frozenset or set, which have no index, are written {number}.
  std::string of(heap::Offset object, object::Slot slot = {});

 private:
  // How an entry of the census is reached: from another one, by a slot of it.
  struct Link {
    uint64_t from = kNothing;
    object::Slot slot;
  };
  static constexpr uint64_t kNothing = ~uint64_t{0};
  static constexpr uint64_t kPool = kNothing - 1;      // the pool's own dict
  static constexpr uint64_t kPoolRoot = kNothing - 2;  // pool.root

  bool block(heap::Offset offset, uint64_t bytes) override;
  bool extent(uint64_t bytes) override;
  void cell(object::Cell cell, object::Slot slot) override;
  void damage(const std::string&, object::Slot, object::Flaw) override {}
  bool examines() const override { return false; }

  void walk();
  void start(uint64_t cell, uint64_t from);
  uint64_t number_of(heap::Offset offset);
  std::string label(uint64_t from, object::Slot slot);
  std::string label_unguarded(heap::Offset object, object::Slot slot);

  heap::Pool& pool_;
  Census& census_;
  Pace& pace_;
  std::vector<Link> links_;
  std::vector<uint64_t> queue_;
  uint64_t current_ = kNothing;
};

}  // namespace nvm::collect
