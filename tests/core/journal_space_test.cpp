// Where the journal backend takes blocks from a pool's file, gives them back, and writes new values
// without a record.
#include "backend/journal/space.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "backend/journal/journal.h"
#include "file_fixture.h"
#include "forwarding_file.h"
#include "heap/file/posix_file.h"
#include "pmem/error.h"

namespace nvm::backend::journal {
namespace {

constexpr uint64_t kGranule = Space::kGranule;
using Range = std::pair<uint64_t, uint64_t>;

// What was asked of the pool's file: begin and length, in order.
struct Calls {
  std::vector<Range> allocated, punched, written;
};

class CountingFile final : public ForwardingFile {
 public:
  CountingFile(std::unique_ptr<DiskFile> file, Calls& calls)
      : ForwardingFile(std::move(file)), calls_(calls) {}

  void allocate(uint64_t begin, uint64_t length) override {
    calls_.allocated.emplace_back(begin, length);
    ForwardingFile::allocate(begin, length);
  }
  void punch(uint64_t begin, uint64_t length) override {
    calls_.punched.emplace_back(begin, length);
    ForwardingFile::punch(begin, length);
  }
  void write(const void* data, size_t length, uint64_t offset) override {
    calls_.written.emplace_back(offset, length);
    ForwardingFile::write(data, length, offset);
  }

 private:
  Calls& calls_;
};

class SpaceTest : public heap::testing::FileTest {
 protected:
  static constexpr uint64_t kSize = 16 * kGranule;

  void SetUp() override {
    FileTest::SetUp();
    std::unique_ptr<DiskFile> made = create_disk_file(path(), 0600);
    made->truncate(kSize);
    file_ = std::make_unique<CountingFile>(std::move(made), calls_);
  }

  Calls calls_;
  std::unique_ptr<DiskFile> file_;
};

class SpaceOfAPool : public SpaceTest {
 protected:
  static constexpr uint64_t kOrigin = 3 * kPage;
  static constexpr uint64_t granule(uint64_t number) { return kOrigin + number * kGranule; }

  void SetUp() override {
    SpaceTest::SetUp();
    space_ = std::make_unique<Space>(*file_, kOrigin);
    space_->set_size(kSize);
  }

  std::unique_ptr<Space> space_;
};

TEST_F(SpaceOfAPool, GivesEachGranuleItsBlocksOnce) {
  space_->back(granule(2) + 5);
  space_->back(granule(2) + kGranule - 1);
  space_->back(granule(3));
  EXPECT_EQ(calls_.allocated, (std::vector<Range>{{granule(2), kGranule}, {granule(3), kGranule}}));
}

TEST_F(SpaceOfAPool, GivesTheEndsOfTheFileTheirBlocks) {
  space_->back(0);
  space_->back(kSize - 1);
  EXPECT_EQ(calls_.allocated,
            (std::vector<Range>{{0, kOrigin}, {granule(15), kSize - granule(15)}}));
}

TEST_F(SpaceOfAPool, PunchesAllButTheFirstPage) {
  EXPECT_TRUE(space_->offer(granule(4), granule(7)));
  EXPECT_TRUE(space_->punch(granule(4), granule(7)));
  EXPECT_EQ(calls_.punched, (std::vector<Range>{{granule(4) + kPage, 3 * kGranule - kPage}}));
}

TEST_F(SpaceOfAPool, PunchesOnlyWhatWasOffered) {
  EXPECT_FALSE(space_->punch(granule(4), granule(7)));
  space_->offer(granule(4), granule(6));
  EXPECT_FALSE(space_->punch(granule(4), granule(7)));
  EXPECT_TRUE(calls_.punched.empty());
}

// It may have been allocated and freed again since, and only the first may be durable.
TEST_F(SpaceOfAPool, PunchesNothingThatWasStoredToSinceTheOffer) {
  space_->offer(granule(4), granule(7));
  space_->back(granule(5) + 64);
  EXPECT_FALSE(space_->punch(granule(4), granule(7)));
  EXPECT_TRUE(calls_.punched.empty());
  EXPECT_TRUE(space_->punch(granule(6), granule(7)));
}

TEST_F(SpaceOfAPool, PunchesAHoleOnce) {
  EXPECT_TRUE(space_->offer(granule(4), granule(7)));
  EXPECT_TRUE(space_->punch(granule(4), granule(7)));
  EXPECT_FALSE(space_->offer(granule(4), granule(7)));
  EXPECT_FALSE(space_->punch(granule(4), granule(7)));
  EXPECT_EQ(calls_.punched.size(), 1u);
  space_->back(granule(5));
  EXPECT_TRUE(space_->offer(granule(4), granule(7)));
}

TEST_F(SpaceOfAPool, LeavesBlocksWithoutAWholeGranuleAlone) {
  EXPECT_FALSE(space_->offer(granule(4) + kPage, granule(5)));
  EXPECT_FALSE(space_->punch(granule(4) + kPage, granule(5)));
  EXPECT_TRUE(calls_.punched.empty());
}

TEST_F(SpaceOfAPool, KnowsWhatIsFree) {
  EXPECT_FALSE(space_->is_free(granule(4)));
  space_->offer(granule(4), granule(6));
  EXPECT_TRUE(space_->is_free(granule(4)));
  EXPECT_TRUE(space_->is_free(granule(6) - 1));
  EXPECT_FALSE(space_->is_free(granule(6)));
  space_->back(granule(5));
  EXPECT_FALSE(space_->is_free(granule(5)));
  space_->punch(granule(4), granule(5));
  EXPECT_TRUE(space_->is_free(granule(4)));
}

// What a commit has occupied is its own: another that is undone leaves it free.
TEST_F(SpaceOfAPool, IsOccupiedUntilACommitIsMadeOrUndone) {
  space_->offer(granule(4), granule(8));
  space_->occupy(granule(4) + kPage, granule(6) + kPage);
  EXPECT_EQ(calls_.allocated.size(), 3u);
  EXPECT_TRUE(space_->is_free(granule(4)));
  EXPECT_FALSE(space_->punch(granule(4), granule(7)));
  space_->vacate(granule(5), granule(6) + kPage);
  space_->settle();
  EXPECT_FALSE(space_->is_free(granule(4)));
  EXPECT_TRUE(space_->is_free(granule(5)));
  EXPECT_FALSE(space_->is_free(granule(6)));
  EXPECT_TRUE(space_->punch(granule(5), granule(6)));
}

TEST_F(SpaceOfAPool, ThatIsOccupiedAndStoredToIsBackedOnce) {
  space_->offer(granule(4), granule(5));
  space_->occupy(granule(4), granule(5));
  space_->back(granule(4));
  EXPECT_EQ(calls_.allocated.size(), 1u);
  EXPECT_FALSE(space_->is_free(granule(4)));
}

// ---- New blocks

class NewBlocks : public SpaceTest {
 protected:
  void SetUp() override {
    SpaceTest::SetUp();
    wanted_ = std::exchange(wanted_half_bytes, kLeastHalfBytes);
    Host host;
    host.journal_path = path("pool.journal");
    host.mark = [](bool) {};
    host.check_whole = [] {};
    host.free_blocks = [this](const char*, uint64_t, const Host::Visit& visit) {
      for (const auto& [begin, end] : free_) visit(begin, end);
    };
    journal_ = std::make_unique<Journal>(std::move(file_), std::move(host));
    const heap::Fd pool(::open(path().c_str(), O_RDWR | O_CLOEXEC));
    void* const mapped = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE, pool.get(), 0);
    ASSERT_NE(mapped, MAP_FAILED);
    memory_ = static_cast<char*>(mapped);
  }
  void TearDown() override {
    journal_.reset();
    ::munmap(memory_, kSize);
    wanted_half_bytes = wanted_;
    SpaceTest::TearDown();
  }

  void open() { journal_->attached(memory_, kSize); }
  void commit() { journal_->wait(journal_->cut(), Promise::durable, Back::at_once); }
  // Stores a new block and commits it; true if its pages went to the pool's file.
  bool stores_directly(uint64_t begin, uint64_t length) {
    calls_.written.clear();
    char* const block = memory_ + begin;
    journal_->fresh(block, length);
    std::memset(block, 'n', length);
    journal_->flush(block, length);
    journal_->reserve(1);
    commit();
    return !calls_.written.empty();
  }

  // Lets the journal fill a new block; false if it does not.
  bool fills(uint64_t begin, uint64_t length) {
    calls_.written.clear();
    journal_->fresh(memory_ + begin, length);
    return fills_more(begin, length);
  }
  bool fills_more(uint64_t begin, uint64_t length) {
    const std::string content(length, 'f');
    if (!journal_->fill(memory_ + begin, content.data(), length)) return false;
    EXPECT_EQ(std::memcmp(memory_ + begin, content.data(), length), 0);
    return true;
  }
  void expect_held(char byte, uint64_t begin, uint64_t length) {
    EXPECT_EQ(std::string(memory_ + begin, length), std::string(length, byte));
  }

  char* memory_ = nullptr;  // the pool, mapped privately
  std::set<Range> free_;
  std::unique_ptr<Journal> journal_;
  uint64_t wanted_ = 0;
};

TEST_F(NewBlocks, GoToThePoolWhereChunksWereFree) {
  free_ = {{4 * kGranule, 8 * kGranule}};
  open();
  EXPECT_TRUE(stores_directly(4 * kGranule, 2 * kGranule));
  EXPECT_EQ(calls_.written, (std::vector<Range>{{4 * kGranule, 2 * kGranule}}));
}

// A run that has become free chunks since is still one in the last durable commit.
TEST_F(NewBlocks, AreRecordedWhereNoneWere) {
  free_ = {{6 * kGranule, 8 * kGranule}};
  open();
  EXPECT_FALSE(stores_directly(4 * kGranule, kGranule));
  free_ = {{4 * kGranule, 8 * kGranule}};
  EXPECT_FALSE(stores_directly(5 * kGranule, kGranule));
  EXPECT_TRUE(stores_directly(6 * kGranule, kGranule));
}

// Replaying that record would lay what was there over the block.
TEST_F(NewBlocks, AreRecordedWhereARecordLives) {
  free_ = {{4 * kGranule, 8 * kGranule}};
  open();
  journal_->flush(memory_ + 5 * kGranule, 8);
  commit();
  EXPECT_FALSE(stores_directly(5 * kGranule, kPage));
}

TEST_F(NewBlocks, AreRecordedWhileACommitIsNotDurable) {
  free_ = {{4 * kGranule, 8 * kGranule}};
  open();
  journal_->flush(memory_, 8);
  journal_->wait(journal_->cut(), Promise::written, Back::at_once);
  EXPECT_FALSE(stores_directly(5 * kGranule, kGranule));
  EXPECT_TRUE(stores_directly(6 * kGranule, kGranule));
}

// Very large ones are in the pool's file at once, and again what is stored to them later.
TEST_F(NewBlocks, AreFilledWhereChunksWereFree) {
  free_ = {{4 * kGranule, 8 * kGranule}};
  open();
  std::memset(memory_ + 5 * kGranule, 'o', kPage);  // as a block was that never came to be
  EXPECT_TRUE(fills(4 * kGranule, 2 * kGranule));
  EXPECT_EQ(calls_.written, (std::vector<Range>{{4 * kGranule, 2 * kGranule}}));
  std::memset(memory_ + 4 * kGranule, 'n', kPage);
  journal_->flush(memory_ + 4 * kGranule, kPage);
  journal_->reserve(1);
  commit();
  EXPECT_EQ(calls_.written.back(), (Range{4 * kGranule, kPage}));
  expect_held('n', 4 * kGranule, kPage);
  expect_held('f', 4 * kGranule + kPage, kPage);
}

TEST_F(NewBlocks, AreFilledInParts) {
  free_ = {{4 * kGranule, 8 * kGranule}};
  open();
  EXPECT_TRUE(fills(4 * kGranule, kGranule + kGranule / 2));
  journal_->fresh(memory_ + 4 * kGranule, 3 * kGranule);
  EXPECT_TRUE(fills_more(5 * kGranule + kGranule / 2, kGranule));
}

// The whole of a block that never came to be may be filled again.
TEST_F(NewBlocks, AreFilledWhereOneWasForgotten) {
  free_ = {{4 * kGranule, 8 * kGranule}};
  open();
  EXPECT_TRUE(fills(4 * kGranule, 2 * kGranule));
  journal_->forget({{memory_ + 4 * kGranule, 2 * kGranule}});
  EXPECT_TRUE(fills(4 * kGranule, 2 * kGranule));
  journal_->flush(memory_, 8);
  journal_->reserve(1);
  commit();
  journal_->forget({{memory_ + 4 * kGranule, 2 * kGranule}});
  EXPECT_FALSE(fills(4 * kGranule, 2 * kGranule));
}

// Pages that are locked in memory would hide what is in the file.
TEST_F(NewBlocks, AreNotFilledWhereMemoryIsLocked) {
  free_ = {{4 * kGranule, 8 * kGranule}};
  open();
  // Not mlock(): the address sanitizer's does nothing.
  if (::syscall(SYS_mlock, memory_ + 4 * kGranule, kPage) != 0)
    GTEST_SKIP() << "no memory may be locked";
  EXPECT_FALSE(fills(4 * kGranule, kGranule));
  EXPECT_TRUE(calls_.written.empty());
}

TEST_F(NewBlocks, MayComeFromMemoryThatIsNotThere) {
  free_ = {{4 * kGranule, 8 * kGranule}};
  open();
  void* const absent = ::mmap(nullptr, kGranule, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(absent, MAP_FAILED);
  journal_->fresh(memory_ + 4 * kGranule, kGranule);
  try {
    journal_->fill(memory_ + 4 * kGranule, absent, kGranule);
    ADD_FAILURE() << "it was filled";
  } catch (const Error& error) {
    EXPECT_EQ(error.error_number(), EFAULT);
  }
  ::munmap(absent, kGranule);
  EXPECT_TRUE(fills(5 * kGranule, kGranule));
}

TEST_F(NewBlocks, AreNotFilledWhereNoneWere) {
  free_ = {{6 * kGranule, 8 * kGranule}};
  open();
  EXPECT_FALSE(fills(5 * kGranule, 2 * kGranule));
  EXPECT_TRUE(calls_.written.empty());
}

TEST_F(NewBlocks, AreNotFilledWhereARecordLives) {
  free_ = {{4 * kGranule, 8 * kGranule}};
  open();
  journal_->flush(memory_ + 5 * kGranule + kPage, 8);
  commit();
  journal_->attached(memory_, kSize);  // offers all that is free again
  EXPECT_FALSE(fills(4 * kGranule, 2 * kGranule));
  EXPECT_TRUE(fills(6 * kGranule, kGranule));
}

TEST_F(NewBlocks, AreNotFilledWhileACommitIsNotDurable) {
  free_ = {{4 * kGranule, 8 * kGranule}};
  open();
  journal_->flush(memory_, 8);
  const Ticket ticket = journal_->cut();
  EXPECT_FALSE(fills(4 * kGranule, kGranule));
  journal_->wait(ticket, Promise::durable, Back::at_once);
  EXPECT_TRUE(fills(4 * kGranule, kGranule));
}

TEST_F(NewBlocks, AreFilledOnlyIfTheyAreNew) {
  free_ = {{4 * kGranule, 8 * kGranule}};
  open();
  const std::string content(kGranule, 'f');
  EXPECT_FALSE(journal_->fill(memory_ + 4 * kGranule, content.data(), kGranule));
}

}  // namespace
}  // namespace nvm::backend::journal
