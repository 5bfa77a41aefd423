// The limbo list: objects whose reference count is zero and that are still to be freed, because a
// proxy holds them or because freeing them takes several steps.
//
// On the medium: LimboSegments linked from the root object, each an array of offsets; 0 is a free
// slot. A slot changes in the same publish or transaction as the count that reaches zero or rises
// from it, so at open the list is exactly what was in flight, and is freed then: opening after a
// crash costs what was in flight, not the size of the heap.
//
// What is kept here is volatile: where each object's slot is, and which slots are free.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "heap/format.h"

namespace nvm::heap {

class Pool;

class Limbo {
 public:
  explicit Limbo(Pool& pool) : pool_(pool) {}

  // Reads the list anew (at open, after an abort). Throws Error(corrupt) for a damaged list. A slot
  // that names what another one names already is left as it is: neither free nor anybody's.
  void rescan();
  std::vector<Offset> objects() const;   // in no order
  std::vector<Offset> segments() const;  // the blocks of the list itself
  bool contains(Offset object) const { return slot_of_.count(object) != 0; }
  bool empty() const noexcept { return slot_of_.empty(); }
  size_t size() const noexcept { return slot_of_.size(); }
  template <class Visit>
  void for_each(Visit visit) const {
    for (const auto& [object, slot] : slot_of_) visit(object);
  }

  // The offset of a free slot's word, 0 if there is none. It stays free until taken.
  Offset free_slot(size_t nth) const noexcept;
  size_t free_slots() const noexcept { return free_.size(); }
  Offset slot_of(Offset object) const;  // 0 if it is not here
  // Room to be told, without an allocation, of so many slots that are taken, and that are free.
  void make_room(size_t taken, size_t freed);
  // Tell what an operation has committed. REQUIRES: make_room().
  void add_free(Offset slot) noexcept;
  void taken(Offset object, Offset slot) noexcept;
  void released(Offset object) noexcept;

  static constexpr uint64_t kSegmentSlots = 126;  // a block of 1,024 bytes

 private:
  using Slots = std::unordered_map<Offset, Offset>;

  Pool& pool_;
  Slots slot_of_;  // object -> offset of its slot
  std::vector<Offset> free_;
  std::vector<Slots::node_type> spare_;  // for the next that are taken
  Slots nursery_;                        // where they are made; empty
};

}  // namespace nvm::heap
