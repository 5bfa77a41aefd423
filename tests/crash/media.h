// The media that a power cut can leave of a recorded run, each given to the real code to open.
//
// The model (x86-64, persistent memory behind the processor's caches)
//   1. Stores to one cache line reach the medium in program order: a cut leaves a prefix of them.
//      A store to an aligned word of 8 bytes is never torn; larger ones are split, ascending.
//   2. Lines are independent. Any line may reach the medium at any time, flushed or not.
//   3. When a thread has fenced, the lines that it flushed before hold at least what they held at
//      their flush.
//   4. The file's size changes at once and in its place in the order.
//
// What is possible only grows from one fence to the next. So the power is cut before each fence, at
// the end, and at the marks, where what a judge expects changes: before an operation begins if
// there were stores since the last cut, and after it has returned.
//
// At each cut all combinations of prefixes are tried if they are few. Else: none and all of the
// unfenced stores; each line alone short or ahead of the others; all combinations of the lines that
// were stored to since the last fence, if these are few; and a seeded random choice. A state is
// judged once for the same bytes and the same history.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "crash/recording.h"

namespace nvm::crash {

// One cache line at a cut, in the state that is being judged.
struct LineChoice {
  uint64_t offset = 0;
  uint64_t unfenced = 0;  // stores that are not surely on the medium
  uint64_t kept = 0;      // those of them that are in this state
};

struct Cut {
  uint64_t number = 0;                   // of the cut
  uint64_t event = 0;                    // the power fails before recording.events[event]
  std::span<const uint64_t> returned;    // operations, in the order of their return
  std::span<const uint64_t> unfinished;  // operations begun, in order, that had not returned
  std::span<const LineChoice> lines;

  std::string describe() const;
};

// Opens the file at `path` and says whether it is as it must be; false ends the enumeration. It may
// change the file. Failures are reported by the judge itself (EXPECT_..., with cut.describe()).
using Judge = std::function<bool(const std::string& path, const Cut& cut)>;

struct Effort {
  uint64_t exhaustive = 256;  // states of a cut up to which all are tried
  uint64_t samples = 64;      // random ones beyond
  uint64_t singles = 256;     // states of one line short or ahead, at most
  uint64_t seed = 1;
  uint64_t first_cut = 0;  // cuts are numbered from 0; to try one again
  uint64_t last_cut = UINT64_MAX;

  // By NVM_CRASH_EFFORT: "slice" (the default: a few states of every cut), "wide" (an Effort as it
  // stands above) or "full".
  static Effort from_environment();
};

struct Summary {
  uint64_t cuts = 0;
  uint64_t exhaustive_cuts = 0;
  uint64_t states = 0;      // judged
  uint64_t duplicates = 0;  // not judged again
  bool stopped = false;     // by the judge
};

// With NVM_CRASH_TRACE=1 in the environment each state is described on stderr before it is judged,
// to find one that ends the process.
Summary judge_media(const Recording& recording, const Judge& judge, const Effort& effort = {});

}  // namespace nvm::crash
