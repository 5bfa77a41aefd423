// Puts right what check() has found and told how to (Mend in check.h), without loss.
//
// How
//   1. footers, indexes, lengths   what is right follows from what lies beside them.
//   2. counts that are too low     raised, before anything is let go.
//   3. limbo                       slots that name nothing, or what another one names, are free.
//   4. counts that are too high    lowered; an object without references goes to limbo.
//   5. leaks                       freed.
//   6. what is on limbo            freed, as after any operation.
// Steps 4 to 6 can free, and are not taken unless the whole graph has been read: what nobody could
// read may refer to anything.
//
// Invariants
//   1. No value that can be read is changed or lost.
//   2. A leaked block is freed by itself, not what a leaked object owned or referred to: check()
//   has
//      followed no such object, so that these are leaks and counts of their own.
//   3. An object that a Python object holds is never freed, but goes to limbo.
//
// Why a cut is harmless: each mend is an operation of its own, and each leaves the pool no less
// sound than it was, in this order. What is left is found by the next check().
#pragma once

#include "collect/check.h"

namespace nvm::collect {

// Says in report.findings what has been done, or why nothing has: nobody can say what was there, it
// would free what may be referred to, the pool is full, or damage keeps libpmemobj from changing
// anything. REQUIRES: the caller surveys
// the pool, which is writable, since before check() gave the report. Throws what `progress` throws,
// between two mends, and Error(os).
void repair(heap::Pool& pool, CheckReport& report, const Progress& progress = {});

}  // namespace nvm::collect
