// The allocation classes: which unit sizes the heap's runs have. Part of the format.
//
// libpmemobj keeps blocks of one size in runs: a run is some chunks of 256 KiB, a bitmap and as
// many units as fit. Its own classes all give a block a 16-byte header and start at 128 bytes; ours
// are below. A run is found again after open only if its class (unit, header, chunks) has been
// registered before the heap is first used, so the table belongs to the format's major version and
// never changes within it.
//
// Each unit has two classes. Small runs of one chunk suit small pools (a pool of kMinPoolSize holds
// one of each); long runs suit large ones, because the first allocation after open reads a page of
// every run. No run has more than 65,535 units: libpmemobj counts them with 16 bits when a block is
// freed, and would free another one.
//
//   blobs    no header; unit = size rounded up
//   counted  a 16-byte header inside the unit, which carries the type
//   larger   than the last unit: libpmemobj's own classes, always with the 16-byte header
//
// Units are multiples of 16 bytes only: libpmemobj finds a run's class by unit / 16, and two units
// that agree in it would share runs and overlap.
#pragma once

#include <libpmemobj.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace nvm::heap {

enum class BlockHeader;  // heap/layout/heap_walk.h

inline constexpr size_t kUnitStep = 16;
inline constexpr size_t kBlockHeader = 16;  // of counted blocks and of larger ones
inline constexpr std::array<uint16_t, 20> kBlobUnits{
    16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024};
inline constexpr std::array<uint16_t, 13> kCountedUnits{48,  64,  80,  96,  112, 128, 160,
                                                        192, 256, 320, 448, 704, 1088};
inline constexpr uint32_t kSmallRunChunks = 1;
inline constexpr uint32_t kMostRunChunks = 64;
inline constexpr uint32_t kMostRunUnits = 65535;
// The chunks of a large run: as many as kMostRunUnits units take, at most kMostRunChunks.
constexpr uint32_t large_run_chunks(size_t unit) {
  constexpr size_t bytes_per_chunk_and_unit = 4;  // 256 KiB / 65,536
  return static_cast<uint32_t>(std::min<size_t>(kMostRunChunks, unit / bytes_per_chunk_and_unit));
}
// Heaps from this size on take new runs of large_run_chunks().
inline constexpr uint64_t kLargeRunsFrom = uint64_t{1} << 30;
// The largest block that libpmemobj gives: PMEMOBJ_MAX_ALLOC_SIZE.
inline constexpr uint64_t kMaxBlock = PMEMOBJ_MAX_ALLOC_SIZE;

// True if runs of this unit, header and number of chunks are of an allocation class: one of ours,
// or one that libpmemobj has from the start.
bool is_run_class(uint64_t unit, BlockHeader header, uint32_t chunks) noexcept;

class AllocClasses {
 public:
  // Registers the table with a pool that has just been opened, before anything is allocated in it.
  // Throws Error(internal) if libpmemobj refuses a class.
  void register_all(PMEMobjpool* pool, const std::string& file);

  // libpmemobj's class ids to try for a block of `bytes`, best first. 0 lets libpmemobj choose.
  static constexpr size_t kMaxCandidates = 8;
  struct Candidates {
    std::array<uint8_t, kMaxCandidates> ids;
    size_t count = 0;
    uint32_t* detour = nullptr;
    uint32_t detour_blocks = 0;
    void add(uint8_t id) {
      if (count < kMaxCandidates) ids[count++] = id;
    }
  };
  Candidates candidates(size_t bytes, bool counted, bool large_heap);
  // Tells which of the candidates had room. A class that has none takes libpmemobj a search through
  // the whole heap to say so (0.3 ms at 256 MiB, 5 ms at 4 GiB), so the other class of its unit
  // comes first for as many blocks as a large run holds.
  static void took(const Candidates& candidates, size_t index) noexcept {
    if (candidates.detour != nullptr && index != 0) *candidates.detour = candidates.detour_blocks;
  }

 private:
  struct Pair {  // of the same unit
    uint8_t small;
    uint8_t large;
    uint32_t detour;         // blocks still to be taken from the other class first
    uint32_t detour_blocks;  // that a detour has
  };
  struct Default {  // one of libpmemobj's own
    uint8_t id;
    uint32_t chunks;
    uint64_t unit;
  };
  Candidates larger(size_t bytes) const;
  void find_defaults(PMEMobjpool* pool);
  Pair enroll_pair(PMEMobjpool* pool, const std::string& file, size_t unit, bool counted) const;
  uint8_t enroll(PMEMobjpool* pool, const std::string& file, size_t unit, bool counted,
                 uint32_t chunks) const;

  std::array<Pair, kBlobUnits.size()> blobs_{};
  std::array<Pair, kCountedUnits.size()> counted_{};
  std::vector<Default> defaults_;
};

}  // namespace nvm::heap
