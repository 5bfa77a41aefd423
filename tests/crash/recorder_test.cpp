// The recorder and the enumeration of media, on models small enough to count by hand.
#include "crash/recorder.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <libpmem.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "crash/media.h"
#include "pmem/store.h"

namespace {

using nvm::crash::Counts;
using nvm::crash::Cut;
using nvm::crash::Effort;
using nvm::crash::judge_media;
using nvm::crash::kLineSize;
using nvm::crash::Recorder;
using nvm::crash::Recording;
using nvm::crash::Scan;
using nvm::crash::SiteSeen;
using nvm::crash::Summary;

constexpr size_t kWords = 512;
constexpr size_t kWordsOfLine = kLineSize / sizeof(uint64_t);
using Words = std::array<uint64_t, kWords>;

// A pool of 4 KiB that is stored to, flushed and fenced as the core does it.
class Model {
 public:
  explicit Model(Scan scan = Scan::at_fences)
      : recorder(std::vector<char>(sizeof(Words)), scan), backend_(recorder.make_backend()) {
    nvm::backend::attach(*backend_, words.data(), sizeof(Words));
  }
  ~Model() { nvm::backend::detach(words.data()); }
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  uint64_t* line(size_t number) { return &words[number * kWordsOfLine]; }

  void flush(const void* address, size_t length = sizeof(uint64_t), nvm::pmem::Site site = {}) {
    if (nvm::pmem::hook_flush(site)) backend_->flush(address, length);
  }
  void fence(nvm::pmem::Site site = {}) {
    if (nvm::pmem::hook_drain(site)) backend_->drain();
  }

  alignas(kLineSize) Words words{};
  Recorder recorder;

 private:
  std::unique_ptr<nvm::backend::Backend> backend_;
};

Words read_words(const std::string& path) {
  Words words{};
  std::ifstream stream(path, std::ios::binary);
  stream.read(reinterpret_cast<char*>(words.data()), sizeof(Words));
  EXPECT_EQ(stream.gcount(), static_cast<std::streamsize>(sizeof(Words)));
  return words;
}

// All media of the recording, and how they were found.
struct Media {
  std::set<Words> states;
  Summary summary;
};

Media media_of(Recording recording, const Effort& effort = {}) {
  Media media;
  media.summary = judge_media(
      recording,
      [&](const std::string& path, const Cut&) {
        media.states.insert(read_words(path));
        return true;
      },
      effort);
  return media;
}

TEST(Media, AStoreIsThereOrNot) {
  Model model;
  nvm::pmem::store(model.line(0), uint64_t{1});
  const Media media = media_of(model.recorder.finish());
  EXPECT_EQ(media.states.size(), 2U);
  EXPECT_EQ(media.summary.cuts, 1U);
  EXPECT_EQ(media.summary.exhaustive_cuts, 1U);
}

TEST(Media, ALineIsTornIntoPrefixesOfItsStores) {
  Model model;
  for (uint64_t i = 0; i < 3; ++i) nvm::pmem::store(model.line(0) + 2 - i, i + 1);
  const Media media = media_of(model.recorder.finish());
  std::set<Words> expected;
  Words words{};
  expected.insert(words);
  for (uint64_t i = 0; i < 3; ++i) {
    words[2 - i] = i + 1;
    expected.insert(words);
  }
  EXPECT_EQ(media.states, expected);
}

TEST(Media, LinesAreIndependent) {
  Model model;
  for (size_t line = 0; line < 2; ++line) {
    for (size_t word = 0; word < 2; ++word) {
      nvm::pmem::store(model.line(line) + word, uint64_t{7});
    }
  }
  EXPECT_EQ(media_of(model.recorder.finish()).states.size(), 9U);
}

TEST(Media, ACopyIsSplitIntoWordsInAscendingOrder) {
  Model model;
  const std::string text(2 * kLineSize, 'x');
  nvm::pmem::copy(model.line(1), text.data(), text.size());
  const Media media = media_of(model.recorder.finish());
  EXPECT_EQ(media.states.size(), 81U);
  for (const Words& words : media.states) {
    EXPECT_TRUE(words[kWordsOfLine] != 0 || words[kWordsOfLine + 1] == 0);
  }
}

TEST(Media, AFlushAndAFenceMakeAStoreDurable) {
  Model model;
  nvm::pmem::store(model.line(0), uint64_t{1});
  model.flush(model.line(0));
  model.fence();
  nvm::pmem::store(model.line(1), uint64_t{2});
  const Media media = media_of(model.recorder.finish());
  EXPECT_EQ(media.states.size(), 3U);  // nothing, the first, both
  EXPECT_EQ(media.summary.states, 3U);
  EXPECT_EQ(media.summary.duplicates, 1U);
}

TEST(Media, AFlushAloneMakesNothingDurable) {
  Model model;
  nvm::pmem::store(model.line(0), uint64_t{1});
  model.flush(model.line(0));
  nvm::pmem::store(model.line(1), uint64_t{2});
  EXPECT_EQ(media_of(model.recorder.finish()).states.size(), 4U);
}

TEST(Media, AFenceAloneMakesNothingDurable) {
  Model model;
  nvm::pmem::store(model.line(0), uint64_t{1});
  model.fence();
  nvm::pmem::store(model.line(1), uint64_t{2});
  EXPECT_EQ(media_of(model.recorder.finish()).states.size(), 4U);
}

TEST(Media, AFlushTakesTheStoresBeforeIt) {
  Model model;
  nvm::pmem::store(model.line(0), uint64_t{1});
  model.flush(model.line(0));
  nvm::pmem::store(model.line(0), uint64_t{2});
  model.fence();
  nvm::pmem::store(model.line(1), uint64_t{3});
  std::set<std::pair<uint64_t, uint64_t>> seen;
  for (const Words& words : media_of(model.recorder.finish()).states) {
    seen.emplace(words[0], words[kWordsOfLine]);
  }
  const std::set<std::pair<uint64_t, uint64_t>> expected{{0, 0}, {1, 0}, {2, 0}, {1, 3}, {2, 3}};
  EXPECT_EQ(seen, expected);
}

TEST(Media, AFenceIsOfItsOwnThreadsFlushes) {
  Model model;
  nvm::pmem::store(model.line(0), uint64_t{1});
  model.flush(model.line(0));
  std::thread([&] { model.fence(); }).join();
  nvm::pmem::store(model.line(1), uint64_t{2});
  EXPECT_EQ(media_of(model.recorder.finish()).states.size(), 4U);
}

TEST(Media, WordsThatComeBackAreOneState) {
  Model model;
  for (const uint64_t value : {1, 2, 0, 1}) nvm::pmem::store(model.line(0), value);
  const Media media = media_of(model.recorder.finish());
  EXPECT_EQ(media.summary.states, 3U);
  EXPECT_EQ(media.summary.duplicates, 2U);
}

// A record and the mark that says it is whole, in two lines.
constexpr uint64_t kRecord = 42;

void write_record(Model& model) {
  nvm::pmem::store(model.line(0), kRecord);
  model.flush(model.line(0));
  model.fence();
  nvm::pmem::store(model.line(1), uint64_t{1});
  model.flush(model.line(1));
  model.fence();
}

uint64_t bad_states(const Recording& recording, Summary* summary = nullptr) {
  uint64_t bad = 0;
  const Summary found = judge_media(recording, [&](const std::string& path, const Cut& cut) {
    const Words words = read_words(path);
    const bool marked = words[kWordsOfLine] != 0;
    if (marked && words[0] != kRecord) ++bad;
    if (!cut.returned.empty() && !marked) ++bad;
    return true;
  });
  if (summary != nullptr) *summary = found;
  return bad;
}

Recording record_without(const SiteSeen* site) {
  Model model;
  if (site != nullptr) model.recorder.leave_out(*site);
  model.recorder.operation(1, [&] { write_record(model); });
  return model.recorder.finish();
}

TEST(Mutants, EveryFlushAndFenceOfARecordIsNeeded) {
  Model model;
  model.recorder.operation(1, [&] { write_record(model); });
  const std::vector<SiteSeen> sites = model.recorder.sites();
  Summary right;
  EXPECT_EQ(bad_states(model.recorder.finish(), &right), 0U);
  ASSERT_EQ(sites.size(), 4U);
  for (const SiteSeen& site : sites) {
    EXPECT_EQ(site.hits, 1U);
    EXPECT_NE(to_string(site).find("recorder_test.cpp"), std::string::npos);
    Summary mutant;
    EXPECT_GT(bad_states(record_without(&site), &mutant), 0U) << to_string(site);
    if (site.kind == SiteSeen::Kind::flush) {
      EXPECT_GT(mutant.states, right.states) << to_string(site);
    }
  }
  EXPECT_EQ(bad_states(record_without(nullptr)), 0U);
}

TEST(Mutants, SitesAreTheCallersLines) {
  Model model;
  model.fence();
  model.fence();
  for (int i = 0; i < 3; ++i) model.fence();
  const std::vector<SiteSeen> sites = model.recorder.sites();
  ASSERT_EQ(sites.size(), 3U);
  EXPECT_EQ(sites[1].line, sites[0].line + 1);
  EXPECT_EQ(sites[2].hits, 3U);
  EXPECT_EQ(sites[0].kind, SiteSeen::Kind::fence);
}

TEST(History, IsThatOfTheMomentOfTheCut) {
  Model model;
  model.recorder.begin(10);
  nvm::pmem::store(model.line(0), uint64_t{1});
  model.flush(model.line(0));
  model.fence();
  model.recorder.returned(10);
  model.recorder.begin(11);
  nvm::pmem::store(model.line(0), uint64_t{2});
  std::set<std::string> seen;
  judge_media(model.recorder.finish(), [&](const std::string& path, const Cut& cut) {
    std::string history;
    for (const uint64_t operation : cut.returned)
      history += "returned " + std::to_string(operation);
    for (const uint64_t operation : cut.unfinished) history += " in " + std::to_string(operation);
    seen.insert(history + ": " + std::to_string(read_words(path)[0]));
    return true;
  });
  const std::set<std::string> expected{": 0",
                                       " in 10: 0",
                                       " in 10: 1",
                                       "returned 10: 1",
                                       "returned 10 in 11: 1",
                                       "returned 10 in 11: 2"};
  EXPECT_EQ(seen, expected);
}

TEST(Judging, StopsWhenTheJudgeSaysSo) {
  Model model;
  for (size_t i = 0; i < 4; ++i) nvm::pmem::store(model.line(i), uint64_t{1});
  uint64_t judged = 0;
  const Summary summary = judge_media(model.recorder.finish(),
                                      [&](const std::string&, const Cut&) { return ++judged < 5; });
  EXPECT_TRUE(summary.stopped);
  EXPECT_EQ(summary.states, 5U);
}

TEST(Judging, UndoesWhatTheJudgeDidToTheFile) {
  Model model;
  nvm::pmem::store(model.line(0), uint64_t{1});
  nvm::pmem::store(model.line(9), uint64_t{1});
  std::set<Words> seen;
  judge_media(model.recorder.finish(), [&](const std::string& path, const Cut&) {
    seen.insert(read_words(path));
    const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
    EXPECT_EQ(pwrite(fd, "scribble", 8, 200), 8);
    EXPECT_EQ(pwrite(fd, "scribble", 8, 3 * sizeof(Words)), 8);
    if (seen.size() == 2) {
      EXPECT_EQ(ftruncate(fd, 0), 0);
    }
    close(fd);
    return true;
  });
  EXPECT_EQ(seen.size(), 4U);
  for (const Words& words : seen) EXPECT_EQ(words[25], 0U);
}

TEST(Judging, DescribesTheState) {
  Model model;
  model.recorder.begin(3);
  nvm::pmem::store(model.line(2), uint64_t{1});
  std::string last;
  judge_media(model.recorder.finish(), [&](const std::string&, const Cut& cut) {
    last = cut.describe();
    return true;
  });
  EXPECT_EQ(last,
            "cut 1 before event 2, 0 operations returned, in 3\n"
            "  line 0x80: 1 of 1 unfenced stores");
}

TEST(Sampling, HasTheExtremesAndEachLineAlone) {
  constexpr size_t kLines = 40;
  Model model;
  for (size_t i = 0; i < kLines; ++i) nvm::pmem::store(model.line(i), uint64_t{1});
  const Recording recording = model.recorder.finish();
  const Effort effort{.exhaustive = 100, .samples = 50};
  const Media media = media_of(recording, effort);
  EXPECT_EQ(media.summary.exhaustive_cuts, 0U);
  EXPECT_EQ(media.summary.states, media.states.size());
  EXPECT_GT(media.states.size(), 2 + 2 * kLines);
  EXPECT_LE(media.states.size(), 2 + 2 * kLines + effort.samples);
  Words none{};
  Words all{};
  for (size_t i = 0; i < kLines; ++i) all[i * kWordsOfLine] = 1;
  EXPECT_EQ(media.states.count(none), 1U);
  EXPECT_EQ(media.states.count(all), 1U);
  for (size_t i = 0; i < kLines; ++i) {
    Words ahead = none;
    Words behind = all;
    ahead[i * kWordsOfLine] = 1;
    behind[i * kWordsOfLine] = 0;
    EXPECT_EQ(media.states.count(ahead), 1U);
    EXPECT_EQ(media.states.count(behind), 1U);
  }
  EXPECT_EQ(media_of(recording, effort).states, media.states);  // the same seed
}

TEST(Sampling, CombinesWhatTheLastFenceLeft) {
  constexpr size_t kOld = 40;
  Model model;
  for (size_t i = 0; i < kOld; ++i) nvm::pmem::store(model.line(i), uint64_t{1});
  model.fence();
  for (size_t i = kOld; i < kOld + 3; ++i) nvm::pmem::store(model.line(i), uint64_t{1});
  const Media media = media_of(model.recorder.finish(), {.exhaustive = 16, .samples = 0});
  for (size_t subset = 0; subset < 8; ++subset) {
    for (const uint64_t old : {uint64_t{0}, uint64_t{1}}) {
      Words words{};
      for (size_t i = 0; i < kOld; ++i) words[i * kWordsOfLine] = old;
      for (size_t i = 0; i < 3; ++i) words[(kOld + i) * kWordsOfLine] = subset >> i & 1;
      EXPECT_EQ(media.states.count(words), 1U);
    }
  }
}

TEST(Recorder, FindsPlainStoresWhenTheirLinesAreFlushed) {
  Model model(Scan::never);
  *model.line(0) = 1;
  *model.line(1) = 1;
  model.flush(model.line(0));
  EXPECT_EQ(media_of(model.recorder.finish()).states.size(), 2U);
}

TEST(Recorder, FindsPlainStoresThatNobodyFlushes) {
  Model model(Scan::at_fences);
  *model.line(0) = 1;
  model.fence();
  *model.line(1) = 1;
  EXPECT_EQ(media_of(model.recorder.finish()).states.size(), 4U);
}

TEST(Recorder, SeesLibpmemsCopies) {
  Model model(Scan::never);
  const uint64_t value = 5;
  pmem_memcpy(model.line(0), &value, sizeof(value), PMEM_F_MEM_NOFLUSH);
  pmem_memmove(model.line(1), &value, sizeof(value), PMEM_F_MEM_NODRAIN);
  pmem_memset(model.line(2), 0xff, sizeof(value), 0);
  nvm::pmem::store(model.line(3), uint64_t{1});
  const Media media = media_of(model.recorder.finish());
  // Eight before the fence of the last; then only the first, which is not flushed, is uncertain.
  EXPECT_EQ(media.states.size(), 8U + 2U);
  EXPECT_EQ(media.summary.duplicates, 2U);
}

TEST(Recorder, GetsLibpmemobjsDrainForAFlushOfOurs) {
  Model model;
  nvm::pmem::store(model.line(0), uint64_t{1});
  model.flush(model.line(0));
  pmem_drain();
  EXPECT_EQ(model.recorder.counts().fences, 1U);
}

TEST(Recorder, IgnoresWhatItIsTold) {
  Model model;
  model.recorder.ignore(kLineSize, kLineSize);
  nvm::pmem::store(model.line(0), uint64_t{1});
  nvm::pmem::store(model.line(1), uint64_t{1});
  const Media media = media_of(model.recorder.finish());
  EXPECT_EQ(media.states.size(), 2U);
  for (const Words& words : media.states) EXPECT_EQ(words[kWordsOfLine], 0U);
}

TEST(Recorder, LeavesOutStoresThatChangeNothing) {
  Model model;
  nvm::pmem::store(model.line(0), uint64_t{0});
  nvm::pmem::zero(model.line(1), 10 * kLineSize);
  EXPECT_EQ(model.recorder.counts().stores, 2U);
  EXPECT_TRUE(model.recorder.finish().events.empty());
}

TEST(Recorder, CountsWhatAnOperationCosts) {
  Model model;
  write_record(model);
  const Counts cost = model.recorder.cost_of([&] {
    nvm::pmem::store(model.line(0), uint64_t{1});
    nvm::pmem::store(model.line(1), uint64_t{1});
    model.flush(model.line(0), 2 * kLineSize);
    model.fence();
    nvm::pmem::hook_publish();
  });
  EXPECT_EQ(cost, (Counts{.stores = 2, .flushes = 1, .lines = 2, .fences = 1, .publishes = 1}));
  EXPECT_EQ(to_string(cost), "2 stores, 1 flushes of 2 lines, 1 fences, 1 publishes");
}

TEST(Recorder, StopsWhenFinishedThoughTheBackendLivesOn) {
  auto model = std::make_unique<Model>();
  nvm::pmem::store(model->line(0), uint64_t{1});
  const Recording recording = model->recorder.finish();
  nvm::pmem::store(model->line(1), uint64_t{1});
  model->flush(model->line(1));
  model->fence();
  EXPECT_EQ(recording.events.size(), 1U);
  EXPECT_TRUE(model->recorder.finish().events.empty());
  EXPECT_NO_THROW(Recorder{std::vector<char>()});
}

TEST(Recorder, RecordsOnePoolOfThoseThatAreOpened) {
  Model model;
  const auto second = nvm::backend::make(nvm::backend::Kind::dax);
  EXPECT_EQ(second->kind(), nvm::backend::Kind::memory);
  EXPECT_THROW(Recorder{std::vector<char>()}, std::logic_error);
}

TEST(Recorder, FollowsAPoolThatGrowsAndMoves) {
  constexpr size_t kSmall = 4 * kLineSize;
  alignas(kLineSize) std::array<char, kSmall> small{};
  alignas(kLineSize) std::array<char, 2 * kSmall> large{};
  Recorder recorder(std::vector<char>{});
  const auto backend = recorder.make_backend();
  nvm::backend::attach(*backend, small.data(), small.size());
  nvm::pmem::store(&small[0], 'a');
  backend->flush(&small[0], 1);
  backend->drain();
  nvm::backend::detach(small.data());
  large[0] = small[0];
  nvm::backend::attach(*backend, large.data(), large.size());
  nvm::pmem::store(&large[kSmall], 'b');
  nvm::backend::detach(large.data());
  std::set<std::string> contents;
  judge_media(recorder.finish(), [&](const std::string& path, const Cut&) {
    std::ifstream stream(path, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(stream), {}};
    std::string short_form = std::to_string(bytes.size());
    for (const char byte : bytes) {
      if (byte != 0) short_form += byte;
    }
    contents.insert(short_form);
    return true;
  });
  EXPECT_EQ(contents, (std::set<std::string>{"0", "256", "256a", "512a", "512ab"}));
}

}  // namespace
