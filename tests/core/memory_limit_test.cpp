// The memory that control groups allow.
#include "backend/memory_limit.h"

#include <gtest/gtest.h>

#include "file_fixture.h"

namespace nvm::backend {
namespace {

class GroupLimit : public heap::testing::FileTest {
 protected:
  void write(const std::string& name, const std::string& content) const {
    const std::filesystem::path file = path(name);
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << content;
  }
  uint64_t of(const std::string& groups) const { return group_limit(groups, folder_); }
};

TEST_F(GroupLimit, IsNoneWithoutGroups) {
  EXPECT_EQ(of(""), UINT64_MAX);
  EXPECT_EQ(of("0::/user\n"), UINT64_MAX);
  EXPECT_EQ(of("no such line\n::\n"), UINT64_MAX);
}

TEST_F(GroupLimit, OfVersionTwoIsTheLeastOnThePath) {
  write("a/memory.max", "300000\n");
  write("a/b/memory.max", "max\n");
  write("a/b/c/memory.max", "400000\n");
  EXPECT_EQ(of("0::/a/b/c\n"), 300'000u);
  write("memory.max", "200000\n");
  EXPECT_EQ(of("0::/a/b\n"), 200'000u);
}

TEST_F(GroupLimit, OfVersionOneIsInItsOwnHierarchy) {
  write("memory/a/memory.limit_in_bytes", "9223372036854771712\n");
  write("memory/a/b/memory.limit_in_bytes", "100663296\n");
  EXPECT_EQ(of("5:cpu,cpuacct:/\n4:memory:/a/b\n0::/\n"), 100'663'296u);
  EXPECT_EQ(of("4:hugetlb,memory:/a\n"), 9'223'372'036'854'771'712u);
  EXPECT_EQ(of("4:memorystick:/a/b\n"), UINT64_MAX);
}

TEST(MemoryLimit, IsSomeOfTheMachines) {
  EXPECT_GT(memory_limit(), uint64_t{1} << 20);
  EXPECT_LT(memory_limit(), UINT64_MAX);
}

}  // namespace
}  // namespace nvm::backend
