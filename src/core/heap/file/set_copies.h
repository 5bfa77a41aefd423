// The replicas of an open pool set: made equal to the master, and found in memory.
//
// What libpmemobj copies to the replicas and what ours does (backend/replicated.h) arrives there a
// moment before or after it is in the master. So after a program has ended without closing the pool
// its copies may differ. The header of each replica tells (closed_cleanly()); then all that differs
// is copied from the master before libpmemobj sees the set: that reads the whole pool, once.
//
// Why a cut is harmless: until libpmemobj closes the pool the headers say that it was not closed,
// so a copy cut short is made again. It is from a master that validate.h has looked through.
#pragma once

#include <vector>

#include "backend/backend.h"
#include "heap/file/set_files.h"

namespace nvm::heap {

// True if a replica may differ from the master.
bool copies_may_differ(const SetFiles& files);
// REQUIRES: the set is open for writing, and nothing has it mapped that stores to it.
void make_copies_equal(const SetFiles& files, backend::Backend& medium, const std::string& file);
// Where libpmemobj has mapped each replica but the master. A forked child has them no longer, and
// so does not keep their locks. Throws Error(os).
std::vector<char*> find_copies(const SetFiles& files, const std::string& file);

}  // namespace nvm::heap
