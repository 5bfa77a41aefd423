// Which units (cache lines, pages) of a pool have been stored to: each is listed once.
//
// Two levels of bits: a table of regions, and for each region that was ever touched a block of 4
// KiB. A flat bitmap of the lines of 1 TiB would be 2 GiB.
//
// Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace nvm::backend {

class UnitSet {
 public:
  explicit UnitSet(unsigned shift) : shift_(shift) {}

  // Adds the units that [offset, offset + length) touches.
  void mark(uint64_t offset, uint64_t length) {
    if (length == 0) return;
    const uint64_t last = (offset + length - 1) >> shift_;
    for (uint64_t unit = offset >> shift_; unit <= last; ++unit) mark_unit(unit);
  }

  void mark_unit(uint64_t unit) {
    const uint64_t index = unit / kRegionUnits;
    if (index >= regions_.size()) regions_.resize(index + 1);
    if (!regions_[index]) regions_[index] = std::make_unique<Region>();
    uint64_t& word = (*regions_[index])[unit % kRegionUnits / kBits];
    const uint64_t bit = uint64_t{1} << (unit % kBits);
    if ((word & bit) != 0) return;
    units_.push_back(unit);
    word |= bit;
  }

  bool contains(uint64_t unit) const noexcept {
    const uint64_t index = unit / kRegionUnits;
    if (index >= regions_.size() || !regions_[index]) return false;
    return ((*regions_[index])[unit % kRegionUnits / kBits] >> (unit % kBits) & 1) != 0;
  }

  // Takes out the units of which that is true.
  template <class Predicate>
  void remove_if(Predicate predicate) {
    std::erase_if(units_, [&](uint64_t unit) {
      if (!predicate(unit)) return false;
      (*regions_[unit / kRegionUnits])[unit % kRegionUnits / kBits] &=
          ~(uint64_t{1} << (unit % kBits));
      return true;
    });
  }

  // In the order in which they were added.
  const std::vector<uint64_t>& units() const noexcept { return units_; }
  bool empty() const noexcept { return units_.empty(); }

  // Empties the set and returns what was in it.
  std::vector<uint64_t> take() {
    for (const uint64_t unit : units_) {
      (*regions_[unit / kRegionUnits])[unit % kRegionUnits / kBits] = 0;
    }
    return std::exchange(units_, {});
  }
  // Empties the set and keeps its memory.
  void clear() {
    for (const uint64_t unit : units_) {
      (*regions_[unit / kRegionUnits])[unit % kRegionUnits / kBits] = 0;
    }
    units_.clear();
  }

 private:
  static constexpr uint64_t kBits = 64;
  static constexpr uint64_t kRegionUnits = uint64_t{32} << 10;
  using Region = std::array<uint64_t, kRegionUnits / kBits>;

  unsigned shift_;
  std::vector<std::unique_ptr<Region>> regions_;
  std::vector<uint64_t> units_;
};

}  // namespace nvm::backend
