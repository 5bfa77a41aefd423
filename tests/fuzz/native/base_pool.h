// The pools that are damaged: something of every type in each, closed, or as the death of their
// program left them. Made once in a process, and equal in each: what an input names by number is
// the same block in all runs of one version.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "heap/format.h"
#include "heap/layout/heap_walk.h"

namespace nvm::fuzz {

using heap::Offset;

struct BasePool {
  std::string pool;                 // the file's bytes
  std::string journal;              // empty: there is none
  std::vector<heap::Block> blocks;  // allocated ones, the journal laid over
  std::vector<heap::Block> headed;  // of these, those with a header and a type
  std::vector<Offset> runs;         // where runs begin
  Offset root = 0;                  // the root object
  Offset undo_segment = 0;          // the undo log's first
  std::vector<uint64_t> pages;      // offsets of the pages that are not all zeros
  std::vector<Offset> records;      // where the journal's records begin
};

// Closed; in use; in a transaction; in use with a journal.
const std::vector<BasePool>& base_pools();

}  // namespace nvm::fuzz
