// What a pool's journal means for opening the pool: where it lies, whether it is needed, and how
// the pool's file is brought up to what it says. The journal itself is backend/journal.
//
// Why a cut is harmless
//   The mark in the pool's header is set after the journal is whole and synced, and removed after
//   all that the journal says is in the pool's file and synced. So a pool without the mark needs no
//   journal (one that is there is a leftover), and a pool with it finds one. The header may be torn
//   in between; replaying the journal is right then, too, since it changes nothing or what is
//   meant.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "backend/journal/disk_file.h"
#include "backend/journal/journal.h"

namespace nvm::heap {

// Beside the pool, under the name that the pool's file has itself (not a link to it).
std::string journal_path(const std::string& pool);

// If the pool needs its journal: lays it over the file, durably, and removes it. REQUIRES: the
// pool's lock. Throws Error(os), Error(corrupt) if the journal is missing or damaged, Error(layout)
// and Error(locked) if it belongs to another version, or to another pool or state of this one; the
// pool's file is as it was then.
void recover_from_journal(int pool_fd, const std::string& pool);

// The same for a private mapping of the pool, of `size` bytes; no file changes.
void lay_journal_over(char* base, uint64_t size, const std::string& pool);

// A journal for the pool that is open as `pool_fd`, whose descriptor is not kept; `fresh` if the
// pool has no name yet. `check_whole` is Host's.
std::unique_ptr<backend::Backend> make_journal(int pool_fd, const std::string& pool, bool fresh,
                                               std::function<void()> check_whole);

}  // namespace nvm::heap
