#include "heap/layout/heap_survey.h"

#include <algorithm>
#include <array>
#include <bit>

#include "heap/file/alloc_classes.h"
#include "pmem/error.h"

namespace nvm::heap {
namespace {

using pmdk::ChunkType;

// libpmemobj's own classes, all with compact header (PMDK 1.12; src/libpmemobj/alloc_class.c makes
// them when a heap is opened). Seen by its control heap.alloc_class.
struct DefaultClass {
  uint32_t unit;
  uint32_t chunks;
};
constexpr DefaultClass kDefaultClasses[] = {
    {128, 1},     {192, 1},     {320, 1},     {448, 1},     {704, 1},     {832, 1},
    {1088, 1},    {1216, 1},    {1472, 2},    {1728, 2},    {1856, 2},    {1984, 2},
    {2368, 2},    {3776, 3},    {4480, 4},    {5376, 4},    {5504, 5},    {6208, 5},
    {6720, 5},    {7488, 6},    {7744, 6},    {9216, 7},    {9664, 8},    {10176, 8},
    {11072, 9},   {12032, 9},   {11968, 10},  {12480, 10},  {14272, 11},  {16704, 13},
    {17472, 14},  {23040, 16},  {24384, 16},  {26048, 16},  {27776, 16},  {29120, 16},
    {31296, 16},  {39936, 16},  {46592, 16},  {51776, 16},  {54464, 16},  {66560, 16},
    {80640, 16},  {107520, 16}, {113344, 16}, {135296, 16}, {149760, 16}, {167744, 16},
    {209664, 16}, {220736, 16}, {246720, 16}, {262080, 16}, {349440, 16}};

template <class Units>
bool has_unit(const Units& units, uint64_t unit) {
  return std::find(units.begin(), units.end(), unit) != units.end();
}

class Survey {
 public:
  Survey(const char* base, uint64_t size, HeapVisitor& visitor)
      : view_(base, size), visitor_(visitor) {}

  void run() {
    for (uint32_t zone = 0; zone < view_.zones(); ++zone) {
      const Offset headers = pmdk::kFirstZone + zone * pmdk::kZoneSize;
      guarded(headers, [&] { survey_zone(zone, view_.chunks_of(zone)); });
    }
  }

 private:
  template <class Step>
  void guarded(Offset at, Step step) {
    try {
      step();
    } catch (const Error& error) {
      visitor_.damage(at, error.what());
    }
  }

  // Behind a damaged link nobody knows where the next one is.
  void survey_zone(uint32_t zone, uint32_t chunks) {
    for (uint32_t index = 0; index < chunks;) {
      const Chunk chunk = view_.chunk_at(zone, index);
      const Offset begin = view_.chunk_offset(zone, index);
      if (chunk.type == ChunkType::used)
        guarded(begin, [&] { visitor_.block(view_.block_of(chunk)); });
      if (chunk.type == ChunkType::run) guarded(begin, [&] { survey_run(chunk); });
      if (const auto wrong = wrong_footer(view_, chunk)) visitor_.footer(begin, *wrong);
      index += chunk.chunks;
    }
  }

  void survey_run(const Chunk& chunk) {
    const Offset begin = view_.chunk_offset(chunk.zone, chunk.index);
    guarded(begin, [&] { view_.check_run_data(chunk); });
    const RunShape run = view_.run_at(chunk);
    if ((chunk.flags & pmdk::kAligned) != 0 || !is_run_class(run.unit, run.header, chunk.chunks))
      visitor_.damage(begin, "a run of " + std::to_string(chunk.chunks) + " chunks with units of " +
                                 std::to_string(run.unit) + " bytes is of no allocation class");
    check_last_bits(begin, run);
    for (uint32_t first = 0; first < run.units; first += pmdk::kBitsPerWord)
      survey_units(chunk, run, first);
  }

  void check_last_bits(Offset begin, const RunShape& run) {
    const auto words = static_cast<uint32_t>((run.first_unit - run.bitmap) / sizeof(uint64_t));
    for (uint32_t word = run.units / pmdk::kBitsPerWord; word < words; ++word) {
      const uint64_t first = word * pmdk::kBitsPerWord;
      const uint64_t units = run.units > first ? run.units - first : 0;
      const uint64_t behind = units == 0 ? ~uint64_t{0} : ~uint64_t{0} << units;
      const uint64_t bits = view_.at<uint64_t>(run.bitmap + word * sizeof(uint64_t));
      if ((bits & behind) != behind)
        return visitor_.damage(begin, "a run whose bitmap has free units behind its last one");
    }
  }

  void survey_units(const Chunk& chunk, const RunShape& run, uint32_t first) {
    for (uint64_t bits = units_in_use(view_, run, first); bits != 0;) {
      const auto bit = static_cast<uint32_t>(std::countr_zero(bits));
      const uint32_t unit = first + bit;
      uint32_t units = 1;
      guarded(run.first_unit + unit * run.unit, [&] {
        const Block block = view_.block_of(chunk, run, unit, units);
        if ((bits >> bit & mask_of(units)) == mask_of(units)) return visitor_.block(block);
        units = 1;
        throw_corrupt("the block at offset " + std::to_string(block.offset) +
                      " reaches into free units");
      });
      bits &= ~(mask_of(units) << bit);
    }
  }

  static uint64_t mask_of(uint32_t units) {
    return units == pmdk::kBitsPerWord ? ~uint64_t{0} : (uint64_t{1} << units) - 1;
  }

  HeapView view_;
  HeapVisitor& visitor_;
};

}  // namespace

bool is_run_class(uint64_t unit, BlockHeader header, uint32_t chunks) noexcept {
  const bool ours = chunks == kSmallRunChunks || chunks == large_run_chunks(unit);
  if (header == BlockHeader::none) return ours && has_unit(kBlobUnits, unit);
  if (header != BlockHeader::compact) return false;
  if (ours && has_unit(kCountedUnits, unit)) return true;
  return std::any_of(
      std::begin(kDefaultClasses), std::end(kDefaultClasses),
      [&](const DefaultClass& known) { return known.unit == unit && known.chunks == chunks; });
}

void survey(const char* base, uint64_t size, HeapVisitor& visitor) {
  Survey(base, size, visitor).run();
}

}  // namespace nvm::heap
