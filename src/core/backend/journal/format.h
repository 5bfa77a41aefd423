// What a journal looks like on the medium. docs/format.md tells the same for readers.
//
//   0        two copies of the header, 4 KiB each, written in turn; the valid one with the larger
//            serial number counts
//   8 KiB    two halves of `half_bytes` each; the records of generation g lie in half g % 2, one
//            after the other from its beginning
//   beyond   bodies of records that are too large for a half
//
// A record is one commit: the cache lines that it changed, as they were at its end.
//   RecordHeader, then its body: `runs` words (first line << 16 | number of lines), and then the
//   lines of all runs. A header with kAway has an AwayBody instead, which tells where the body is.
//
// Invariants
//   1. A record counts only if its checksum, its generation and its sequence number are right, and
//      all records before it count.
//   2. Sequence numbers go on from one generation to the next without a gap.
//   3. Records older than (first_generation, first_sequence) are in the pool's file, durably.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/backend.h"

namespace nvm::backend::journal {

inline constexpr char kMagic[8] = {'N', 'V', 'M', 'J', 'R', 'N', 'L', '\0'};
inline constexpr uint32_t kVersion = 1;
inline constexpr uint64_t kHeaderBytes = 4096;
inline constexpr uint64_t kHalvesOffset = 2 * kHeaderBytes;
inline constexpr uint64_t kLine = 64;
inline constexpr uint64_t kPage = 4096;
inline constexpr uint64_t kMostRunLines = 0xFFFF;

struct Header {
  char magic[8];
  uint32_t version;
  uint32_t unused;
  uint8_t pool_uuid[16];
  uint64_t run_id;  // of the pool when the journal was made
  uint64_t serial;
  uint64_t half_bytes;
  uint64_t first_generation;
  uint64_t first_sequence;
  uint64_t checksum;  // XXH3 of what is before it
};
static_assert(sizeof(Header) == 80);

inline constexpr uint32_t kAway = 1;

struct RecordHeader {
  uint64_t checksum;  // XXH3 of the header behind it, and of the body
  uint64_t bytes;     // of the body
  uint64_t sequence;
  uint64_t generation;
  uint32_t runs;
  uint32_t flags;
};
static_assert(sizeof(RecordHeader) == 40);

struct AwayBody {
  uint64_t offset;  // in the journal
  uint64_t bytes;
  uint64_t checksum;  // XXH3 of the body there
};
static_assert(sizeof(AwayBody) == 24);

inline constexpr uint64_t run_word(uint64_t line, uint64_t lines) { return line << 16 | lines; }
inline constexpr uint64_t run_line(uint64_t word) { return word >> 16; }
inline constexpr uint64_t run_lines(uint64_t word) { return word & kMostRunLines; }

}  // namespace nvm::backend::journal
