#include "heap/file/library_version.h"

#include <gtest/gtest.h>

TEST(LibraryVersion, LoadedLibraryIsNoOlderThanTheHeader) {
  EXPECT_FALSE(nvm::heap::library_version().empty());
}
