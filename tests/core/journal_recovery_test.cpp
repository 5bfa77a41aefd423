// What recovery stores of a journal's records, wherever these lie: the journal is looked at through
// windows of a fixed size, and runs that lie close to each other are written in one go.
#include "backend/journal/recovery.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "file_fixture.h"
#include "forwarding_file.h"

namespace nvm::backend::journal {
namespace {

constexpr uint64_t kLinesOfPage = kPage / kLine;
constexpr uint64_t kLinesOfWindow = kContentWindow / kLine;
constexpr uint64_t kSize = uint64_t{16} << 20;  // of the pool
constexpr char kOld = 'o';                      // what the pool's file has everywhere

struct Calls {
  std::vector<std::pair<uint64_t, uint64_t>> written;  // offset and length
  uint64_t longest = 0;                                // bytes of a call
};

class CountingFile final : public ForwardingFile {
 public:
  CountingFile(std::unique_ptr<DiskFile> file, Calls& calls)
      : ForwardingFile(std::move(file)), calls_(calls) {}

  void read(void* buffer, size_t length, uint64_t offset) override {
    calls_.longest = std::max<uint64_t>(calls_.longest, length);
    ForwardingFile::read(buffer, length, offset);
  }
  void write(const void* data, size_t length, uint64_t offset) override {
    calls_.longest = std::max<uint64_t>(calls_.longest, length);
    calls_.written.emplace_back(offset, length);
    ForwardingFile::write(data, length, offset);
  }

 private:
  Calls& calls_;
};

// A run of lines.
struct Lines {
  uint64_t first;
  uint64_t count;
};

class JournalRecovery : public heap::testing::FileTest {
 protected:
  void SetUp() override {
    FileTest::SetUp();
    wanted_ = std::exchange(wanted_half_bytes, uint64_t{4} << 20);
    begin();
  }
  void TearDown() override {
    wanted_half_bytes = wanted_;
    FileTest::TearDown();
  }

  // A pool that has nothing but old bytes, and a journal without records.
  void begin() {
    memory_.assign(kSize, kOld);
    put(std::string(kSize, kOld));
    journal_ = std::make_unique<JournalFile>(path("journal"), Identity{}, 0600);
    calls_ = {};
  }

  // Changes these lines, and commits that.
  void commit(const std::vector<Lines>& runs) {
    std::vector<uint64_t> lines;
    ++commits_;
    for (const Lines& run : runs) {
      for (uint64_t line = run.first; line < run.first + run.count; ++line) {
        lines.push_back(line);
        const uint64_t content[] = {commits_, line};
        std::memcpy(memory_.data() + line * kLine, content, sizeof content);
      }
    }
    std::vector<Write> writes;
    journal_->reserve(lines.size() * (kLine + sizeof(uint64_t)));
    journal_->append(lines, memory_.data(), writes);
    for (const Write& write : writes) {
      journal_->disk().write(write.bytes.data(), write.bytes.size(), write.offset);
      written_ = {write.offset, write.offset + write.bytes.size()};
    }
    record_ = writes.back().offset;
    body_ = writes.front().offset;
  }

  uint64_t recover() {
    const auto file = open_counted("journal");
    const auto pool = open_counted("pool");
    FileTarget target(*pool);
    return replay(*file, Identity{}, 0, kSize, target).records;
  }
  // The same in memory.
  std::string recovered_mapping() {
    std::string mapping(kSize, kOld);
    MappedTarget target(mapping.data());
    replay(journal_->disk(), Identity{}, 0, kSize, target);
    return mapping;
  }
  // All commits are there.
  void expect_all() {
    const uint64_t records = journal_->next_sequence() - 1;
    EXPECT_EQ(recover(), records);
    EXPECT_TRUE(content() == memory_);
    EXPECT_EQ(recover(), records);
    EXPECT_TRUE(content() == memory_) << "done twice";
    EXPECT_TRUE(recovered_mapping() == memory_);
  }
  void damage(uint64_t offset) { poke(offset, '~', "journal"); }

  std::unique_ptr<DiskFile> open_counted(const std::string& name) {
    return std::make_unique<CountingFile>(open_disk_file(path(name), true), calls_);
  }

  std::string memory_;  // the pool, as its owner sees it
  std::unique_ptr<JournalFile> journal_;
  uint64_t commits_ = 0;
  uint64_t record_ = 0;                    // where the last one lies
  uint64_t body_ = 0;                      // and its body, if it is elsewhere
  std::pair<uint64_t, uint64_t> written_;  // begin and end of the last write
  Calls calls_;

 private:
  uint64_t wanted_ = 0;
};

// A sync after a write to blocks that were never written waits for the file system's metadata too.
TEST_F(JournalRecovery, FewWritesReachBeyondWhatHasBeenWritten) {
  const uint64_t half = journal_->half_bytes();
  const uint64_t begin = kHalvesOffset + half;       // of the first generation
  uint64_t reached = begin + (uint64_t{256} << 10);  // written when the journal was made
  int beyond = 0;
  int commits = 0;
  while (journal_->used() < half / 2) {
    commit({{0, 40}});
    ++commits;
    if (written_.second <= reached) continue;
    reached = written_.second;
    EXPECT_EQ(reached % kPage, 0);
    EXPECT_LE(reached, begin + half);
    ++beyond;
  }
  EXPECT_GT(commits, 500);
  EXPECT_LT(beyond, 20);
  expect_all();
}

TEST_F(JournalRecovery, ZerosStayWithinTheHalf) {
  const uint64_t half = journal_->half_bytes();
  commit({{0, (half - (uint64_t{200} << 10)) / (kLine + 1)}});
  EXPECT_EQ(written_.second, kHalvesOffset + 2 * half);
  commit({{0, 1}});
  EXPECT_LT(written_.second, kHalvesOffset + 2 * half);
  expect_all();
}

TEST_F(JournalRecovery, StoresRecordsInOrder) {
  commit({{0, 2}, {5, 1}, {700, 3}});
  commit({{1, 1}, {5, 3}});
  commit({{701, 1}});
  expect_all();
}

TEST_F(JournalRecovery, GoesOnInTheNextGeneration) {
  commit({{0, 2}});
  journal_->begin_generation();
  commit({{1, 2}});
  expect_all();
  journal_->retire();
  EXPECT_EQ(recover(), 1u);
}

// Its header or its body begins in one window and ends in the next; the record behind it, too.
TEST_F(JournalRecovery, FindsRecordsAtTheEdgeOfTheWindow) {
  for (uint64_t before = kLinesOfWindow - 3; before <= kLinesOfWindow; ++before) {
    for (uint64_t runs = 1; runs <= 8; ++runs) {  // each moves what follows by a word
      begin();
      std::vector<Lines> first{{0, before - runs}};
      for (uint64_t run = 1; run < runs; ++run) first.push_back({before + 2 * run, 1});
      commit(first);
      commit({{3, 1}, {9, 2}});
      commit({{9, 1}, {20, 1}});
      SCOPED_TRACE(record_);
      expect_all();
    }
  }
}

TEST_F(JournalRecovery, StoresRunsAsLongAsTheWindow) {
  for (const uint64_t length : {kLinesOfWindow - 1, kLinesOfWindow, kLinesOfWindow + 1,
                                2 * kLinesOfWindow, kMostRunLines, 3 * kMostRunLines}) {
    begin();
    commit({{7, length}, {length + 9, 1}});
    commit({{length, 4}});
    SCOPED_TRACE(length);
    expect_all();
  }
}

// 100,000 runs, in a table and a body that take many windows.
TEST_F(JournalRecovery, StoresManyRuns) {
  std::vector<Lines> runs;
  for (uint64_t line = 0; line < 200'000; line += 2) runs.push_back({line, 1});
  commit(runs);
  ASSERT_TRUE(journal_->has_away());
  commit({{1, 3}});
  expect_all();
}

TEST_F(JournalRecovery, StoresNothingOfARecordThatIsTornInAnyWindow) {
  const std::string before = memory_;
  const uint64_t lines = 5 * kLinesOfWindow;
  commit({{0, lines}});
  ASSERT_TRUE(journal_->has_away());
  const uint64_t end = body_ + sizeof(uint64_t) * 2 + lines * kLine;
  const std::string whole = content("journal");
  for (const uint64_t torn : {body_, body_ + kContentWindow - 1, body_ + kContentWindow,
                              body_ + 3 * kContentWindow, end - 1}) {
    damage(torn);
    EXPECT_EQ(recover(), 0u) << torn - body_;
    EXPECT_TRUE(content() == before);
    put(whole, "journal");
  }
  EXPECT_EQ(recover(), 1u);
}

TEST_F(JournalRecovery, EndsAtARecordThatIsTorn) {
  commit({{0, 2}});
  const std::string before = memory_;
  commit({{1, 2}});
  const uint64_t torn = record_;
  commit({{2, 2}});
  damage(torn + sizeof(RecordHeader) + 20);
  EXPECT_EQ(recover(), 1u);
  EXPECT_TRUE(content() == before);
}

// ---- In one go

TEST_F(JournalRecovery, WritesRunsOfOnePageAndOfTheNextInOneGo) {
  commit({{3, 1}, {9, 2}, {kLinesOfPage + 60, 1}, {2 * kLinesOfPage + 1, 1}});
  recover();
  EXPECT_EQ(calls_.written.size(), 1u);
  EXPECT_EQ(calls_.written[0].first, 3 * kLine);
  EXPECT_TRUE(content() == memory_);
}

// It may be a hole.
TEST_F(JournalRecovery, WritesNoPageInWhichNothingChanged) {
  commit({{3, 1}, {2 * kLinesOfPage, 1}});
  recover();
  EXPECT_EQ(calls_.written.size(), 2u);
  EXPECT_TRUE(content() == memory_);
}

TEST_F(JournalRecovery, TakesNoMoreMemoryForALongerRecord) {
  commit({{0, 60'000}, {60'001, 60'000}, {120'002, 60'000}});
  ASSERT_TRUE(journal_->has_away());
  recover();
  EXPECT_LE(calls_.longest, kContentWindow);
  EXPECT_LE(calls_.longest, Target::kMost);
}

// Groups end where no more fits, whatever lies there.
TEST_F(JournalRecovery, SplitsWhatIsTooLongForOneGo) {
  constexpr uint64_t most = Target::kMost / kLine;
  for (const uint64_t gap_at : {most - 2, most - 1, most, most + 1}) {
    begin();
    commit({{0, 1}, {2, gap_at - 2}, {gap_at + 1, most}, {gap_at + most + 2, 3}});
    SCOPED_TRACE(gap_at);
    expect_all();
  }
}

// ---- What no record may say

TEST_F(JournalRecovery, RefusesBytesOutsideOfThePool) {
  commit({{0, 2}, {kSize / kLine - 1, 1}});
  const auto file = open_counted("journal");
  const auto pool = open_counted("pool");
  FileTarget target(*pool);
  const auto kind = [&](uint64_t begin, uint64_t end) {
    return heap::testing::caught([&] { replay(*file, Identity{}, begin, end, target); }).kind;
  };
  EXPECT_EQ(kind(kLine, kSize), ErrorKind::corrupt);
  EXPECT_EQ(kind(0, kSize - kLine), ErrorKind::corrupt);
}

}  // namespace
}  // namespace nvm::backend::journal
