// Pool files: creating, opening, growing, and what bad ones get.
#include "heap/file/pool_file.h"

#include <libpmemobj.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <chrono>
#include <cstring>
#include <thread>

#include "core/file_fixture.h"
#include "heap/layout/pmdk_layout.h"
#include "heap/layout/pool_header.h"

namespace nvm::heap::testing {
namespace {

using PoolFileTest = FileTest;

// ---- Blocks

TEST_F(PoolFileTest, PublishedBlockIsThereAfterReopening) {
  auto file = create();
  Action actions[2];
  const Offset block = file->reserve(100, {false, Type::none}, actions[0]);
  ASSERT_NE(block, 0u);
  EXPECT_FALSE(file->is_allocated(block));
  file->set_value(actions[1], word(*file), block);
  file->publish(actions, 2);
  EXPECT_TRUE(file->is_allocated(block));
  file.reset();
  file = open();
  EXPECT_FALSE(file->created());
  EXPECT_EQ(*word(*file), block);
  EXPECT_TRUE(file->is_allocated(block));
  EXPECT_EQ(file->usable_size(block), 112u);
}

TEST_F(PoolFileTest, CancelledBlockNeverCameToBe) {
  auto file = create();
  Action action;
  const Offset block = file->reserve(100, {true, Type::list}, action);
  file->cancel(&action, 1);
  EXPECT_FALSE(file->is_allocated(block));
  EXPECT_EQ(blocks_of(*file).size(), 1u);  // the root
}

TEST_F(PoolFileTest, FreedBlockIsGone) {
  auto file = create();
  const Offset block = allocate(*file, 3000);
  ASSERT_TRUE(file->is_allocated(block));
  release(*file, block);
  EXPECT_FALSE(file->is_allocated(block));
}

// As after a power cut: libpmemobj does not flush them, and follows them when a neighbour is freed.
TEST_F(PoolFileTest, StaleFootersAreMendedByOpening) {
  auto file = create();
  const Offset before = allocate(*file, 3'000'000);
  const Offset behind = allocate(*file, 3'000'000);
  const uint32_t first = block_at(file->base(), file->size(), before)->chunk;
  const HeapView closed(file->base(), file->size());
  const uint32_t last = first + closed.chunk_at(0, first).chunks - 1;
  const auto place = static_cast<uint64_t>(
      reinterpret_cast<const char*>(&closed.header_at(0, last)) - file->base());
  file.reset();
  poke(place, pmdk::ChunkHeader{pmdk::ChunkType::footer, 0, last + 1});
  file = open();
  const HeapView opened(file->base(), file->size());
  EXPECT_EQ(opened.header_at(0, last).type, pmdk::ChunkType::footer);
  EXPECT_EQ(opened.header_at(0, last).chunks, last - first + 1);
  release(*file, behind);
  release(*file, before);
  check_zones(file->base(), file->size());
  EXPECT_EQ(blocks_of(*file).size(), 1u);  // the root
}

TEST_F(PoolFileTest, ARunOfNoAllocationClassKeepsItFromBeingChanged) {
  uint64_t run = 0;
  {
    auto file = create();
    const Offset block = allocate(*file, 128);
    const HeapView view(file->base(), file->size());
    for_each_chunk(view, [&](const Chunk& chunk) {
      const uint64_t begin = view.chunk_offset(chunk.zone, chunk.index);
      if (begin < block && block - begin < chunk.chunks * pmdk::kChunkSize) run = begin;
    });
  }
  poke(run, uint64_t{120});
  auto file = open();
  const Caught error = caught([&] { allocate(*file, 128); });
  EXPECT_EQ(error.kind, ErrorKind::corrupt);
  expect_in("a run with units of 120 bytes that is of no allocation class", error.message);
}

TEST_F(PoolFileTest, CountedBlocksCarryTheirType) {
  auto file = create();
  for (const size_t bytes : {1u, 16u, 100u, 1072u, 1073u, 5000u, 300'000u, 3'000'000u}) {
    const Offset block = allocate(*file, bytes, {true, Type::dict});
    ASSERT_NE(block, 0u) << bytes;
    EXPECT_EQ(file->type_of(block), Type::dict) << bytes;
    EXPECT_GE(file->usable_size(block), bytes);
  }
}

TEST_F(PoolFileTest, LargeBlobsHaveTheBlobsType) {
  auto file = create();
  EXPECT_EQ(file->type_of(allocate(*file, 1024)), Type::none);
  EXPECT_EQ(file->type_of(allocate(*file, 1025)), Type::blob);
}

TEST_F(PoolFileTest, NumbersThatAreNoBlocksAreNotAllocated) {
  auto file = create();
  const Offset block = allocate(*file, 5000);
  for (const Offset offset : {Offset{0}, Offset{1}, file->heap_begin(), block - 16, block - 8,
                              block + 8, block + 16, file->size() - 8, file->size(),
                              file->size() + 16, kMaxOffset, Offset{1} << 63, ~Offset{0}}) {
    EXPECT_FALSE(file->is_allocated(offset)) << offset;
    EXPECT_EQ(file->usable_size(offset), 0u);
    EXPECT_EQ(file->type_of(offset), Type::none);
  }
}

TEST_F(PoolFileTest, FullPoolGivesNoBlockAndFreeingMakesRoom) {
  OpenOptions small = options();
  small.limit = kMinPoolSize;
  auto file = PoolFile::open(small);
  file->finish_creation();
  std::vector<Offset> blocks;
  while (const Offset block = allocate(*file, 1000)) blocks.push_back(block);
  EXPECT_GT(blocks.size(), 10'000u);
  EXPECT_FALSE(file->can_grow());
  EXPECT_EQ(caught([&] { file->grow(); }).kind, ErrorKind::full);
  for (const Offset block : blocks) release(*file, block);
  for (size_t i = 0; i < blocks.size(); ++i) ASSERT_NE(allocate(*file, 1000), 0u) << i;
}

TEST_F(PoolFileTest, BlockLargerThanAnyIsRefused) {
  auto file = create();
  Action action;
  EXPECT_EQ(caught([&] {
              file->reserve(~size_t{0}, {false, Type::blob}, action);
            }).kind,
            ErrorKind::value);
}

// ---- Creation

TEST_F(PoolFileTest, CreatedFileHasNoNameBeforeItIsFinished) {
  auto file = PoolFile::open(options());
  EXPECT_FALSE(std::filesystem::exists(path()));
  file->finish_creation();
  EXPECT_TRUE(std::filesystem::exists(path()));
  EXPECT_EQ(temporaries(), 0u);
}

TEST_F(PoolFileTest, UnfinishedCreationLeavesNothing) {
  PoolFile::open(options());
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(PoolFileTest, NewRootIsZeroAndOnACacheLine) {
  auto file = create();
  EXPECT_EQ(file->root() % 64, 0u);
  const std::string zeros(sizeof(RootObject), '\0');
  EXPECT_EQ(std::memcmp(file->base() + file->root(), zeros.data(), zeros.size()), 0);
}

TEST_F(PoolFileTest, ModeIsLessTheUmask) {
  const mode_t before = umask(027);
  OpenOptions with_mode = options();
  with_mode.mode = 0664;
  PoolFile::open(with_mode)->finish_creation();
  umask(before);
  struct stat status {};
  ASSERT_EQ(stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
}

TEST_F(PoolFileTest, EveryByteHasItsBlock) {
  auto file = create();
  struct stat status {};
  ASSERT_EQ(stat(path().c_str(), &status), 0);
  EXPECT_EQ(static_cast<uint64_t>(status.st_size), file->size());
  EXPECT_GE(allocated_bytes(status), file->size());
}

TEST_F(PoolFileTest, HolesAreFilledAtOpen) {
  create();
  ASSERT_EQ(truncate(path().c_str(), 32 << 20), 0);
  auto file = open();
  struct stat status {};
  ASSERT_EQ(stat(path().c_str(), &status), 0);
  EXPECT_EQ(file->size(), uint64_t{32} << 20);
  EXPECT_GE(allocated_bytes(status), file->size());
}

TEST_F(PoolFileTest, ExistingFileIsNotCreatedAgain) {
  create();
  OpenOptions again = options();
  again.if_exists = IfExists::fail;
  const Caught error = caught([&] { PoolFile::open(again); });
  EXPECT_EQ(error.kind, ErrorKind::os);
  EXPECT_EQ(error.error_number, EEXIST);
  expect_in(path(), error.message);
}

TEST_F(PoolFileTest, NameTakenMeanwhileIsNotOverwritten) {
  auto file = PoolFile::open(options());
  put("faster");
  const Caught error = caught([&] { file->finish_creation(); });
  EXPECT_EQ(error.kind, ErrorKind::os);
  EXPECT_EQ(error.error_number, EEXIST);
  file.reset();
  EXPECT_EQ(content(), "faster");
  EXPECT_EQ(temporaries(), 0u);
}

TEST_F(PoolFileTest, ReplacedFileStaysUntilTheNewOneIsFinished) {
  put("old");
  OpenOptions replace = options();
  replace.if_exists = IfExists::replace;
  auto file = PoolFile::open(replace);
  EXPECT_TRUE(file->created());
  EXPECT_EQ(content(), "old");
  file->finish_creation();
  file.reset();
  EXPECT_FALSE(open()->created());
}

TEST_F(PoolFileTest, ReplacingThroughALinkKeepsTheLink) {
  put("old");
  std::filesystem::create_symlink("pool", path("link"));
  OpenOptions replace = options("link");
  replace.if_exists = IfExists::replace;
  PoolFile::open(replace)->finish_creation();
  EXPECT_TRUE(std::filesystem::is_symlink(path("link")));
  EXPECT_FALSE(open()->created());
}

TEST_F(PoolFileTest, OpenPoolIsNotReplaced) {
  auto file = create();
  OpenOptions replace = options();
  replace.if_exists = IfExists::replace;
  EXPECT_EQ(caught([&] { PoolFile::open(replace); }).kind, ErrorKind::locked);
}

// ---- Opening what is no pool of ours

TEST_F(PoolFileTest, MissingFile) {
  const Caught error = caught([&] { open(); });
  EXPECT_EQ(error.kind, ErrorKind::os);
  EXPECT_EQ(error.error_number, ENOENT);
  expect_in(path(), error.message);
}

TEST_F(PoolFileTest, Directory) {
  std::filesystem::create_directory(path());
  for (const IfExists what : {IfExists::open, IfExists::replace}) {
    OpenOptions wanted = options();
    wanted.if_exists = what;
    const Caught error = caught([&] { PoolFile::open(wanted); });
    EXPECT_EQ(error.kind, ErrorKind::os);
    EXPECT_EQ(error.error_number, EISDIR);
  }
  EXPECT_EQ(caught([&] { PoolFile::open(read_options()); }).error_number, EISDIR);
}

TEST_F(PoolFileTest, NamedPipeIsNotWaitedFor) {
  ASSERT_EQ(mkfifo(path().c_str(), 0600), 0);
  EXPECT_EQ(caught([&] { open(); }).kind, ErrorKind::os);
}

TEST_F(PoolFileTest, NoPermission) {
  create();
  ASSERT_EQ(chmod(path().c_str(), 0), 0);
  ASSERT_EQ(chmod(folder_.c_str(), 0755), 0);
  EXPECT_EQ(in_child([&] {
              if (geteuid() == 0 && seteuid(65534) != 0) return 1;
              const Caught error = caught([&] { open(); });
              return error.kind == ErrorKind::os && error.error_number == EACCES ? 0 : 2;
            }),
            0);
}

TEST_F(PoolFileTest, FolderWithoutPermission) {
  ASSERT_EQ(chmod(folder_.c_str(), 0555), 0);
  EXPECT_EQ(in_child([&] {
              if (geteuid() == 0 && seteuid(65534) != 0) return 1;
              const Caught error = caught([&] { PoolFile::open(options()); });
              return error.kind == ErrorKind::os && error.error_number == EACCES ? 0 : 2;
            }),
            0);
  ASSERT_EQ(chmod(folder_.c_str(), 0755), 0);
}

void expect_corrupt(const Caught& error, const std::string& part, const std::string& file) {
  EXPECT_EQ(error.kind, ErrorKind::corrupt) << error.message;
  EXPECT_EQ(error.error_number, EUCLEAN);
  expect_in(part, error.message);
  expect_in(file, error.message);
}

TEST_F(PoolFileTest, EmptyFile) {
  put("");
  expect_corrupt(caught([&] { open(); }), "empty", path());
  expect_corrupt(caught([&] { PoolFile::open(read_options()); }), "empty", path());
}

TEST_F(PoolFileTest, ForeignFile) {
  for (const std::string& text : {std::string("x"), std::string("PMEM"), std::string(100, 'a'),
                                  std::string(20 << 20, '\0')}) {
    put(text);
    expect_corrupt(caught([&] { open(); }), "not a pool", path());
    EXPECT_EQ(content(), text);
  }
}

TEST_F(PoolFileTest, OtherKindOfPool) {
  put(std::string("PMEMLOG\0", 8) + std::string(8192, '\0'));
  const Caught error = caught([&] { open(); });
  EXPECT_EQ(error.kind, ErrorKind::layout);
  expect_in("PMEMLOG", error.message);
}

TEST_F(PoolFileTest, TruncatedFile) {
  create();
  for (const uint64_t size : {uint64_t{8}, uint64_t{100}, uint64_t{4096}, uint64_t{8192},
                              uint64_t{1} << 20, kMinPoolSize - 4096}) {
    copy("pool", "cut");
    std::filesystem::resize_file(path("cut"), size);
    expect_corrupt(caught([&] { open("cut"); }), "truncated", path("cut"));
    expect_corrupt(caught([&] { PoolFile::open(read_options("cut")); }), "truncated", path("cut"));
  }
}

TEST_F(PoolFileTest, OtherLayout) {
  PMEMobjpool* other = pmemobj_create(path().c_str(), "somebody's", kMinPoolSize, 0600);
  ASSERT_NE(other, nullptr);
  pmemobj_close(other);
  const Caught error = caught([&] { open(); });
  EXPECT_EQ(error.kind, ErrorKind::layout);
  expect_in("somebody's", error.message);
}

TEST_F(PoolFileTest, OtherMajorVersion) {
  PMEMobjpool* other = pmemobj_create(path().c_str(), "pynvm-7", kMinPoolSize, 0600);
  ASSERT_NE(other, nullptr);
  pmemobj_close(other);
  const Caught error = caught([&] { open(); });
  EXPECT_EQ(error.kind, ErrorKind::layout);
  for (const char* part : {"pynvm-7", "pynvm-1", "dump", "load"}) expect_in(part, error.message);
}

TEST_F(PoolFileTest, PoolWithoutRoot) {
  PMEMobjpool* other = pmemobj_create(path().c_str(), kLayoutName, kMinPoolSize, 0600);
  ASSERT_NE(other, nullptr);
  pmemobj_close(other);
  expect_corrupt(caught([&] { open(); }), "no root object", path());
}

TEST_F(PoolFileTest, DamagedHeaders) {
  create();
  struct Damage {
    uint64_t offset;
    uint8_t value;
    const char* part;
  };
  for (const Damage damage :
       {Damage{1024, 0x5a, "pool header"},
        Damage{pmdk::kDescriptorOffset + 100, 0x5a, "descriptor"},
        Damage{pmdk::kHeapSizeField + 4, 0x5a, "truncated"},
        Damage{pmdk::kHeapSizeField + 2, 0, "damaged: a heap of"},
        Damage{pmdk::kHeapOffset + 20, 0x5a, "heap's header"},
        Damage{pmdk::kFirstZone, 0x5a, "zone 0"}, Damage{pmdk::kFirstZone + 4, 0x5a, "zone 0"},
        Damage{pmdk::kFirstZone + 64, 0x5a, "zone 0, chunk 0"},
        Damage{pmdk::kRootOffsetField, 0x5a, "root object"}}) {
    copy("pool", "damaged");
    poke(damage.offset, damage.value, "damaged");
    expect_corrupt(caught([&] { open("damaged"); }), damage.part, path("damaged"));
    expect_corrupt(caught([&] { PoolFile::open(read_options("damaged")); }), damage.part,
                   path("damaged"));
  }
}

// ---- Sizes

TEST_F(PoolFileTest, SizeUnderTheMinimum) {
  OpenOptions small = options();
  small.limit = 100;
  const Caught error = caught([&] { PoolFile::open(small); });
  EXPECT_EQ(error.kind, ErrorKind::value);
  EXPECT_EQ(error.message, "size 100 smaller than " + std::to_string(kMinPoolSize));
}

TEST_F(PoolFileTest, AbsurdSizes) {
  for (const uint64_t size : {uint64_t{1} << 63, ~uint64_t{0}, kMaxPoolSize + 1}) {
    OpenOptions absurd = options();
    absurd.limit = size;
    EXPECT_EQ(caught([&] { PoolFile::open(absurd); }).kind, ErrorKind::value);
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(PoolFileTest, MoreThanTheFileSystemHas) {
  OpenOptions large = options();
  large.limit = kMaxPoolSize;
  const Caught error = caught([&] { PoolFile::open(large); });
  EXPECT_EQ(error.kind, ErrorKind::os);
  EXPECT_EQ(error.error_number, ENOSPC);
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
  create();
  EXPECT_EQ(caught([&] { PoolFile::open(large); }).error_number, ENOSPC);
}

TEST_F(PoolFileTest, InitialSizeAboveTheLimit) {
  OpenOptions wrong = options();
  wrong.initial_size = *wrong.limit + 4096;
  EXPECT_EQ(caught([&] { PoolFile::open(wrong); }).kind, ErrorKind::value);
}

TEST_F(PoolFileTest, WithoutLimitHalfOfTheFreeSpaceIsIt) {
  OpenOptions unlimited = options();
  unlimited.limit.reset();
  auto file = PoolFile::open(unlimited);
  EXPECT_GT(file->limit(), uint64_t{64} << 20);
  EXPECT_TRUE(file->can_grow());
}

// ---- Locks

TEST_F(PoolFileTest, SecondOpeningInOneProcessSaysSo) {
  auto file = create();
  std::filesystem::create_hard_link(path(), path("other-name"));
  for (const char* name : {"pool", "other-name"}) {
    const Caught error = caught([&] { open(name); });
    EXPECT_EQ(error.kind, ErrorKind::locked);
    expect_in("this process", error.message);
    EXPECT_EQ(caught([&] { PoolFile::open(read_options(name)); }).kind, ErrorKind::locked);
  }
  file.reset();
  open("other-name");
}

TEST_F(PoolFileTest, CopyOfAnOpenPoolIsRefusedByName) {
  auto file = create();
  copy("pool", "copy");
  const Caught error = caught([&] { open("copy"); });
  EXPECT_EQ(error.kind, ErrorKind::locked);
  expect_in("copy", error.message);
}

TEST_F(PoolFileTest, AnotherProcessHasIt) {
  create();
  std::unique_ptr<PoolFile> theirs;
  WaitingChild child([&] { theirs = open(); });
  const Caught error = caught([&] { open(); });
  EXPECT_EQ(error.kind, ErrorKind::locked);
  expect_in("another process", error.message);
  EXPECT_EQ(caught([&] { PoolFile::open(read_options()); }).kind, ErrorKind::locked);
  child.let_go();
  open();
}

TEST_F(PoolFileTest, LockIsWaitedForAsLongAsAllowed) {
  create();
  std::unique_ptr<PoolFile> theirs;
  WaitingChild child([&] { theirs = open(); });
  OpenOptions patient = options();
  patient.lock_timeout = 0.1;
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(caught([&] { PoolFile::open(patient); }).kind, ErrorKind::locked);
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(100));
  patient.lock_timeout = 30;
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    child.let_go();
  });
  EXPECT_FALSE(PoolFile::open(patient)->created());
  later.join();
}

TEST_F(PoolFileTest, ProgramThatKnowsOnlyFlockIsRespected) {
  create();
  const Fd fd(::open(path().c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_EQ(flock(fd.get(), LOCK_EX | LOCK_NB), 0);
  EXPECT_EQ(caught([&] { open(); }).kind, ErrorKind::locked);
  EXPECT_EQ(caught([&] { PoolFile::open(read_options()); }).kind, ErrorKind::locked);
}

TEST_F(PoolFileTest, ReplacedFileIsNotOpenedUnderItsOldLock) {
  create();
  std::unique_ptr<PoolFile> theirs;
  WaitingChild child([&] { theirs = open(); });
  create("newer");
  std::filesystem::rename(path("newer"), path());
  EXPECT_FALSE(open()->created());  // the newer file has another inode and no lock
}

// ---- Fork

TEST_F(PoolFileTest, ForkedChildKeepsNeitherLockNorFile) {
  auto file = create();
  const Offset block = allocate(*file, 100);
  *word(*file) = 1;
  std::memset(file->base() + block, 'p', 100);
  WaitingChild child([&] {
    char* const base = file->base();
    file->abandon_in_child();
    if (base[block] != 'p') _exit(1);
    base[block] = 'c';  // private
    Action action;
    if (caught([&] { file->reserve(10, {false, Type::blob}, action); }).kind != ErrorKind::forked)
      _exit(2);
    file.reset();
    if (base[block] != 'c') _exit(3);  // arrays in the child stay usable
  });
  EXPECT_EQ(file->base()[block], 'p');
  file.reset();
  file = open();  // while the child lives
  EXPECT_EQ(file->base()[block], 'p');
}

TEST_F(PoolFileTest, ForkedChildOfAReaderKeepsNoLock) {
  create();
  auto reader = PoolFile::open(read_options());
  WaitingChild child([&] { reader->abandon_in_child(); });
  reader.reset();
  open();
}

TEST_F(PoolFileTest, ForkedChildLeavesACreationAlone) {
  auto file = PoolFile::open(options());
  EXPECT_EQ(in_child([&] {
              file->abandon_in_child();
              file.reset();
              return 0;
            }),
            0);
  file->finish_creation();
  EXPECT_TRUE(std::filesystem::exists(path()));
}

}  // namespace
}  // namespace nvm::heap::testing
