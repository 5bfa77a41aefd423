// What the fuzzer of the core has kept (`make fuzz-core`), run once: inputs that reach what others
// do not, and, under the name of what they found, those that were wrong.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "fuzz/native/scratch.h"
#include "fuzz/native/targets.h"

namespace nvm::fuzz {
namespace {

class FuzzCorpus : public ::testing::TestWithParam<Target> {};

std::vector<std::filesystem::path> inputs_of(const Target& target) {
  std::vector<std::filesystem::path> found;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(NVM_FUZZ_CORPUS) / target.name))
    found.push_back(entry.path());
  return found;
}

TEST_P(FuzzCorpus, DamageNeitherHarmsNorDeceives) {
  const std::vector<std::filesystem::path> inputs = inputs_of(GetParam());
  EXPECT_FALSE(inputs.empty());
  for (const std::filesystem::path& input : inputs) {
    SCOPED_TRACE(input.string());
    const std::string content = read_file(input);
    EXPECT_NO_THROW(
        GetParam().run({reinterpret_cast<const uint8_t*>(content.data()), content.size()}));
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, FuzzCorpus, ::testing::ValuesIn(kTargets),
                         [](const auto& test) { return std::string(test.param.name); });

// Nothing but an input that changes nothing tells whether the base pools themselves are right.
TEST(FuzzTargets, FindUndamagedPoolsSound) {
  for (uint8_t pool = 0; pool < base_pools().size(); ++pool) {
    for (const uint8_t flags : {uint8_t{0}, kForWriting}) {
      const std::vector<uint8_t> input = {pool, flags};
      for (const Target& target : kTargets) EXPECT_NO_THROW(target.run(input)) << target.name;
    }
  }
}

}  // namespace
}  // namespace nvm::fuzz
