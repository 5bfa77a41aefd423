#include "heap/layout/heap_survey.h"

#include <algorithm>
#include <array>
#include <bit>

#include "heap/file/alloc_classes.h"
#include "pmem/error.h"

namespace nvm::heap {
namespace {

using pmdk::ChunkType;

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

void survey(const char* base, uint64_t size, HeapVisitor& visitor) {
  Survey(base, size, visitor).run();
}

}  // namespace nvm::heap
