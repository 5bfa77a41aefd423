// What the machine does with its pool, and the judge on the host once more: commit `number` depends
// on the number and on what the pool holds, so that two pools after the same commits are equal.
//
// pool.root is a list of four:
//   records  a list of texts
//   index    a dict with the same texts, by their places in the list
//   count    the number of the last transaction
//   notes    a list that operations outside of transactions change
// A transaction changes the first three together, so that half of one shows.
#pragma once

#include <cstdint>

#include "heap/pool.h"

namespace nvm::power {

// For a control: the changes of a transaction are made one by one, so that a cut leaves half of
// one.
inline bool without_transactions = false;

// Makes the commit with that number; the first one, 1, makes the root.
void commit(heap::Pool& pool, uint64_t number);
// The same changes as a transaction that is aborted. REQUIRES: commit 1 has been made.
void abort_one(heap::Pool& pool, uint64_t number);

}  // namespace nvm::power
