// Brings a pool's file up to what its journal says.
//
// Why a cut is harmless: replay stores each line as it was at the end of the last whole commit,
// whatever the file holds of it; done twice, or begun anew after a cut, it leaves the same.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "backend/journal/disk_file.h"
#include "backend/journal/journal_file.h"

namespace nvm::backend::journal {

struct Replayed {
  uint64_t records = 0;
  uint64_t bytes = 0;  // of journal read
};

// Calls `store` for each run of bytes of all whole records, in order. [begin, end) is what a
// journal may change of the pool. Throws
//   Error(corrupt)  no journal, or damaged in its header; a record that is whole but names bytes
//                   outside of [begin, end)
//   Error(layout)   of another version
//   Error(locked)   of another pool, or of another state of this pool
// Nothing has been stored if the header is at fault.
using Store = std::function<void(uint64_t offset, const char* bytes, uint64_t length)>;
Replayed replay(DiskFile& journal, const Identity& identity, uint64_t begin, uint64_t end,
                const Store& store);

// Throws Error(locked) if the journal is whole and belongs to another pool than this one, so that
// it must not be removed.
void check_leftover(DiskFile& journal, const Identity& identity);

}  // namespace nvm::backend::journal
