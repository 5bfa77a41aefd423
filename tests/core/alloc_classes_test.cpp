// The table of allocation classes, seen through the blocks that come from it.
#include "heap/file/alloc_classes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "core/file_fixture.h"

namespace nvm::heap::testing {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

class AllocClassesTest : public FileTest {
 protected:
  static uint64_t runs(const PoolFile& file) { return heap_totals(file.base(), file.size()).runs; }
  static Chunk chunk_of(const PoolFile& file, Offset block) {
    const std::optional<Block> found = block_at(file.base(), file.size(), block);
    return HeapView(file.base(), file.size()).chunk_at(found->zone, found->chunk);
  }
  std::unique_ptr<PoolFile> create_of_size(uint64_t size) {
    // On a disk, where blocks that are never touched take no memory.
    std::filesystem::remove_all(folder_);
    make_folder("/tmp");
    OpenOptions large = options();
    large.limit = large.initial_size = size;
    large.backend = backend::Kind::memory;
    auto file = PoolFile::open(large);
    file->finish_creation();
    return file;
  }
};

TEST_F(AllocClassesTest, UnitsAreMultiplesOfTheStepInAscendingOrder) {
  for (const uint16_t unit : kBlobUnits) EXPECT_EQ(unit % kUnitStep, 0);
  for (const uint16_t unit : kCountedUnits) EXPECT_EQ(unit % kUnitStep, 0);
  EXPECT_TRUE(std::is_sorted(kBlobUnits.begin(), kBlobUnits.end()));
  EXPECT_TRUE(std::is_sorted(kCountedUnits.begin(), kCountedUnits.end()));
}

TEST_F(AllocClassesTest, BlobsTakeTheSmallestUnitThatHoldsThem) {
  auto file = create();
  for (size_t bytes = 1; bytes <= kBlobUnits.back(); ++bytes) {
    const Offset block = allocate(*file, bytes);
    ASSERT_NE(block, 0u);
    EXPECT_EQ(file->usable_size(block),
              *std::lower_bound(kBlobUnits.begin(), kBlobUnits.end(), bytes));
    EXPECT_EQ(block % 16, 0u);
    release(*file, block);
  }
}

TEST_F(AllocClassesTest, CountedBlocksTakeTheSmallestUnitThatHoldsThemAndTheirHeader) {
  auto file = create();
  for (size_t bytes = 1; bytes <= kCountedUnits.back() - kBlockHeader; ++bytes) {
    const Offset block = allocate(*file, bytes, {true, Type::list});
    ASSERT_NE(block, 0u);
    EXPECT_EQ(file->usable_size(block),
              *std::lower_bound(kCountedUnits.begin(), kCountedUnits.end(), bytes + kBlockHeader) -
                  kBlockHeader);
    release(*file, block);
  }
}

TEST_F(AllocClassesTest, LargerBlocksWasteLittle) {
  auto file = create();
  for (const size_t bytes : {1025u, 1200u, 2000u, 4096u, 10'000u, 65'536u, 262'144u, 1'000'000u}) {
    const Offset block = allocate(*file, bytes);
    ASSERT_NE(block, 0u) << bytes;
    EXPECT_LE(file->usable_size(block), bytes + bytes / 4) << bytes;
  }
}

TEST_F(AllocClassesTest, SmallestPoolHasRoomForARunOfEveryUnit) {
  OpenOptions small = options();
  small.limit = kMinPoolSize;
  auto file = PoolFile::open(small);
  file->finish_creation();
  for (const uint16_t unit : kBlobUnits) EXPECT_NE(allocate(*file, unit), 0u) << unit;
  for (const uint16_t unit : kCountedUnits)
    EXPECT_NE(allocate(*file, unit - kBlockHeader, {true, Type::list}), 0u) << unit;
}

TEST_F(AllocClassesTest, BlocksOfAllUnitsDoNotOverlap) {
  auto file = create();
  std::vector<Offset> blocks;
  for (int round = 0; round < 20; ++round) {
    for (const uint16_t unit : kBlobUnits) blocks.push_back(allocate(*file, unit));
    for (const uint16_t unit : kCountedUnits)
      blocks.push_back(allocate(*file, unit - kBlockHeader, {true, Type::list}));
  }
  for (size_t i = 0; i < blocks.size(); ++i)
    std::memset(file->base() + blocks[i], static_cast<int>(i % 256), file->usable_size(blocks[i]));
  for (size_t i = 0; i < blocks.size(); ++i) {
    const uint64_t size = file->usable_size(blocks[i]);
    EXPECT_EQ(static_cast<unsigned char>(file->base()[blocks[i]]), i % 256);
    EXPECT_EQ(static_cast<unsigned char>(file->base()[blocks[i] + size - 1]), i % 256);
  }
}

TEST_F(AllocClassesTest, RunsAreFoundAgainAfterReopening) {
  auto file = create();
  const auto allocate_each = [&] {
    for (const uint16_t unit : kBlobUnits) allocate(*file, unit);
    for (const uint16_t unit : kCountedUnits)
      allocate(*file, unit - kBlockHeader, {true, Type::list});
    for (const size_t bytes : {2000u, 10'000u, 50'000u}) allocate(*file, bytes);
  };
  allocate_each();
  const uint64_t before = runs(*file);
  for (int round = 0; round < 3; ++round) {
    file.reset();
    file = open();
    allocate_each();
    EXPECT_EQ(runs(*file), before);
  }
}

TEST_F(AllocClassesTest, LargeHeapsTakeLargeRuns) {
  auto file = create_of_size(kLargeRunsFrom);
  EXPECT_EQ(chunk_of(*file, allocate(*file, 32)).chunks, large_run_chunks(32));
  EXPECT_EQ(chunk_of(*file, allocate(*file, 32, {true, Type::list})).chunks, large_run_chunks(48));
  file.reset();
  file = open();
  EXPECT_EQ(chunk_of(*file, allocate(*file, 32)).chunks, large_run_chunks(32));
  EXPECT_EQ(runs(*file), 3u);  // the root's, and one of each kind
}

// libpmemobj marks the last 64 units of a run as used if their number is a multiple of 64.
TEST_F(AllocClassesTest, NewRunsOfAllClassesAreEmpty) {
  for (const uint64_t size : {kMinPoolSize, kLargeRunsFrom}) {
    auto file = create_of_size(size);
    for (const uint16_t unit : kBlobUnits) EXPECT_NE(allocate(*file, unit), 0u);
    for (const uint16_t unit : kCountedUnits)
      EXPECT_NE(allocate(*file, unit - kBlockHeader, {true, Type::list}), 0u);
    EXPECT_EQ(heap_totals(file->base(), file->size()).blocks,
              1 + kBlobUnits.size() + kCountedUnits.size());
  }
}

// The allocator begins at the end of a run, where the numbers of the units are largest.
TEST_F(AllocClassesTest, BlocksOfLargeRunsAreFreedThemselves) {
  auto file = create_of_size(kLargeRunsFrom);
  const auto check_freed = [&](size_t bytes, BlockKind kind) {
    std::vector<Offset> blocks;
    for (int i = 0; i < 200; ++i) blocks.push_back(allocate(*file, bytes, kind));
    const std::vector<Offset> kept(blocks.begin() + 100, blocks.end());
    for (int i = 0; i < 100; ++i) release(*file, blocks[i]);
    for (int i = 0; i < 100; ++i) EXPECT_FALSE(file->is_allocated(blocks[i])) << bytes;
    for (const Offset block : kept) EXPECT_TRUE(file->is_allocated(block)) << bytes;
    for (const Offset block : kept) release(*file, block);
  };
  for (const uint16_t unit : kBlobUnits) check_freed(unit, {false, Type::blob});
  for (const uint16_t unit : kCountedUnits) check_freed(unit - kBlockHeader, {true, Type::list});
  EXPECT_EQ(heap_totals(file->base(), file->size()).blocks, 1u);  // the root
}

TEST_F(AllocClassesTest, SmallHeapsTakeSmallRuns) {
  auto file = create();
  EXPECT_EQ(chunk_of(*file, allocate(*file, 32)).chunks, kSmallRunChunks);
}

TEST_F(AllocClassesTest, OtherRunSizeIsTakenWhereTheFirstHasNoRoom) {
  auto file = create_of_size(kLargeRunsFrom);
  while (allocate(*file, 16 * kMiB - kBlockHeader) != 0) continue;
  std::set<uint64_t> sizes;
  for (int i = 0; i < 100; ++i) {
    const Offset block = allocate(*file, 640);
    ASSERT_NE(block, 0u);
    sizes.insert(chunk_of(*file, block).chunks);
  }
  EXPECT_EQ(sizes, std::set<uint64_t>{kSmallRunChunks});
}

TEST_F(AllocClassesTest, FullHeapStillFindsRoomForLargerBlocksInShorterRuns) {
  auto file = create();
  // Leaves single free chunks only: the best class for 2,000 bytes has runs of two.
  std::vector<Offset> chunks;
  while (const Offset block = allocate(*file, pmdk::kChunkSize - kBlockHeader))
    chunks.push_back(block);
  for (size_t i = 0; i < chunks.size(); i += 2) release(*file, chunks[i]);
  const Offset block = allocate(*file, 2000);
  ASSERT_NE(block, 0u);
  EXPECT_EQ(chunk_of(*file, block).chunks, 1u);
}

}  // namespace
}  // namespace nvm::heap::testing
