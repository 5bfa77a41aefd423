#include "heap/file/set_files.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "backend/replicated.h"
#include "core/file_fixture.h"
#include "heap/layout/part_header.h"

namespace nvm::heap {
namespace {

using testing::Caught;
using testing::caught;
using testing::expect_in;
using testing::in_child;
using testing::WaitingChild;

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kValue = 0x1122334455667788;

class PoolSetPool : public testing::FileTest {
 protected:
  void SetUp() override {
    FileTest::SetUp();
    put("PMEMPOOLSET\n16M " + path("a") + "\n8M " + path("b") + "\nREPLICA\n32M " + path("copy") +
            "\n",
        "mirrored");
    put("PMEMPOOLSET\n16M " + path("a") + "\n8M " + path("b") + "\n", "set");
  }
  OpenOptions options(const std::string& name = "set") const {
    OpenOptions result;
    result.path = path(name);
    return result;
  }
  std::unique_ptr<PoolFile> create(const std::string& name = "set") const {
    std::unique_ptr<PoolFile> file = PoolFile::open(options(name));
    EXPECT_TRUE(file->created());
    file->finish_creation();
    return file;
  }
  std::unique_ptr<PoolFile> open(const std::string& name = "set") const {
    OpenOptions existing = options(name);
    existing.if_missing = IfMissing::fail;
    return PoolFile::open(existing);
  }
  std::unique_ptr<PoolFile> open_to_read(const std::string& name = "set") const {
    OpenOptions existing = options(name);
    existing.access = Access::read;
    return PoolFile::open(existing);
  }
  static void store(const PoolFile& file, uint64_t* where, uint64_t value) {
    *where = value;
    file.backend().flush(where, sizeof value);
    file.backend().drain();
  }
  // The bytes of the master that differ from the copy's, behind the header and what libpmemobj
  // keeps beside it while the pool is open.
  size_t differing_bytes() const {
    const std::string a = content("a");
    const std::string master = a + content("b").substr(pmdk::kPage);
    const std::string copy = content("copy");
    size_t count = 0;
    for (size_t i = pmdk::kLanesOffset; i < master.size(); ++i)
      count += master[i] != copy[i] ? 1 : 0;
    return count;
  }
};

TEST_F(PoolSetPool, LiesInAllOfItsParts) {
  Offset block = 0;
  {
    const auto file = create();
    EXPECT_EQ(file->size(), 24 * kMiB - pmdk::kPage);
    EXPECT_FALSE(file->can_grow());
    block = allocate(*file, 14 * kMiB);
    ASSERT_NE(block, 0U);
    std::fill_n(file->base() + block, 14 * kMiB, 'x');
    file->backend().flush(file->base() + block, 14 * kMiB);
    store(*file, word(*file), block);
  }
  EXPECT_EQ(temporaries(), 0U);
  EXPECT_EQ(content("b")[block + 14 * kMiB - 1 - 16 * kMiB + pmdk::kPage], 'x');
  const auto file = open();
  EXPECT_EQ(*word(*file), block);
  EXPECT_TRUE(file->is_allocated(block));
  EXPECT_EQ(std::count(file->base() + block, file->base() + block + 14 * kMiB, 'x'), 14 * kMiB);
}

TEST_F(PoolSetPool, IsReadWithoutAChange) {
  {
    const auto file = create();
    store(*file, word(*file), kValue);
  }
  const std::string before = content("a") + content("b");
  {
    const auto one = open_to_read();
    const auto two = open_to_read();
    EXPECT_EQ(*word(*one), kValue);
    EXPECT_EQ(*word(*two), kValue);
    EXPECT_EQ(caught([&] { open(); }).kind, ErrorKind::locked);
  }
  EXPECT_EQ(content("a") + content("b"), before);
}

TEST_F(PoolSetPool, ThatIsFullSaysSo) {
  const auto file = create();
  EXPECT_EQ(caught([&] { file->grow(); }).kind, ErrorKind::full);
}

TEST_F(PoolSetPool, IsLockedPartByPart) {
  const auto file = create();
  EXPECT_EQ(caught([&] { open(); }).kind, ErrorKind::locked);
  EXPECT_EQ(in_child([&] {
              file->abandon_in_child();
              return caught([&] { open(); }).kind == ErrorKind::locked ? 0 : 1;
            }),
            0);
}

TEST_F(PoolSetPool, IsNotKeptByAForkedChild) {
  auto file = create("mirrored");
  store(*file, word(*file), kValue);
  WaitingChild child([&] {
    file->abandon_in_child();
    *word(*file) = 1;
    file->base()[20 * kMiB] = 'c';
  });
  file.reset();
  const auto again = open("mirrored");
  EXPECT_EQ(*word(*again), kValue);
  EXPECT_NE(again->base()[20 * kMiB], 'c');
}

TEST_F(PoolSetPool, MapsBytesOfTwoPartsTogether) {
  const auto file = create();
  const Offset begin = 16 * kMiB - 100;
  {
    const SharedMapping shared = file->share(begin, 300);
    std::fill_n(shared.data(), 300, 's');
  }
  EXPECT_EQ(std::count(file->base() + begin, file->base() + begin + 300, 's'), 300);
  SharedMapping detached = file->share(begin, 300);
  detached.detach();
  std::fill_n(detached.data(), 300, 'd');
  EXPECT_EQ(file->base()[begin], 's');
  EXPECT_EQ(file->base()[begin + 299], 's');
}

TEST_F(PoolSetPool, MapsBytesOfTwoPartsInMemoryOfTheCallersToo) {
  const auto file = create();
  const Offset begin = 16 * kMiB - 100;
  alignas(4096) static char room[2 * 4096];
  SharedMapping shared = file->share(begin, 300);
  ASSERT_LE(shared.length(), sizeof room);
  shared.mirror(room);
  ASSERT_EQ(shared.mirrored(), room + sizeof room - 4096 - 100);
  std::fill_n(shared.mirrored(), 300, 's');
  EXPECT_EQ(std::count(file->base() + begin, file->base() + begin + 300, 's'), 300);
  EXPECT_EQ(shared.data()[299], 's');
  shared.release_mirror();
  EXPECT_EQ(shared.mirrored(), nullptr);
  std::fill_n(shared.data(), 300, 'n');
  EXPECT_EQ(std::count(room, room + sizeof room, 's'), 300) << "what was there stays";
  shared.mirror(room);
  shared.detach();
  std::fill_n(shared.mirrored(), 300, 'd');
  EXPECT_EQ(std::count(file->base() + begin, file->base() + begin + 300, 'n'), 300);
}

TEST_F(PoolSetPool, CopiesEveryFlushedStoreToTheReplica) {
  const auto file = create("mirrored");
  const Offset block = allocate(*file, 100);
  auto* words = reinterpret_cast<uint64_t*>(file->base() + block);
  store(*file, words, kValue);
  const std::string copy = content("copy");
  EXPECT_EQ(*reinterpret_cast<const uint64_t*>(copy.data() + block), kValue);
  EXPECT_TRUE(quick_block_at(copy.data(), file->size(), block).has_value());
}

TEST_F(PoolSetPool, MakesTheReplicaEqualAfterACrash) {
  { create("mirrored"); }
  EXPECT_EQ(in_child([&] {
              const auto file = open("mirrored");
              *word(*file) = kValue;  // not flushed: the replica does not have it
              std::fill_n(file->base() + 20 * kMiB, kMiB, 'u');
              _exit(0);
              return 1;
            }),
            0);
  EXPECT_GT(differing_bytes(), kMiB - 1);
  { open_to_read("mirrored"); }
  EXPECT_GT(differing_bytes(), kMiB - 1);
  {
    const auto file = open("mirrored");
    EXPECT_EQ(*word(*file), kValue);
    EXPECT_EQ(differing_bytes(), 0U);
  }
}

TEST_F(PoolSetPool, SaysWhatIsWrongWithItsParts) {
  { create("mirrored"); }
  const std::string a = content("a");
  const std::string b = content("b");
  const std::string copy = content("copy");
  const auto complaint = [&] {
    const Caught error = caught([&] { open("mirrored"); });
    EXPECT_EQ(error.kind, ErrorKind::corrupt);
    put(a, "a"), put(b, "b"), put(copy, "copy");
    return error.message;
  };
  std::filesystem::remove(path("b"));
  expect_in("b' is missing", complaint());
  std::filesystem::remove(path("copy"));
  expect_in("copy' is missing", complaint());
  put(b + "x", "b");
  expect_in("b' has 8388609 bytes, the set gives it 8388608; nvm.pmempool.sync()", complaint());
  put(std::string(pmdk::kPage, '\0') + a.substr(pmdk::kPage), "a");
  expect_in("a' is damaged: it does not begin with", complaint());
  poke(24, kValue, "copy");
  expect_in("copy' is damaged: its header's checksum", complaint());
  put(a, "copy"), std::filesystem::resize_file(path("copy"), 32 * kMiB);
  expect_in("is not at its place in the set", complaint());
  poke(pmdk::kHeapOffset + 20, kValue, "copy");
  expect_in("replica 1 is damaged", complaint());
  EXPECT_NO_THROW(open("mirrored"));
  put("PMEMPOOLSET\n8M " + path("b") + "\n16M " + path("a") + "\n", "set");
  EXPECT_EQ(caught([&] { open(); }).kind, ErrorKind::corrupt);
}

TEST_F(PoolSetPool, IsMadeOfNewFilesOnly) {
  put("something", "b");
  expect_in("b' is there", caught([&] { create(); }).message);
  EXPECT_EQ(content("b"), "something");
  EXPECT_EQ(temporaries(), 0U);
  std::filesystem::remove(path("b"));
  EXPECT_EQ(caught([&] { open(); }).error_number, ENOENT);
  EXPECT_EQ(caught([&] { open_to_read(); }).error_number, ENOENT);
  { create(); }
  OpenOptions anew = options();
  anew.if_exists = IfExists::fail;
  EXPECT_EQ(caught([&] { PoolFile::open(anew); }).error_number, EEXIST);
  anew.if_exists = IfExists::replace;
  expect_in("is not replaced", caught([&] { PoolFile::open(anew); }).message);
}

TEST_F(PoolSetPool, LeavesNothingIfItsCreationIsGivenUp) {
  { EXPECT_TRUE(PoolFile::open(options("mirrored"))->created()); }
  EXPECT_EQ(temporaries(), 0U);
  EXPECT_FALSE(std::filesystem::exists(path("a")));
}

TEST_F(PoolSetPool, CutInItsCreationIsRecognised) {
  {
    const auto file = PoolFile::open(options());
    put("", "a");  // so that the last rename fails
    EXPECT_EQ(caught([&] { file->finish_creation(); }).error_number, EEXIST);
  }
  std::filesystem::remove(path("a"));
  expect_in("a' is missing", caught([&] { open(); }).message);
}

TEST_F(PoolSetPool, IsRefusedWhereItCannotBeSafe) {
  const auto refusal = [&](const std::string& lines) {
    put("PMEMPOOLSET\n" + lines, "set");
    const Caught error = caught([&] { PoolFile::open(options()); });
    EXPECT_EQ(error.kind, ErrorKind::os);
    EXPECT_EQ(error.error_number, EOPNOTSUPP);
    return error.message;
  };
  expect_in("another machine", refusal("32M " + path("a") + "\nREPLICA node.example far.set\n"));
  expect_in("is a directory", refusal("32M " + folder_ + "\n"));
  expect_in("device DAX", refusal("AUTO /dev/dax0.0\n"));
  expect_in("without DAX", refusal("32M /var/tmp/nvm-part-that-is-never-made\n"));
  put("PMEMPOOLSET\n8M " + path("a") + "\n", "set");
  expect_in("the least is", caught([&] { PoolFile::open(options()); }).message);
}

TEST_F(PoolSetPool, HasTheSizeOfItsParts) {
  OpenOptions larger = options();
  larger.limit = 32 * kMiB;
  EXPECT_EQ(caught([&] { PoolFile::open(larger); }).kind, ErrorKind::value);
  larger.limit = kMinPoolSize;
  EXPECT_EQ(PoolFile::open(larger)->limit(), 24 * kMiB - pmdk::kPage);
}

TEST_F(PoolSetPool, WithHeadersInFirstPartsOnlyIsWholeToo) {
  put("PMEMPOOLSET\nOPTION SINGLEHDR\n16M " + path("a") + "\n8M " + path("b") + "\n", "set");
  {
    const auto file = create();
    EXPECT_EQ(file->size(), 24 * kMiB);
    store(*file, word(*file), kValue);
  }
  EXPECT_EQ(*word(*open()), kValue);
}

// ---- The backend

class Notes final : public backend::Backend {
 public:
  backend::Kind kind() const noexcept override { return backend::Kind::memory; }
  void flush(const void* address, size_t length) noexcept override {
    flushed.emplace_back(static_cast<const char*>(address), length);
  }
  void drain() noexcept override { ++drains; }
  std::vector<std::pair<const char*, size_t>> flushed;
  int drains = 0;
};

TEST(Replicated, CopiesTheLinesOfAFlush) {
  alignas(64) char master[256];
  alignas(64) char one[256] = {};
  alignas(64) char two[256] = {};
  std::fill_n(master, 256, 'm');
  Notes notes;
  backend::Replicated replicated(notes, master, sizeof master, {one, two});
  replicated.flush(master + 70, 70);
  EXPECT_EQ(std::count(one, one + 256, 'm'), 128);
  EXPECT_EQ(one[64], 'm');
  EXPECT_EQ(two[191], 'm');
  EXPECT_EQ(notes.flushed.size(), 3U);
  replicated.drain();
  EXPECT_EQ(notes.drains, 1);
  replicated.flush(one, 64);  // not of the master: the medium's alone
  EXPECT_EQ(notes.flushed.size(), 4U);
  EXPECT_TRUE(replicated.needs_flush());
  EXPECT_FALSE(notes.needs_flush());
}

}  // namespace
}  // namespace nvm::heap
