// Pool files that grow, and what the death of the process leaves of growth and of creation.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <chrono>
#include <cstring>
#include <thread>

#include "core/file_fixture.h"
#include "heap/file/steps.h"
#include "heap/layout/pool_header.h"

namespace nvm::heap::testing {
namespace {

using PoolGrowthTest = FileTest;

constexpr uint64_t kMiB = uint64_t{1} << 20;

TEST_F(PoolGrowthTest, DoublesUpToTheLimit) {
  OpenOptions odd = options();
  odd.limit = 40 * kMiB;
  auto file = PoolFile::open(odd);
  file->finish_creation();
  EXPECT_EQ(file->size(), 16 * kMiB);
  file->grow();
  EXPECT_EQ(file->size(), 32 * kMiB);
  file->grow();
  EXPECT_EQ(file->size(), 40 * kMiB);
  EXPECT_FALSE(file->can_grow());
  EXPECT_EQ(caught([&] { file->grow(); }).kind, ErrorKind::full);
  EXPECT_EQ(std::filesystem::file_size(path()), 40 * kMiB);
}

TEST_F(PoolGrowthTest, ContentStaysAndTheNewRoomIsUsed) {
  auto file = create();
  std::vector<Offset> blocks;
  for (int round = 0; round < 3; ++round) {
    while (const Offset block = allocate(*file, 50'000)) {
      std::memset(file->base() + block, static_cast<int>(blocks.size() % 251), 50'000);
      blocks.push_back(block);
    }
    if (file->can_grow()) file->grow();
  }
  EXPECT_GT(blocks.size() * 50'000, 55 * kMiB);
  file.reset();
  file = open();
  for (size_t i = 0; i < blocks.size(); ++i) {
    ASSERT_TRUE(file->is_allocated(blocks[i]));
    EXPECT_EQ(static_cast<unsigned char>(file->base()[blocks[i] + 49'999]), i % 251);
  }
}

TEST_F(PoolGrowthTest, SmallRunsAreFoundAgainAfterGrowth) {
  auto file = create();
  const Offset first = allocate(*file, 32);
  file->grow();
  const Offset second = allocate(*file, 32);
  EXPECT_EQ(blocks_of(*file)[1].chunk, blocks_of(*file)[2].chunk);
  EXPECT_NE(first, second);
}

TEST_F(PoolGrowthTest, LimitOfAnExistingPoolIsRaisedByOpening) {
  create();
  OpenOptions larger = options();
  larger.limit = 48 * kMiB;
  auto file = PoolFile::open(larger);
  EXPECT_EQ(file->limit(), 48 * kMiB);
  file.reset();
  larger.limit = kMinPoolSize;
  EXPECT_EQ(PoolFile::open(larger)->limit(), kMinPoolSize);
}

TEST_F(PoolGrowthTest, FileLongerThanItsHeapIsRaised) {
  create();
  std::filesystem::resize_file(path(), 20 * kMiB + 100);
  auto file = open();
  EXPECT_EQ(file->size(), 20 * kMiB);
  EXPECT_EQ(heap_end(file->base()), 20 * kMiB);
  EXPECT_NE(allocate(*file, 12 * kMiB), 0u);
}

TEST_F(PoolGrowthTest, ReadersOfAFileLongerThanItsHeapSeeItAsItIs) {
  create();
  std::filesystem::resize_file(path(), 20 * kMiB);
  auto file = PoolFile::open(read_options());
  EXPECT_EQ(blocks_of(*file).size(), 1u);
}

TEST_F(PoolGrowthTest, MovedFileGrowsWhereItIs) {
  auto file = create();
  std::filesystem::rename(path(), path("moved"));
  file->grow();
  EXPECT_EQ(std::filesystem::file_size(path("moved")), 32 * kMiB);
}

// ---- The process dies

int code_of(Step step) { return 10 + static_cast<int>(step); }
Step wanted_step{};
void end_at_step(Step step) {
  if (step == wanted_step) _exit(code_of(step));
}

TEST_F(PoolGrowthTest, DeathInCreationLeavesNoPoolOrAWholeOne) {
  for (Step step = Step::temporary_made; step <= Step::published;
       step = static_cast<Step>(static_cast<int>(step) + 1)) {
    std::filesystem::remove(path());
    EXPECT_EQ(in_child([&] {
                wanted_step = step;
                step_hook = end_at_step;
                PoolFile::open(options())->finish_creation();
                return 0;
              }),
              code_of(step));
    EXPECT_EQ(std::filesystem::exists(path()), step == Step::published);
    EXPECT_EQ(temporaries(), step == Step::published ? 0u : 1u);
    auto file = PoolFile::open(options());
    EXPECT_EQ(file->created(), step != Step::published);
    file->finish_creation();
    EXPECT_EQ(temporaries(), 0u);  // the next creation tidies up
  }
}

TEST_F(PoolGrowthTest, CreationUnderWayIsNotTakenForStale) {
  auto slow = PoolFile::open(options("slow"));
  create("quick");
  EXPECT_EQ(temporaries(), 1u);
  slow->finish_creation();
  EXPECT_TRUE(std::filesystem::exists(path("slow")));
}

TEST_F(PoolGrowthTest, DeathInGrowthLeavesAWholePool) {
  for (Step step = Step::file_extended; step <= Step::grown;
       step = static_cast<Step>(static_cast<int>(step) + 1)) {
    std::filesystem::remove(path());
    auto file = create();
    const Offset block = allocate(*file, 1000);
    std::memset(file->base() + block, 'x', 1000);
    file.reset();
    EXPECT_EQ(in_child([&] {
                auto growing = open();
                wanted_step = step;
                step_hook = end_at_step;
                growing->grow();
                return 0;
              }),
              code_of(step));
    EXPECT_NO_THROW(PoolFile::open(read_options()));
    file = open();
    EXPECT_EQ(file->size(), 32 * kMiB);
    EXPECT_TRUE(file->is_allocated(block));
    EXPECT_EQ(file->base()[block + 999], 'x');
    EXPECT_NE(allocate(*file, 20 * kMiB), 0u);
  }
}

// ---- Another program slips in while libpmemobj has the file closed

int intruder = -1;
void let_intruder_in(Step step) {
  if (step == Step::closed_for_growth) flock(intruder, LOCK_EX | LOCK_NB);
}

TEST_F(PoolGrowthTest, GrowthWaitsForAProgramThatSlippedIn) {
  auto file = create();
  const Fd fd(::open(path().c_str(), O_RDWR | O_CLOEXEC));
  intruder = fd.get();
  step_hook = let_intruder_in;
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    flock(fd.get(), LOCK_UN);
  });
  file->grow();
  step_hook = nullptr;
  later.join();
  EXPECT_EQ(file->size(), 32 * kMiB);
  EXPECT_NE(allocate(*file, 20 * kMiB), 0u);
}

TEST_F(PoolGrowthTest, PoolThatCannotBeOpenedAgainCanStillBeRead) {
  auto file = create();
  *word(*file) = 7;
  {
    const Fd fd(::open(path().c_str(), O_RDWR | O_CLOEXEC));
    intruder = fd.get();
    step_hook = let_intruder_in;
    EXPECT_EQ(caught([&] { file->grow(); }).kind, ErrorKind::locked);
    step_hook = nullptr;
  }
  EXPECT_TRUE(file->broken());
  EXPECT_EQ(*word(*file), 7u);
  Action action;
  EXPECT_EQ(caught([&] {
              file->reserve(10, {false, Type::blob}, action);
            }).kind,
            ErrorKind::read_only);
  file.reset();
  EXPECT_EQ(open()->size(), 32 * kMiB);
}

// ---- A file system without room

constexpr int kCannotMount = 77;

// Mounts a small tmpfs in a name space of this process's own.
bool mount_small(const std::string& folder, const char* size, const char* type = "tmpfs") {
  const int flags = geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER;
  if (unshare(flags) != 0) return false;
  if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
  return mount("nvm-test", folder.c_str(), type, 0, size) == 0;
}

TEST_F(PoolGrowthTest, NoRoomToGrowIsAnErrorAndThePoolGoesOn) {
  const int code = in_child([&] {
    if (!mount_small(folder_, "size=100m")) return kCannotMount;
    OpenOptions large = options();
    large.limit = 90 * kMiB;
    auto file = PoolFile::open(large);
    file->finish_creation();
    const Fd other(::open(path("other").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (heap::allocate(other.get(), 76 * kMiB) != 0) return 1;
    while (allocate(*file, 1000) != 0) continue;
    const Caught error = caught([&] { file->grow(); });
    if (error.kind != ErrorKind::os || error.error_number != ENOSPC) return 2;
    if (file->size() != 16 * kMiB || file->broken()) return 3;
    if (std::filesystem::file_size(path()) != 16 * kMiB) return 4;
    release(*file, blocks_of(*file).back().offset);
    if (allocate(*file, 1000) == 0) return 5;
    // With a little more room it grows by what there is.
    if (ftruncate(other.get(), 30 * static_cast<off_t>(kMiB)) != 0) return 6;
    file->grow();
    file->grow();
    return file->size() > 48 * kMiB && allocate(*file, 10 * kMiB) != 0 ? 0 : 7;
  });
  if (code == kCannotMount) GTEST_SKIP() << "cannot mount a file system here";
  EXPECT_EQ(code, 0);
}

TEST_F(PoolGrowthTest, FileSystemsWithoutLimitAreBoundByMemory) {
  for (const char* type : {"ramfs", "tmpfs"}) {
    const int code = in_child([&] {
      if (!mount_small(folder_, type[0] == 't' ? "size=0" : nullptr, type)) return kCannotMount;
      OpenOptions unlimited = options();
      unlimited.limit.reset();
      auto file = PoolFile::open(unlimited);
      file->finish_creation();
      file->grow();
      return allocate(*file, 20 * kMiB) != 0 ? 0 : 1;
    });
    if (code == kCannotMount) GTEST_SKIP() << "cannot mount a file system here";
    EXPECT_EQ(code, 0);
  }
}

TEST_F(PoolGrowthTest, NoRoomToCreateLeavesNothing) {
  const int code = in_child([&] {
    if (!mount_small(folder_, "size=12m")) return kCannotMount;
    OpenOptions unlimited = options();
    unlimited.limit.reset();
    const Caught error = caught([&] { PoolFile::open(unlimited); });
    if (error.kind != ErrorKind::os || error.error_number != ENOSPC) return 1;
    return std::filesystem::is_empty(folder_) ? 0 : 2;
  });
  if (code == kCannotMount) GTEST_SKIP() << "cannot mount a file system here";
  EXPECT_EQ(code, 0);
}

}  // namespace
}  // namespace nvm::heap::testing
