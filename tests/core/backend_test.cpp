// The backends, and which of them a file gets.
#include "backend/backend.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <libpmem.h>
#include <libpmemobj.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "backend/kinds.h"
#include "backend/mounts.h"
#include "pmem/error.h"

namespace {

using nvm::Error;
using nvm::ErrorKind;
using nvm::backend::Backend;
using nvm::backend::Family;
using nvm::backend::Kind;
using nvm::backend::Medium;
using nvm::backend::Mount;
using nvm::backend::Probe;

ErrorKind kind_of_error(const std::function<void()>& action, int* error_number = nullptr) {
  try {
    action();
  } catch (const Error& error) {
    if (error_number != nullptr) *error_number = error.error_number();
    return error.kind();
  }
  ADD_FAILURE() << "nothing was thrown";
  return ErrorKind::internal;
}

// A file of its own in a folder, gone at the end.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& folder, off_t size = 0)
      : path_(folder + "/nvm-backend-XXXXXX"), fd_(mkstemp(path_.data())) {
    EXPECT_GE(fd_, 0);
    EXPECT_EQ(ftruncate(fd_, size), 0);
  }
  ~TemporaryFile() {
    close(fd_);
    unlink(path_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  int fd() const { return fd_; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  int fd_;
};

class EnvironmentVariable {
 public:
  EnvironmentVariable(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~EnvironmentVariable() { unsetenv(name_); }
  EnvironmentVariable(const EnvironmentVariable&) = delete;
  EnvironmentVariable& operator=(const EnvironmentVariable&) = delete;

 private:
  const char* name_;
};

TEST(BackendNames, AreThoseOfTheKinds) {
  for (const Kind kind : {Kind::dax, Kind::memory, Kind::journal}) {
    EXPECT_EQ(nvm::backend::kind_from_name(nvm::backend::name_of(kind)), kind);
  }
  EXPECT_EQ(kind_of_error([] { nvm::backend::kind_from_name("nvram"); }), ErrorKind::value);
}

TEST(BackendMake, MakesWhatNeedsNothingOfItsPool) {
  EXPECT_EQ(nvm::backend::make(Kind::dax)->kind(), Kind::dax);
  EXPECT_EQ(nvm::backend::make(Kind::memory)->kind(), Kind::memory);
  EXPECT_EQ(kind_of_error([] { nvm::backend::make(Kind::journal); }), ErrorKind::internal);
}

class EveryBackend : public testing::TestWithParam<Kind> {};

TEST_P(EveryBackend, DoesTheMemoryOperationsWhateverTheFlags) {
  const auto backend = nvm::backend::make(GetParam());
  constexpr std::array<unsigned, 6> kFlags{0,
                                           PMEM_F_MEM_NODRAIN,
                                           PMEM_F_MEM_NOFLUSH,
                                           PMEM_F_MEM_NONTEMPORAL,
                                           PMEM_F_MEM_WC | PMEM_F_MEM_NODRAIN,
                                           PMEM_F_MEM_WB | PMEM_F_MEM_NODRAIN};
  for (const unsigned flags : kFlags) {
    for (const size_t length : {size_t{1}, size_t{63}, size_t{64}, size_t{1000}}) {
      std::vector<char> bytes(2048, 'a');
      const std::vector<char> source(length, 'b');
      EXPECT_EQ(backend->copy(&bytes[3], source.data(), length, flags), &bytes[3]);
      EXPECT_EQ(backend->move(&bytes[4], &bytes[3], length, flags), &bytes[4]);
      EXPECT_EQ(backend->set(&bytes[1], 'c', 2, flags), &bytes[1]);
      backend->flush(bytes.data(), bytes.size());
      backend->drain();
      const std::string expected = "acc" + std::string(length + 1, 'b') + "a";
      EXPECT_EQ(std::string(bytes.data(), expected.size()), expected);
    }
  }
}

TEST_P(EveryBackend, IsPmemAndNeverFailsToSync) {
  const auto backend = nvm::backend::make(GetParam());
  std::array<char, 64> bytes{};
  EXPECT_TRUE(backend->is_pmem(bytes.data(), bytes.size()));
  EXPECT_EQ(backend->msync(bytes.data(), bytes.size()), 0);
  EXPECT_EQ(backend->deep_flush(bytes.data(), bytes.size()), 0);
}

INSTANTIATE_TEST_SUITE_P(Kinds, EveryBackend, testing::Values(Kind::dax, Kind::memory),
                         [](const auto& tested) {
                           return std::string(nvm::backend::name_of(tested.param));
                         });

// Counts, and remembers what the range's coming and going looked like.
class Counter final : public Backend {
 public:
  Kind kind() const noexcept override { return Kind::memory; }
  void flush(const void*, size_t) noexcept override { ++flushes; }
  void drain() noexcept override { ++drains; }
  void attached(const void* base, size_t) noexcept override { at = base; }
  void detached() noexcept override { at = nullptr; }

  int flushes = 0;
  int drains = 0;
  const void* at = nullptr;
};

TEST(BackendDefaults, FlushAndDrainAsTheFlagsSay) {
  Counter counter;
  std::array<char, 8> bytes{};
  counter.copy(bytes.data(), "a", 1, 0);
  EXPECT_EQ(counter.flushes, 1);
  EXPECT_EQ(counter.drains, 1);
  counter.move(bytes.data(), "a", 1, PMEM_F_MEM_NODRAIN);
  EXPECT_EQ(counter.flushes, 2);
  EXPECT_EQ(counter.drains, 1);
  counter.set(bytes.data(), 0, 1, PMEM_F_MEM_NOFLUSH);
  EXPECT_EQ(counter.flushes, 2);
  EXPECT_EQ(counter.drains, 1);
  counter.msync(bytes.data(), 1);
  counter.deep_flush(bytes.data(), 1);
  EXPECT_EQ(counter.flushes, 4);
  EXPECT_EQ(counter.drains, 2);
}

TEST(BackendAttach, LibpmemobjsCallsArriveFromOpeningToClosing) {
  const TemporaryFile file("/dev/shm", PMEMOBJ_MIN_POOL);
  Counter counter;
  PMEMobjpool* pool = nullptr;
  {
    const nvm::backend::Opening opening(counter);
    pool = pmemobj_create(file.path().c_str(), "test", 0, 0600);
    ASSERT_NE(pool, nullptr) << pmemobj_errormsg();
    nvm::backend::attach(counter, pool, PMEMOBJ_MIN_POOL);
  }
  EXPECT_EQ(counter.at, pool);
  const int flushes = counter.flushes;
  const int drains = counter.drains;
  EXPECT_GT(flushes, 0);
  EXPECT_GT(drains, 0);
  PMEMoid object = OID_NULL;
  ASSERT_EQ(pmemobj_zalloc(pool, &object, 100, 1), 0);
  EXPECT_GT(counter.flushes, flushes);
  EXPECT_GT(counter.drains, drains);
  pmemobj_close(pool);
  nvm::backend::detach(pool);
  EXPECT_EQ(counter.at, nullptr);
}

TEST(BackendAttach, AnInnerOpeningGivesWayToTheOuterOneAtItsEnd) {
  Counter outer;
  Counter inner;
  std::array<char, 8> bytes{};
  const nvm::backend::Opening outer_opening(outer);
  {
    const nvm::backend::Opening inner_opening(inner);
    pmem_flush(bytes.data(), 1);
  }
  pmem_flush(bytes.data(), 1);
  EXPECT_EQ(inner.flushes, 1);
  EXPECT_EQ(inner.drains, 1);
  EXPECT_EQ(outer.flushes, 1);
}

TEST(BackendChoose, TmpfsIsMemory) {
  const TemporaryFile file("/dev/shm");
  const Medium medium = nvm::backend::choose(file.fd(), file.path(), {});
  EXPECT_EQ(medium.kind, Kind::memory);
  EXPECT_FALSE(medium.durable);
  EXPECT_EQ(medium.fs_name, "tmpfs");
}

TEST(BackendChoose, ADiskHasAJournal) {
  const TemporaryFile file(std::filesystem::temp_directory_path());
  const Medium medium = nvm::backend::choose(file.fd(), file.path(), {});
  if (medium.kind == Kind::dax) GTEST_SKIP() << "the temporary folder is on DAX";
  EXPECT_EQ(medium.kind, Kind::journal);
  EXPECT_TRUE(medium.durable);
  EXPECT_FALSE(medium.fs_name.empty());
}

TEST(BackendChoose, WhatIsWantedIsTakenAndItsDurabilityIsNotClaimed) {
  const TemporaryFile file("/dev/shm");
  const Medium medium = nvm::backend::choose(file.fd(), file.path(), Kind::dax);
  EXPECT_EQ(medium.kind, Kind::dax);
  EXPECT_FALSE(medium.durable);
  EXPECT_FALSE(nvm::backend::choose(file.fd(), file.path(), Kind::journal).durable);
}

TEST(BackendChoose, LibpmemsSwitchForcesDax) {
  const TemporaryFile file("/dev/shm");
  const EnvironmentVariable forced("PMEM_IS_PMEM_FORCE", "1");
  EXPECT_EQ(nvm::backend::choose(file.fd(), file.path(), {}).kind, Kind::dax);
  EXPECT_EQ(nvm::backend::choose(file.fd(), file.path(), Kind::memory).kind, Kind::memory);
}

TEST(BackendChoose, OnlyFilesWillDo) {
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  int error_number = 0;
  EXPECT_EQ(kind_of_error([&] { nvm::backend::choose(null, "/dev/null", {}); }, &error_number),
            ErrorKind::os);
  EXPECT_EQ(error_number, EINVAL);
  close(null);
  EXPECT_EQ(kind_of_error([&] { nvm::backend::choose(-1, "closed", {}); }, &error_number),
            ErrorKind::os);
  EXPECT_EQ(error_number, EBADF);
}

TEST(BackendDecide, RefusesNetworksUnlessABackendIsNamed) {
  const std::array<Probe, 3> probes{
      nvm::backend::identify(NFS_SUPER_MAGIC, {"nfs4", "rw"}),
      nvm::backend::identify(V9FS_MAGIC, {}),
      nvm::backend::identify(FUSE_SUPER_MAGIC, {"fuse.sshfs", "rw"}),
  };
  for (const Probe& probe : probes) {
    EXPECT_EQ(probe.family, Family::network) << probe.fs_name;
    int error_number = 0;
    EXPECT_EQ(kind_of_error([&] { nvm::backend::decide(probe, "pool", {}); }, &error_number),
              ErrorKind::os);
    EXPECT_EQ(error_number, EOPNOTSUPP);
    EXPECT_EQ(nvm::backend::decide(probe, "pool", Kind::memory).kind, Kind::memory);
  }
}

TEST(BackendDecide, RefusesOverlaysThatDropTheirSyncs) {
  const Probe kept = nvm::backend::identify(OVERLAYFS_SUPER_MAGIC, {"overlay", "rw,xino=off"});
  EXPECT_EQ(nvm::backend::decide(kept, "pool", {}).fs_name, "overlay");
  const Probe lost = nvm::backend::identify(OVERLAYFS_SUPER_MAGIC, {"overlay", "rw,volatile"});
  EXPECT_EQ(kind_of_error([&] { nvm::backend::decide(lost, "pool", {}); }), ErrorKind::os);
}

TEST(BackendDecide, TakesDaxForDurable) {
  const Probe probe{.fs_name = "fsdax", .dax = true};
  const Medium medium = nvm::backend::decide(probe, "pool", {});
  EXPECT_EQ(medium.kind, Kind::dax);
  EXPECT_TRUE(medium.durable);
  EXPECT_FALSE(nvm::backend::decide(probe, "pool", Kind::memory).durable);
}

TEST(BackendProbe, TakesUnknownFileSystemsForDisks) {
  const Probe named = nvm::backend::identify(0x12345678, {"zfs", ""});
  EXPECT_EQ(named.family, Family::disk);
  EXPECT_EQ(named.fs_name, "zfs");
  EXPECT_EQ(nvm::backend::identify(0x12345678, {}).fs_name, "unknown");
  EXPECT_EQ(nvm::backend::identify(EXT4_SUPER_MAGIC, {}).fs_name, "ext4");
}

TEST(BackendMounts, AreFoundByNumberInTheTable) {
  constexpr std::string_view kTable =
      "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro\n"
      "23 22 0:21 / /merged rw,noatime shared:9 master:1 - overlay overlay "
      "rw,lowerdir=/l,volatile\n"
      "2 22 0:5 / /odd rw\n";
  const Mount root = nvm::backend::find_mount(kTable, "22");
  EXPECT_EQ(root.type, "ext4");
  EXPECT_EQ(root.options, "rw,errors=remount-ro");
  const Mount overlay = nvm::backend::find_mount(kTable, "23");
  EXPECT_EQ(overlay.type, "overlay");
  EXPECT_TRUE(overlay.has_option("volatile"));
  EXPECT_FALSE(overlay.has_option("vol"));
  EXPECT_TRUE(nvm::backend::find_mount(kTable, "2").type.empty());
  EXPECT_TRUE(nvm::backend::find_mount(kTable, "4").type.empty());
  EXPECT_TRUE(nvm::backend::find_mount(kTable, "").type.empty());
}

TEST(BackendMounts, KnowTmpfs) {
  const TemporaryFile file("/dev/shm");
  EXPECT_EQ(nvm::backend::mount_of(file.fd()).type, "tmpfs");
}

}  // namespace
