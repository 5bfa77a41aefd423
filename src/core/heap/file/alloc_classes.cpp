#include "heap/file/alloc_classes.h"

#include <algorithm>
#include <iterator>
#include <limits>

#include "heap/file/posix_file.h"
#include "heap/layout/heap_walk.h"
#include "heap/layout/pmdk_layout.h"

namespace nvm::heap {
namespace {

// libpmemobj takes up to this many units of a run for one block when it chooses by itself.
constexpr uint64_t kMaxUnitsOfBlock = 8;
// A block that needs more than this cannot be put in our classes even by libpmemobj's own choice.
constexpr size_t kOwnChoiceFrom = kMaxUnitsOfBlock * kCountedUnits.back();
constexpr unsigned kClassIds = 255;

// For each number of 16-byte steps, the index of the smallest unit that holds them.
template <size_t N>
constexpr auto index_by_steps(const std::array<uint16_t, N>& units) {
  constexpr size_t step_count = 1024 / kUnitStep + 8;
  std::array<uint8_t, step_count> index{};
  for (size_t steps = 0; steps < step_count; ++steps) {
    size_t unit = 0;
    while (unit < N && units[unit] < steps * kUnitStep) ++unit;
    index[steps] = static_cast<uint8_t>(unit);
  }
  return index;
}
constexpr auto kBlobIndex = index_by_steps(kBlobUnits);
constexpr auto kCountedIndex = index_by_steps(kCountedUnits);
static_assert(kBlobIndex.size() * kUnitStep > kBlobUnits.back());
static_assert(kCountedIndex.size() * kUnitStep > kCountedUnits.back());

constexpr uint64_t steps_for(uint64_t bytes) { return (bytes + kUnitStep - 1) / kUnitStep; }
constexpr uint64_t units_for(uint64_t bytes, uint64_t unit) { return (bytes + unit - 1) / unit; }

// Units of a run as libpmemobj wants them told: it derives the chunks from them.
constexpr unsigned units_of_run(size_t unit, uint32_t chunks) {
  return static_cast<unsigned>((chunks * pmdk::kChunkSize - sizeof(pmdk::RunHeader)) / unit);
}
template <size_t N>
constexpr bool units_can_be_counted(const std::array<uint16_t, N>& units) {
  return std::all_of(units.begin(), units.end(), [](uint16_t unit) {
    return units_of_run(unit, large_run_chunks(unit)) <= kMostRunUnits;
  });
}
static_assert(units_can_be_counted(kBlobUnits) && units_can_be_counted(kCountedUnits));

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

std::string query(unsigned id) { return "heap.alloc_class." + std::to_string(id) + ".desc"; }

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

void AllocClasses::find_defaults(PMEMobjpool* pool) {
  defaults_.clear();
  for (unsigned id = 1; id < kClassIds; ++id) {
    pobj_alloc_class_desc desc{};
    if (pmemobj_ctl_get(pool, query(id).c_str(), &desc) != 0) continue;
    if (desc.header_type != POBJ_HEADER_COMPACT || desc.unit_size == 0) continue;
    const uint64_t bytes = uint64_t{desc.units_per_block} * desc.unit_size;
    defaults_.push_back({static_cast<uint8_t>(id),
                         static_cast<uint32_t>(units_for(bytes, pmdk::kChunkSize)),
                         desc.unit_size});
  }
}

uint8_t AllocClasses::enroll(PMEMobjpool* pool, const std::string& file, size_t unit, bool counted,
                             uint32_t chunks) const {
  if (counted) {
    for (const Default& known : defaults_) {
      if (known.unit == unit && known.chunks == chunks) return known.id;
    }
  }
  pobj_alloc_class_desc desc{};
  desc.unit_size = unit;
  desc.units_per_block = units_of_run(unit, chunks);
  desc.header_type = counted ? POBJ_HEADER_COMPACT : POBJ_HEADER_NONE;
  if (pmemobj_ctl_set(pool, "heap.alloc_class.new.desc", &desc) != 0) {
    throw_error(ErrorKind::internal, file,
                std::string("libpmemobj refuses an allocation class: ") + pmemobj_errormsg());
  }
  return static_cast<uint8_t>(desc.class_id);
}

void AllocClasses::register_all(PMEMobjpool* pool, const std::string& file) {
  find_defaults(pool);
  for (size_t i = 0; i < kBlobUnits.size(); ++i)
    blobs_[i] = enroll_pair(pool, file, kBlobUnits[i], false);
  for (size_t i = 0; i < kCountedUnits.size(); ++i)
    counted_[i] = enroll_pair(pool, file, kCountedUnits[i], true);
}

AllocClasses::Pair AllocClasses::enroll_pair(PMEMobjpool* pool, const std::string& file,
                                             size_t unit, bool counted) const {
  // When libpmemobj chooses by itself (an extension of a log), it looks at the last class first.
  const uint32_t chunks = large_run_chunks(unit);
  const uint8_t large = enroll(pool, file, unit, counted, chunks);
  const uint8_t small = enroll(pool, file, unit, counted, kSmallRunChunks);
  return {small, large, 0, units_of_run(unit, chunks)};
}

AllocClasses::Candidates AllocClasses::candidates(size_t bytes, bool counted, bool large_heap) {
  Pair* pair = nullptr;
  const uint64_t steps = steps_for(counted ? bytes + kBlockHeader : bytes);
  if (!counted && bytes <= kBlobUnits.back()) {
    pair = &blobs_[kBlobIndex[steps]];
  } else if (counted && bytes + kBlockHeader <= kCountedUnits.back()) {
    pair = &counted_[kCountedIndex[steps]];
  } else {
    return larger(bytes);
  }
  Candidates result;
  if (pair->detour != 0) {
    --pair->detour;
    large_heap = !large_heap;
  } else {
    result.detour = &pair->detour;
    result.detour_blocks = pair->detour_blocks;
  }
  result.add(large_heap ? pair->large : pair->small);
  result.add(large_heap ? pair->small : pair->large);
  return result;
}

// The default class that wastes least, then those whose runs need fewer chunks: a full heap often
// has room for them when it has none for the best.
AllocClasses::Candidates AllocClasses::larger(size_t bytes) const {
  const uint64_t need = bytes + kBlockHeader;
  Candidates result;
  uint32_t chunks = std::numeric_limits<uint32_t>::max();
  if (need > kOwnChoiceFrom) result.add(0);
  while (result.count < kMaxCandidates && chunks > 1) {
    const Default* best = nullptr;
    uint64_t least = std::numeric_limits<uint64_t>::max();
    for (const Default& known : defaults_) {
      const uint64_t units = units_for(need, known.unit);
      if (units > kMaxUnitsOfBlock || known.chunks >= chunks) continue;
      const uint64_t waste = units * known.unit - need;
      if (waste < least) {
        least = waste;
        best = &known;
      }
    }
    if (best == nullptr) break;
    result.add(best->id);
    chunks = best->chunks;
  }
  return result;
}

}  // namespace nvm::heap
