// How the functions of list.h reach a list's cells: its header and body, checked and settled.
#pragma once

#include <cstdint>
#include <span>

#include "heap/operation.h"
#include "object/list/list.h"

namespace nvm::object::list {

// The list, settled: after a cut, a blank last cell is dropped at first touch. What that stores is
// the same for all who do it at once, so a shared latch is enough.
Header* settled(Pool& pool, Offset list);

struct Contents {
  Header* header;
  uint64_t size;
  uint64_t capacity;
  Offset body;      // 0: none yet
  uint64_t* cells;  // nullptr if there is no body

  std::span<const uint64_t> part(uint64_t begin, uint64_t end) const {
    return {cells + begin, end - begin};
  }
};

// As it lies there.
Contents contents(Pool& pool, Offset list);
// As the operation has left it so far.
Contents contents(Operation& op, Offset list);

// How many cells there are before those at the end that are blank: damage, if there are any.
uint64_t filled(const Contents& list);
// Lowers the size to that.
void drop_blank_end(Operation& op, Offset list);

[[noreturn]] void throw_bad_index();

// Replaces [begin, end) by cells whose owner the list becomes; those that go must have been
// released, or have another owner now.
void replace_range(Operation& op, const Contents& list, uint64_t begin, uint64_t end,
                   std::span<const uint64_t> cells);
// The list with a body that has room for so many cells.
Contents with_room(Operation& op, const Contents& list, uint64_t size);
// Stores to the spare room beyond list.size, which the caller raises.
void fill_spare(Operation& op, const Contents& list, std::span<const uint64_t> cells);
// Gives all cells below list.size new contents, in place.
void rewrite(Operation& op, const Contents& list, std::span<const uint64_t> cells);
// Writes the header of a list that nobody can see yet.
void write_fresh(Operation& op, Offset list, uint64_t size, Offset body);

}  // namespace nvm::object::list
