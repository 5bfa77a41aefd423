// The logs of libpmemobj's lanes: what a crash in the middle of a publish leaves to be done.
//
// libpmemobj applies them at open without checking where they point to. Here they are read with
// every offset, size and link checked, on private memory: before libpmemobj sees a file, to find
// out that nothing in it leads astray; and in its stead when a pool is opened for reading.
//
// The order of recovery is libpmemobj's: for each lane its internal log, then its external one, if
// their checksums are right; then, for each lane, the undo log's valid entries. A log is checked at
// the moment when it would be applied, because applying one can change another.
//
// Why applying is harmless: redo logs only name new values, so doing it again gives the same.
#pragma once

#include <cstdint>
#include <string>

namespace nvm::heap {

struct LaneReport {
  uint64_t redo_logs = 0;  // that had to be applied
  uint64_t undo_logs = 0;
  bool extended = false;  // some log has an extension in the heap
};

// Recovers the pool at [base, base + size), which must be private memory. Throws Error(corrupt)
// naming lane and log. REQUIRES: check_pool_header() accepts it.
LaneReport recover_lanes(char* base, uint64_t size, const std::string& file);

}  // namespace nvm::heap
