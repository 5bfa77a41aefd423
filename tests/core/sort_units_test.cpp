#include "backend/journal/sort_units.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

namespace nvm::backend::testing {
namespace {

std::vector<uint64_t> random_units(size_t count, uint64_t mask, uint64_t common) {
  std::mt19937_64 random(count);
  std::vector<uint64_t> units(count);
  for (uint64_t& unit : units) unit = (random() & mask) | common;
  return units;
}

TEST(SortUnits, AscendsForEveryCountAndRange) {
  for (const size_t count : {0, 1, 2, 63, 64, 65, 255, 256, 257, 5'000}) {
    for (const uint64_t mask : {uint64_t{0}, uint64_t{0xFF}, uint64_t{0xFF00FF}, ~uint64_t{0}}) {
      for (const uint64_t common : {uint64_t{0}, uint64_t{0xAB} << 40}) {
        std::vector<uint64_t> units = random_units(count, mask, common);
        std::vector<uint64_t> expected = units;
        std::sort(expected.begin(), expected.end());
        sort_units(units);
        EXPECT_EQ(units, expected) << count << " of " << mask;
      }
    }
  }
}

}  // namespace
}  // namespace nvm::backend::testing
