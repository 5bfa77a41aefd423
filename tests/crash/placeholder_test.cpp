#include <gtest/gtest.h>

#include "heap/library_version.h"

TEST(CrashBuild, HasTheHooksCompiledIn) {
  EXPECT_EQ(NVM_CRASH_HOOKS, 1);
  EXPECT_FALSE(nvm::heap::library_version().empty());
}
