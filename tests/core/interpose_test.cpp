// libnvm_pmem: where the nine functions of libpmem go.
#include "pmem/interpose/interpose.h"

#include <gtest/gtest.h>
#include <libpmem.h>
#include <libpmemobj.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "backend/backend.h"

namespace {

namespace interpose = nvm::pmem::interpose;

// Writes down what it is asked, in the words of libpmem.
struct Spy {
  std::vector<std::string> calls;
  unsigned flags = 0;

  interpose::Target target() { return {&kOperations, this}; }

  static void note(void* context, const char* call) {
    static_cast<Spy*>(context)->calls.emplace_back(call);
  }
  static void* note(void* context, const char* call, void* destination, unsigned flags) {
    static_cast<Spy*>(context)->flags = flags;
    note(context, call);
    return destination;
  }

  static constexpr interpose::Operations kOperations{
      .is_pmem = [](void* spy, const void*, size_t) { return note(spy, "is_pmem"), true; },
      .flush = [](void* spy, const void*, size_t) { note(spy, "flush"); },
      .drain = [](void* spy) { note(spy, "drain"); },
      .deep_flush = [](void* spy, const void*, size_t) { note(spy, "deep_flush"); },
      .msync = [](void* spy, const void*, size_t) { note(spy, "msync"); },
      .copy = [](void* spy, void* to, const void*, size_t,
                 unsigned flags) { return note(spy, "copy", to, flags); },
      .move = [](void* spy, void* to, const void*, size_t,
                 unsigned flags) { return note(spy, "move", to, flags); },
      .set = [](void* spy, void* to, int, size_t,
                unsigned flags) { return note(spy, "set", to, flags); },
  };
};

using Calls = std::vector<std::string>;

class Range {
 public:
  explicit Range(Spy& spy) { EXPECT_TRUE(interpose::attach(bytes.data(), kSize, spy.target())); }
  ~Range() { interpose::detach(bytes.data()); }
  Range(const Range&) = delete;
  Range& operator=(const Range&) = delete;

  static constexpr size_t kSize = 256;
  alignas(64) std::array<char, kSize> bytes{};
  char* data() { return bytes.data(); }
};

TEST(Interpose, CallsForARangeGoToItsOperations) {
  Spy spy;
  Range range(spy);
  EXPECT_EQ(pmem_is_pmem(range.data(), 8), 1);
  pmem_flush(range.data(), 8);
  pmem_drain();
  pmem_deep_flush(range.data(), 8);
  EXPECT_EQ(pmem_msync(range.data(), 8), 0);
  EXPECT_EQ(pmem_memcpy(range.data(), "x", 1, PMEM_F_MEM_NODRAIN), range.data());
  EXPECT_EQ(spy.flags, PMEM_F_MEM_NODRAIN);
  EXPECT_EQ(pmem_memmove(range.data(), "x", 1, PMEM_F_MEM_NOFLUSH), range.data());
  EXPECT_EQ(spy.flags, PMEM_F_MEM_NOFLUSH);
  EXPECT_EQ(pmem_memset(range.data() + Range::kSize - 1, 0, 1, 0), range.data() + Range::kSize - 1);
  EXPECT_EQ(spy.calls,
            (Calls{"is_pmem", "flush", "drain", "deep_flush", "msync", "copy", "move", "set"}));
}

TEST(Interpose, PersistIsAFlushAndADrain) {
  Spy spy;
  Range range(spy);
  pmem_persist(range.data(), 8);
  EXPECT_EQ(spy.calls, (Calls{"flush", "drain"}));
  pmem_drain();  // nothing is left to drain there
  EXPECT_EQ(spy.calls.size(), 2U);
}

TEST(Interpose, OtherAddressesGoToTheRealLibpmem) {
  Spy spy;
  Range range(spy);
  alignas(64) std::array<char, 128> other{};
  EXPECT_EQ(pmem_is_pmem(other.data(), other.size()), 0);
  pmem_memset(other.data(), 7, other.size(), 0);
  pmem_memcpy(other.data(), "ab", 2, 0);
  pmem_memmove(other.data() + 1, other.data(), 2, 0);
  pmem_persist(other.data(), other.size());
  pmem_deep_flush(other.data(), other.size());
  EXPECT_EQ(std::string(other.data(), 4), "aab\7");
  pmem_is_pmem(range.data() + Range::kSize, 1);  // the first byte beyond
  EXPECT_TRUE(spy.calls.empty());
}

TEST(Interpose, TheRealMsyncStillReportsFailure) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  void* gone = mmap(nullptr, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(gone, page);
  EXPECT_EQ(pmem_msync(gone, page), -1);
}

TEST(Interpose, DrainGoesWhereThisThreadFlushed) {
  Spy first_spy;
  Spy second_spy;
  Range first(first_spy);
  Range second(second_spy);
  pmem_drain();
  EXPECT_TRUE(first_spy.calls.empty());
  pmem_flush(second.data(), 8);
  std::thread([] { pmem_drain(); }).join();
  EXPECT_EQ(second_spy.calls, (Calls{"flush"}));
  pmem_drain();
  EXPECT_EQ(second_spy.calls, (Calls{"flush", "drain"}));
  EXPECT_TRUE(first_spy.calls.empty());
}

TEST(Interpose, TurningToAnotherRangeDrainsTheFirst) {
  Spy first_spy;
  Spy second_spy;
  Range first(first_spy);
  Range second(second_spy);
  pmem_flush(first.data(), 8);
  pmem_flush(second.data(), 8);
  EXPECT_EQ(first_spy.calls, (Calls{"flush", "drain"}));
  EXPECT_EQ(second_spy.calls, (Calls{"flush"}));
}

TEST(Interpose, NotedFlushesAreDrainedToo) {
  Spy spy;
  Range range(spy);
  interpose::note_flush(range.data() + 1);
  pmem_drain();
  EXPECT_EQ(spy.calls, (Calls{"drain"}));
}

TEST(Interpose, DetachedRangesAreAskedNoMore) {
  Spy spy;
  Spy next_spy;
  auto range = std::make_unique<Range>(spy);
  pmem_flush(range->data(), 8);
  EXPECT_EQ(interpose::detach(range->data()).context, &spy);
  EXPECT_EQ(interpose::detach(range->data()).operations, nullptr);
  Range next(next_spy);  // takes the slot
  pmem_drain();
  pmem_flush(range->data(), 8);
  EXPECT_EQ(spy.calls, (Calls{"flush"}));
  EXPECT_TRUE(next_spy.calls.empty());
}

TEST(Interpose, OpeningHoldsAddressesThatNoRangeHolds) {
  Spy spy;
  Spy opening_spy;
  Range range(spy);
  std::array<char, 8> other{};
  EXPECT_EQ(interpose::set_opening(opening_spy.target()).operations, nullptr);
  EXPECT_EQ(pmem_is_pmem(other.data(), other.size()), 1);
  pmem_flush(range.data(), 8);
  pmem_drain();
  std::thread([&] { EXPECT_EQ(pmem_is_pmem(other.data(), other.size()), 0); }).join();
  pmem_flush(other.data(), other.size());
  EXPECT_EQ(interpose::set_opening({}).context, &opening_spy);
  pmem_drain();
  EXPECT_EQ(pmem_is_pmem(other.data(), other.size()), 0);
  EXPECT_EQ(opening_spy.calls, (Calls{"is_pmem", "flush", "drain"}));
  EXPECT_EQ(spy.calls, (Calls{"flush", "drain"}));
}

TEST(Interpose, AttachSaysWhenTheTableIsFull) {
  Spy spy;
  std::vector<char> bytes(interpose::kMaxRanges + 1);
  for (size_t i = 0; i < interpose::kMaxRanges; ++i) {
    ASSERT_TRUE(interpose::attach(&bytes[i], 1, spy.target()));
  }
  EXPECT_FALSE(interpose::attach(&bytes.back(), 1, spy.target()));
  EXPECT_EQ(pmem_is_pmem(&bytes[interpose::kMaxRanges - 1], 1), 1);
  for (const char& byte : bytes) interpose::detach(&byte);
  EXPECT_EQ(pmem_is_pmem(bytes.data(), 1), 0);
}

TEST(Interpose, LookupsAreRightWhileOtherRangesComeAndGo) {
  Spy spy;
  Range range(spy);
  std::atomic<bool> stop{false};
  std::vector<std::thread> others;
  for (int i = 0; i < 2; ++i) {
    others.emplace_back([&stop] {
      Spy own;
      while (!stop.load()) {
        const Range coming_and_going(own);
        std::this_thread::yield();
      }
    });
  }
  constexpr int kLookups = 20000;
  for (int i = 0; i < kLookups; ++i) pmem_flush(range.data() + i % Range::kSize, 1);
  stop = true;
  for (std::thread& other : others) other.join();
  EXPECT_EQ(spy.calls.size(), static_cast<size_t>(kLookups));
}

TEST(Interpose, AForkedChildHasTheTableOfItsParent) {
  Spy spy;
  Range range(spy);
  const pid_t child = fork();
  if (child == 0) {
    pmem_persist(range.data(), 8);
    Range own(spy);
    pmem_persist(own.data(), 8);
    _exit(spy.calls.size() == 4 ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(spy.calls.empty());
}

// What host.cpp prints for the plugin when other libraries were opened before it.
std::string run_host(const std::string& before) {
  const std::string command = std::string(NVM_LOADER_HOST) + " " + before + " " + NVM_LOADER_PLUGIN;
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::array<char, 128> line{};
  if (fgets(line.data(), line.size(), pipe.get()) == nullptr) return "";
  return line.data();
}

TEST(InterposeLoader, AnExtensionModuleGetsTheCallsOfLibpmemobj) {
  EXPECT_EQ(run_host(""), "interposed=1 passes_through=1\n");
}

TEST(InterposeLoader, ALocalLibpmemLoadedBeforeDoesNoHarm) {
  EXPECT_EQ(run_host("local:libpmem.so.1"), "interposed=1 passes_through=1\n");
}

TEST(InterposeLoader, ALibpmemobjLoadedBeforeIsNoticed) {
  EXPECT_EQ(run_host("local:libpmemobj.so.1"), "interposed=0 passes_through=1\n");
  EXPECT_EQ(run_host("global:libpmemobj.so.1"), "interposed=0 passes_through=1\n");
}

TEST(InterposeLoader, AGlobalLibpmemLoadedBeforeIsNoticed) {
  EXPECT_EQ(run_host("global:libpmem.so.1"), "interposed=0 passes_through=1\n");
}

TEST(InterposeLoader, ThisProgramIsInterposed) {
  EXPECT_TRUE(nvm::backend::interposed());
  EXPECT_TRUE(nvm::backend::interposed());
}

}  // namespace
