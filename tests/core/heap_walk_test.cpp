// What is read from the heap's bytes, against a model of what was allocated.
#include "heap/layout/heap_walk.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <map>
#include <random>

#include "core/file_fixture.h"

namespace nvm::heap::testing {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

class HeapWalkTest : public FileTest {
 protected:
  struct Known {
    size_t bytes;
    BlockKind kind;
  };

  // Many blocks of all sizes come and go.
  void churn(PoolFile& file, size_t rounds) {
    for (size_t i = 0; i < rounds; ++i) {
      if (!known_.empty() && random_() % 3 == 0) {
        auto victim = known_.lower_bound(random_() % file.size());
        if (victim == known_.end()) victim = known_.begin();
        release(file, victim->first);
        known_.erase(victim);
        continue;
      }
      const size_t bytes = 1 + random_() % (size_t{1} << (1 + random_() % 21));
      const bool counted = random_() % 2 == 0;
      const BlockKind kind{counted, counted ? Type::dict : Type::blob};
      if (const Offset block = allocate(file, bytes, kind)) known_[block] = {bytes, kind};
    }
  }

  void expect_as_known(const PoolFile& file) {
    std::vector<Block> found = blocks_of(file);
    std::erase_if(found, [](const Block& block) { return block.internal; });
    ASSERT_EQ(found.size(), known_.size());
    Offset end = 0;
    auto expected = known_.begin();
    for (const Block& block : found) {
      ASSERT_EQ(block.offset, expected->first);
      EXPECT_GE(block.usable, expected->second.bytes);
      EXPECT_GE(block.offset, end);  // none overlap
      end = block.offset + block.usable;
      const bool headed = expected->second.kind.counted || expected->second.bytes > 1024;
      EXPECT_EQ(block.header, headed ? BlockHeader::compact : BlockHeader::none);
      EXPECT_EQ(block.type, headed ? static_cast<uint64_t>(expected->second.kind.type) : 0);
      const std::optional<Block> same = block_at(file.base(), file.size(), block.offset);
      ASSERT_TRUE(same.has_value());
      EXPECT_EQ(same->usable, block.usable);
      EXPECT_EQ(same->chunk, block.chunk);
      EXPECT_EQ(block.usable, file.usable_size(block.offset));
      ++expected;
    }
  }

  std::mt19937_64 random_{20260101};
  std::map<Offset, Known> known_;
};

TEST_F(HeapWalkTest, FindsTheRootInANewPool) {
  auto file = create();
  const std::vector<Block> blocks = blocks_of(*file);
  ASSERT_EQ(blocks.size(), 1u);
  EXPECT_TRUE(blocks[0].internal);
  EXPECT_EQ(blocks[0].usable, kRootAllocation);
  EXPECT_GE(file->root(), blocks[0].offset);
}

TEST_F(HeapWalkTest, FindsExactlyWhatIsAllocated) {
  auto file = create();
  for (int round = 0; round < 6; ++round) {
    churn(*file, 800);
    expect_as_known(*file);
    if (round == 2) file->grow();
    if (round == 4) {
      file.reset();
      file = open();
    }
  }
  EXPECT_GT(known_.size(), 100u);
}

TEST_F(HeapWalkTest, OnlyBeginningsOfBlocksAreBlocks) {
  auto file = create();
  churn(*file, 1500);
  for (int i = 0; i < 200'000; ++i) {
    const Offset offset = random_() % (file->size() + 1000);
    if (known_.count(offset) != 0 || offset + 64 > file->root()) continue;
    ASSERT_FALSE(file->is_allocated(offset)) << offset;
  }
  for (const auto& [offset, block] : known_) {
    for (const uint64_t inside : {uint64_t{1}, uint64_t{8}, uint64_t{16}, block.bytes / 2}) {
      if (inside == 0 || inside >= block.bytes) continue;
      ASSERT_FALSE(file->is_allocated(offset + inside)) << offset << " + " << inside;
    }
  }
}

// A freed chunk's header stays behind inside a larger block; it must not be believed.
TEST_F(HeapWalkTest, LeftoversInsideLargeBlocksAreNoBlocks) {
  auto file = create();
  std::vector<Offset> chunks;
  while (const Offset block = allocate(*file, pmdk::kChunkSize - 16)) chunks.push_back(block);
  for (const Offset block : chunks) release(*file, block);
  const Offset large = allocate(*file, 6 * kMiB);
  ASSERT_NE(large, 0u);
  for (const Offset block : chunks) {
    EXPECT_EQ(file->is_allocated(block), block == large);
  }
}

TEST_F(HeapWalkTest, TotalsAddUp) {
  auto file = create();
  churn(*file, 1500);
  file->grow();
  const HeapTotals totals = heap_totals(file->base(), file->size());
  EXPECT_EQ(totals.zones, 1u);
  EXPECT_EQ(totals.free_bytes + totals.used_bytes + totals.run_bytes, totals.bytes);
  EXPECT_LT(totals.bytes, file->size());
  EXPECT_GT(totals.bytes, file->size() - 4 * kMiB - 16 * pmdk::kPage);
  EXPECT_LE(totals.run_used_bytes, totals.run_bytes);
  EXPECT_LE(totals.largest_free, totals.free_bytes);
  EXPECT_NE(allocate(*file, totals.largest_free - kBlockHeader), 0u);
  const HeapTotals after = heap_totals(file->base(), file->size());
  EXPECT_EQ(after.used_bytes, totals.used_bytes + totals.largest_free);
  EXPECT_EQ(after.free_bytes + after.used_bytes + after.run_bytes, after.bytes);
}

TEST_F(HeapWalkTest, GrownPartOfAnOldZoneIsFree) {
  auto file = create();
  const HeapTotals before = heap_totals(file->base(), file->size());
  file->grow();
  const HeapTotals after = heap_totals(file->base(), file->size());
  EXPECT_EQ(after.free_bytes - before.free_bytes, 16 * kMiB);
}

// Bytes of a pool with nothing mapped behind it.
class Damaged {
 public:
  explicit Damaged(const PoolFile& file) : size_(file.size()) {
    base_ = static_cast<char*>(mmap(nullptr, size_ + pmdk::kPage, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    std::memcpy(base_, file.base(), size_);
    mprotect(base_ + size_, pmdk::kPage, PROT_NONE);
  }
  ~Damaged() { munmap(base_, size_ + pmdk::kPage); }
  Damaged(const Damaged&) = delete;
  Damaged& operator=(const Damaged&) = delete;
  char* base() const { return base_; }
  uint64_t size() const { return size_; }

 private:
  char* base_;
  uint64_t size_;
};

// What a walk through damaged bytes comes to: it ends, by itself or with an error that names the
// place, and every block it gives lies in the pool.
void walk_through(const Damaged& bytes) {
  HeapWalk walk(bytes.base(), bytes.size());
  Block block;
  try {
    while (walk.next(block)) {
      ASSERT_LE(block.offset, bytes.size());
      ASSERT_LE(block.usable, bytes.size() - block.offset);
    }
    heap_totals(bytes.base(), bytes.size());
    check_zones(bytes.base(), bytes.size());
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::corrupt);
    expect_in("zone ", error.what());
    expect_in("chunk ", error.what());
  }
}

TEST_F(HeapWalkTest, DamagedBytesNeverLeadAstray) {
  auto file = create();
  churn(*file, 1000);
  const std::vector<Block> blocks = blocks_of(*file);
  std::vector<Offset> places;  // headers of the zone, chunks, runs and blocks
  for (uint64_t i = 0; i < 64 + 64 * 8; ++i) places.push_back(pmdk::kFirstZone + i);
  for (const Block& block : blocks) {
    const Offset chunk = pmdk::kFirstZone + pmdk::kZoneMetadata + block.chunk * pmdk::kChunkSize;
    for (uint64_t i = 0; i < 64; ++i) places.push_back(chunk + i);
    for (uint64_t i = 1; i <= 16; ++i) places.push_back(block.offset - i);
  }
  Damaged bytes(*file);
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::pair<Offset, char>> undo;
    for (uint64_t i = 0; i <= random_() % 4; ++i) {
      const Offset place = places[random_() % places.size()];
      undo.emplace_back(place, bytes.base()[place]);
      bytes.base()[place] = static_cast<char>(random_() % 4 == 0 ? -1 : random_());
    }
    if (round % 10 == 0) walk_through(bytes);
    for (int i = 0; i < 10; ++i) {
      const Offset offset = blocks[random_() % blocks.size()].offset;
      if (const auto block = block_at(bytes.base(), bytes.size(), offset)) {
        ASSERT_LE(block->usable, bytes.size() - block->offset);
      }
      block_at(bytes.base(), bytes.size(), random_());
      block_at(bytes.base(), bytes.size(), random_() % bytes.size());
    }
    for (auto step = undo.rbegin(); step != undo.rend(); ++step)
      bytes.base()[step->first] = step->second;
  }
}

TEST_F(HeapWalkTest, DamagedChunkIsNamed) {
  auto file = create();
  Damaged bytes(*file);
  const Offset second = pmdk::kFirstZone + sizeof(pmdk::ZoneHeader) + sizeof(pmdk::ChunkHeader);
  bytes.base()[second] = 77;
  const Caught error = caught([&] { check_zones(bytes.base(), bytes.size()); });
  EXPECT_EQ(error.kind, ErrorKind::corrupt);
  expect_in("zone 0, chunk 1", error.message);
}

}  // namespace
}  // namespace nvm::heap::testing
