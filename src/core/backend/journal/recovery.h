// Brings a pool's file up to what its journal says.
//
// Why a cut is harmless: replay stores each line as it was at the end of the last whole commit,
// whatever the file holds of it; done twice, or begun anew after a cut, it leaves the same. What
// lies between lines that are written together is written as it is (group.h).
//
// Memory, however long a record is: the two windows through which the journal is looked at, what is
// stored at a time (Target::kMost), and where each run of that goes: less than 3 MiB in all. A
// record that is longer than its window is read twice: all of it is checked before any of it is
// stored.
#pragma once

#include <cstdint>

#include "backend/journal/disk_file.h"
#include "backend/journal/journal_file.h"
#include "backend/journal/target.h"

namespace nvm::backend::journal {

inline constexpr uint64_t kContentWindow = uint64_t{1} << 20;
inline constexpr uint64_t kTableWindow = uint64_t{4} << 10;  // of the tables of runs

struct Replayed {
  uint64_t records = 0;
  uint64_t bytes = 0;  // of journal read
};

// Stores what all whole records have, in order. [begin, end) is what a journal may change of the
// pool. Throws
//   Error(corrupt)  no journal, or damaged in its header; a record that is whole but names bytes
//                   outside of [begin, end)
//   Error(layout)   of another version
//   Error(locked)   of another pool, or of another state of this pool
//   Error(os)       of the journal, or of the target
// Nothing has been stored if the header is at fault.
Replayed replay(DiskFile& journal, const Identity& identity, uint64_t begin, uint64_t end,
                Target& target);

// Throws Error(locked) if the journal is whole and belongs to another pool than this one, so that
// it must not be removed.
void check_leftover(DiskFile& journal, const Identity& identity);

}  // namespace nvm::backend::journal
