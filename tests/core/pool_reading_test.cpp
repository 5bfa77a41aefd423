// Pool files opened for reading: libpmemobj never sees them, and nothing in them changes.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>

#include "core/file_fixture.h"

namespace nvm::heap::testing {
namespace {

class PoolReadingTest : public FileTest {
 protected:
  void SetUp() override {
    FileTest::SetUp();
    auto file = create();
    block_ = allocate(*file, 5000, {true, Type::list});
    std::memset(file->base() + block_, 'r', 5000);
    *word(*file) = block_;
  }
  struct timespec changed() const {
    struct stat status {};
    EXPECT_EQ(stat(path().c_str(), &status), 0);
    return status.st_mtim;
  }

  Offset block_ = 0;
};

TEST_F(PoolReadingTest, SeesWhatWasWritten) {
  auto file = PoolFile::open(read_options());
  EXPECT_EQ(file->access(), Access::read);
  EXPECT_EQ(*word(*file), block_);
  EXPECT_EQ(file->type_of(block_), Type::list);
  EXPECT_EQ(file->base()[block_ + 4999], 'r');
  EXPECT_FALSE(file->can_grow());
}

TEST_F(PoolReadingTest, ChangesNothingInTheFile) {
  const std::string before = content();
  const timespec time = changed();
  {
    auto file = PoolFile::open(read_options());
    std::memset(file->base() + block_, 'z', 5000);  // as recovery may, on private pages
    *word(*file) = 1;
  }
  EXPECT_TRUE(content() == before);
  EXPECT_EQ(changed().tv_sec, time.tv_sec);
  EXPECT_EQ(changed().tv_nsec, time.tv_nsec);
}

TEST_F(PoolReadingTest, RefusesToChangeBlocks) {
  auto file = PoolFile::open(read_options());
  Action action;
  EXPECT_EQ(caught([&] {
              file->reserve(10, {false, Type::blob}, action);
            }).kind,
            ErrorKind::read_only);
  EXPECT_EQ(caught([&] { file->publish(&action, 1); }).kind, ErrorKind::read_only);
  EXPECT_EQ(caught([&] { file->grow(); }).kind, ErrorKind::read_only);
}

TEST_F(PoolReadingTest, HasManyReadersOrOneWriter) {
  auto one = PoolFile::open(read_options());
  auto two = PoolFile::open(read_options());
  EXPECT_EQ(in_child([&] { return *word(*PoolFile::open(read_options())) == block_ ? 0 : 1; }), 0);
  EXPECT_EQ(caught([&] { open(); }).kind, ErrorKind::locked);
  EXPECT_EQ(in_child([&] { return caught([&] { open(); }).kind == ErrorKind::locked ? 0 : 1; }), 0);
  one.reset();
  EXPECT_EQ(caught([&] { open(); }).kind, ErrorKind::locked);
  two.reset();
  open();
}

TEST_F(PoolReadingTest, NeedsNoPermissionToWrite) {
  ASSERT_EQ(chmod(path().c_str(), 0444), 0);
  ASSERT_EQ(chmod(folder_.c_str(), 0555), 0);
  EXPECT_EQ(in_child([&] {
              if (geteuid() == 0 && seteuid(65534) != 0) return 1;
              return *word(*PoolFile::open(read_options())) == block_ ? 0 : 2;
            }),
            0);
  ASSERT_EQ(chmod(folder_.c_str(), 0755), 0);
}

TEST_F(PoolReadingTest, MissingFileIsNotCreated) {
  EXPECT_EQ(caught([&] { PoolFile::open(read_options("none")); }).error_number, ENOENT);
  EXPECT_FALSE(std::filesystem::exists(path("none")));
}

}  // namespace
}  // namespace nvm::heap::testing
