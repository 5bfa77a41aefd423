// The journal's file: its header, where the next record goes, and how records are made. Layout and
// invariants are in format.h; when what is written and synced is journal.h's business.
//
// Why a cut is harmless
//   create  the pool's header names no journal before the journal is whole and synced.
//   append  a record counts only if all of it is there, and only after all before it (checksums).
//   retire  the header that drops a generation is written when the pool's file holds what it had;
//           one of the two copies is always whole.
//
// Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backend/journal/disk_file.h"
#include "backend/journal/format.h"

namespace nvm::backend::journal {

// Which pool a journal belongs to.
struct Identity {
  std::array<uint8_t, 16> uuid{};
  uint64_t run_id = 0;

  bool operator==(const Identity&) const = default;
};

// Bytes for a place in the journal, not written yet.
struct Write {
  uint64_t offset;
  std::vector<char> bytes;
};

// Of each half, where the disk has room for that; tests make it smaller.
inline uint64_t wanted_half_bytes = uint64_t{16} << 20;
inline constexpr uint64_t kLeastHalfBytes = uint64_t{256} << 10;
// At the end of a half, for the records whose bodies are elsewhere.
inline constexpr uint64_t kAwayReserve = uint64_t{64} << 10;

class JournalFile {
 public:
  // Makes it beside the pool, durably, with the first records' room written. Throws Error(os).
  JournalFile(const std::string& path, const Identity& identity, unsigned mode);

  DiskFile& disk() noexcept { return *disk_; }
  uint64_t half_bytes() const noexcept { return header_.half_bytes; }
  uint64_t generation() const noexcept { return generation_; }
  uint64_t next_sequence() const noexcept { return sequence_; }
  uint64_t used() const noexcept { return head_; }  // bytes of the present half
  // The present half has room for headers only, and for half and a quarter of those that are kept.
  bool is_short() const noexcept { return head_ > header_.half_bytes - kAwayReserve / 2; }
  bool is_exhausted() const noexcept { return head_ > header_.half_bytes - kAwayReserve / 4; }
  bool has_away() const noexcept { return !away_[generation_ & 1].empty(); }

  // Makes sure that a record of so many body bytes finds room. Throws Error(os): the disk is full.
  void reserve(uint64_t body_bytes);
  // The next record, of lines in ascending order whose bytes are at base + line * kLine; adds to
  // `writes` what has to be written. Returns its sequence number. Throws Error(os) only if no room
  // was reserved for it; nothing has changed if it throws.
  uint64_t append(const std::vector<uint64_t>& lines, const char* base, std::vector<Write>& writes);

  // The following records are of the next generation. REQUIRES: the one before the present one is
  // retired.
  void begin_generation();
  // Drops all generations before the present one, and syncs; records may be appended and written
  // meanwhile. REQUIRES: what they hold is in the pool's file, durably.
  void retire();
  // Room beyond the halves is given back as soon as no record uses it. REQUIRES: they are retired.
  void give_back();

 private:
  uint64_t half_begin(uint64_t generation) const noexcept {
    return kHalvesOffset + (generation & 1) * header_.half_bytes;
  }
  uint64_t away_begin() const noexcept { return kHalvesOffset + 2 * header_.half_bytes; }
  bool fits(uint64_t bytes) const noexcept;
  char* place_for(uint64_t bytes, std::vector<Write>& writes);
  void allocate();
  void write_header();

  std::unique_ptr<DiskFile> disk_;
  Header header_{};
  uint64_t generation_ = 1;
  uint64_t sequence_ = 1;
  uint64_t first_sequence_ = 1;  // of the present generation
  uint64_t head_ = 0;
  // So far each half was written to, and syncs change no metadata (on ext4 130 us instead of 280):
  // zeros go ahead of the records.
  std::array<uint64_t, 2> zeroed_{};
  struct Extent {
    uint64_t begin;
    uint64_t end;
  };
  uint64_t free_away(uint64_t length) const;

  std::array<std::vector<Extent>, 2> away_;  // bodies beyond the halves, of each half's generation
  Extent reserved_{};                        // room for the next one
};

}  // namespace nvm::backend::journal
