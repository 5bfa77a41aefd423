// The enumeration of media: what is possible, counted by hand.
#include "crash/media.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "crash/recorder.h"
#include "crash/tiny_model.h"
#include "pmem/store.h"

namespace nvm::crash::tiny {
namespace {

TEST(Media, AStoreIsThereOrNot) {
  Model model;
  pmem::store(model.line(0), uint64_t{1});
  const Media media = media_of(model.recorder.finish());
  EXPECT_EQ(media.states.size(), 2U);
  EXPECT_EQ(media.summary.cuts, 1U);
  EXPECT_EQ(media.summary.exhaustive_cuts, 1U);
}

TEST(Media, ALineIsTornIntoPrefixesOfItsStores) {
  Model model;
  for (uint64_t i = 0; i < 3; ++i) pmem::store(model.line(0) + 2 - i, i + 1);
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
      pmem::store(model.line(line) + word, uint64_t{7});
    }
  }
  EXPECT_EQ(media_of(model.recorder.finish()).states.size(), 9U);
}

TEST(Media, ACopyIsSplitIntoWordsInAscendingOrder) {
  Model model;
  const std::string text(2 * kLineSize, 'x');
  pmem::copy(model.line(1), text.data(), text.size());
  const Media media = media_of(model.recorder.finish());
  EXPECT_EQ(media.states.size(), 81U);
  for (const Words& words : media.states) {
    EXPECT_TRUE(words[kWordsOfLine] != 0 || words[kWordsOfLine + 1] == 0);
  }
}

TEST(Media, AFlushAndAFenceMakeAStoreDurable) {
  Model model;
  pmem::store(model.line(0), uint64_t{1});
  model.flush(model.line(0));
  model.fence();
  pmem::store(model.line(1), uint64_t{2});
  const Media media = media_of(model.recorder.finish());
  EXPECT_EQ(media.states.size(), 3U);  // nothing, the first, both
  EXPECT_EQ(media.summary.states, 3U);
  EXPECT_EQ(media.summary.duplicates, 1U);
}

TEST(Media, AFlushAloneMakesNothingDurable) {
  Model model;
  pmem::store(model.line(0), uint64_t{1});
  model.flush(model.line(0));
  pmem::store(model.line(1), uint64_t{2});
  EXPECT_EQ(media_of(model.recorder.finish()).states.size(), 4U);
}

TEST(Media, AFenceAloneMakesNothingDurable) {
  Model model;
  pmem::store(model.line(0), uint64_t{1});
  model.fence();
  pmem::store(model.line(1), uint64_t{2});
  EXPECT_EQ(media_of(model.recorder.finish()).states.size(), 4U);
}

TEST(Media, AFlushTakesTheStoresBeforeIt) {
  Model model;
  pmem::store(model.line(0), uint64_t{1});
  model.flush(model.line(0));
  pmem::store(model.line(0), uint64_t{2});
  model.fence();
  pmem::store(model.line(1), uint64_t{3});
  std::set<std::pair<uint64_t, uint64_t>> seen;
  for (const Words& words : media_of(model.recorder.finish()).states) {
    seen.emplace(words[0], words[kWordsOfLine]);
  }
  const std::set<std::pair<uint64_t, uint64_t>> expected{{0, 0}, {1, 0}, {2, 0}, {1, 3}, {2, 3}};
  EXPECT_EQ(seen, expected);
}

TEST(Media, AFenceIsOfItsOwnThreadsFlushes) {
  Model model;
  pmem::store(model.line(0), uint64_t{1});
  model.flush(model.line(0));
  std::thread([&] { model.fence(); }).join();
  pmem::store(model.line(1), uint64_t{2});
  EXPECT_EQ(media_of(model.recorder.finish()).states.size(), 4U);
}

TEST(Media, WordsThatComeBackAreOneState) {
  Model model;
  for (const uint64_t value : {1, 2, 0, 1}) pmem::store(model.line(0), value);
  const Media media = media_of(model.recorder.finish());
  EXPECT_EQ(media.summary.states, 3U);
  EXPECT_EQ(media.summary.duplicates, 2U);
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
    EXPECT_NE(to_string(site).find("tiny_model.h"), std::string::npos);
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
  pmem::store(model.line(0), uint64_t{1});
  model.flush(model.line(0));
  model.fence();
  model.recorder.returned(10);
  model.recorder.begin(11);
  pmem::store(model.line(0), uint64_t{2});
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
  for (size_t i = 0; i < 4; ++i) pmem::store(model.line(i), uint64_t{1});
  uint64_t judged = 0;
  const Summary summary = judge_media(model.recorder.finish(),
                                      [&](const std::string&, const Cut&) { return ++judged < 5; });
  EXPECT_TRUE(summary.stopped);
  EXPECT_EQ(summary.states, 5U);
}

TEST(Judging, UndoesWhatTheJudgeDidToTheFile) {
  Model model;
  pmem::store(model.line(0), uint64_t{1});
  pmem::store(model.line(9), uint64_t{1});
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
  pmem::store(model.line(2), uint64_t{1});
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
  for (size_t i = 0; i < kLines; ++i) pmem::store(model.line(i), uint64_t{1});
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
  for (size_t i = 0; i < kOld; ++i) pmem::store(model.line(i), uint64_t{1});
  model.fence();
  for (size_t i = kOld; i < kOld + 3; ++i) pmem::store(model.line(i), uint64_t{1});
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

}  // namespace
}  // namespace nvm::crash::tiny
