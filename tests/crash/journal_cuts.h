// The journal backend, cut at every write and sync of a workload: a fixture that runs steps, builds
// what a cut of power could have left, and judges it in the real code. A state that is wrong is
// kept, as its files.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "backend/journal/journal_file.h"
#include "backend/journal/rules.h"
#include "collect/check.h"
#include "crash/disk_recorder.h"
#include "crash/dump.h"
#include "crash/journal_folder.h"
#include "crash/mix.h"
#include "crash/reused_file.h"
#include "crash/workload.h"

namespace nvm::crash {

namespace journal = backend::journal;

inline constexpr std::array kChoices{Choice::none,      Choice::all, Choice::first_half,
                                     Choice::last_half, Choice::any, Choice::torn,
                                     Choice::torn};

// A number in the environment, to go on longer or to try something again.
inline uint64_t number_from(const char* variable, uint64_t otherwise) {
  const char* const value = std::getenv(variable);
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

// Of every so many cuts one is judged: all of them take minutes.
inline uint64_t stride() {
  const char* effort = std::getenv("NVM_CRASH_EFFORT");
  return effort == nullptr || std::string(effort) == "slice" ? 23 : 1;
}

using Clock = std::chrono::steady_clock;

class JournalCrash : public JournalFolder {
 protected:
  void SetUp() override {
    JournalFolder::SetUp();
    for (const std::string& path : {pool_path(), journal_name()}) laid_out_.try_emplace(path, path);
  }
  void TearDown() override {
    laid_out_.clear();
    JournalFolder::TearDown();
    const std::chrono::duration<double> spent = Clock::now() - begun_;
    std::printf(
        "[   STATES ] %llu judged, %zu distinct media, %llu not judged again, seed %llu, %.1f s, "
        "%.0f distinct/s\n",
        static_cast<unsigned long long>(states_), media_.size(),
        static_cast<unsigned long long>(repeated_), static_cast<unsigned long long>(seed_),
        spent.count(), static_cast<double>(media_.size()) / spent.count());
  }

  std::string journal_name() const { return pool_path() + ".journal"; }

  // Runs the steps in a new pool and lets every cut be judged.
  void expect_durable(const std::vector<Step>& steps) {
    run(steps);
    expect_no_complaint();
  }
  // Lets every cut of what was run be judged.
  void expect_no_complaint() {
    const std::string complaint = first_complaint(events_);
    if (complaint.empty()) return;
    std::string lost;
    for (const std::string& loss : losses_) lost += "\n  lost: " + loss;
    ADD_FAILURE() << complaint << lost << "\nseed " << seed_ << ", kept in " << keep_wrong();
  }
  // The same without those syncs, as if they had been forgotten: that must be noticed.
  template <class Forgotten>
  void expect_noticed(const std::vector<Step>& steps, Forgotten forgotten) {
    run(steps);
    expect_noticed(forgotten);
  }
  // What was run.
  template <class Forgotten>
  void expect_noticed(Forgotten forgotten) {
    std::vector<DiskEvent> events = events_;
    size_t count = 0;
    for (size_t i = 0; i < events.size(); ++i) {
      if (events[i].kind != DiskEvent::Kind::sync_ended || !forgotten(i)) continue;
      events[i].kind = DiskEvent::Kind::sync_begun;
      ++count;
    }
    EXPECT_GT(count, 0u);
    EXPECT_NE(first_complaint(events), "") << count << " syncs";
  }
  // What is first found wrong if that rule is left out, while work() runs and in each recovery.
  template <class Work>
  std::string complaint_without(journal::Rule rule, Work work) {
    journal::left_out = rule;
    work();
    std::string complaint = first_complaint(events_);
    journal::left_out = journal::Rule::none;
    return complaint;
  }
  // Of so many cuts one is judged, more or less.
  virtual uint64_t cuts_to_one() const { return stride(); }
  // Whether the cut after so many events is judged anyway.
  virtual bool is_always_judged(size_t) const { return false; }
  bool is_of_pool(size_t event) const { return events_[event].path == pool_path(); }
  bool is_of_journal(size_t event) const { return !is_of_pool(event); }
  // Whether the sync is for what was written to the journal's headers just before.
  bool is_of_header(size_t event) const {
    for (size_t i = event; i-- > 0;) {
      if (events_[i].kind == DiskEvent::Kind::write && events_[i].path == events_[event].path)
        return is_of_journal(event) && events_[i].offset < journal::kHalvesOffset;
    }
    return false;
  }

  void run(const std::vector<Step>& steps) {
    open()->close();
    run_again(steps);
  }
  // The same in the pool that is there.
  void run_again(const std::vector<Step>& steps) {
    before_ = {{pool_path(), SparseFile::read(pool_path())}};
    record(steps);
  }
  // The same in a pool whose making is recorded, too.
  void run_from_the_first(const std::vector<Step>& steps) {
    before_ = {};
    record(steps);
  }
  void record(const std::vector<Step>& steps) {
    DiskRecorder recorder;
    std::shared_ptr<Pool> pool = open();
    history_ = {dump(*pool)};
    for (const Step& step : steps) {
      step(*pool);
      recorder.acknowledge();
      history_.push_back(dump(*pool));
    }
    pool->close();
    events_ = recorder.take();
  }

  // What is wrong with the first medium that is; empty if none is.
  std::string first_complaint(const std::vector<DiskEvent>& events) {
    std::mt19937_64 random(seed_);
    judged_.clear();
    DiskMedia media(before_, events);
    const uint64_t every = events_between_cuts();
    do {
      if (random() % every != 0 && !is_always_judged(media.position())) continue;
      for (const Choice choice : kChoices) {
        const Outcome outcome = media.decide(choice, random);
        const std::string complaint = judge(media.build(outcome), media, random);
        if (!complaint.empty()) {
          return "after event " + std::to_string(media.position()) + " of " +
                 std::to_string(events.size()) + ": " + shrink(complaint, outcome, media);
        }
        if (!media.undecided()) break;
      }
    } while (media.advance());
    return {};
  }
  // Of what was lost gives back all that is not needed for the state to be wrong. Returns what is
  // wrong then.
  std::string shrink(const std::string& complaint, Outcome outcome, const DiskMedia& media) {
    const Files judged = wrong_;
    losses_ = media.losses(outcome);
    std::string found;
    const auto complaint_now = [&] {
      return complaint_about_cut(media.build(outcome), media, found);
    };
    if (complaint_now().empty()) {  // it takes a second cut
      wrong_ = judged;
      return complaint;
    }
    for (std::vector<bool>& write : outcome.writes) {
      const std::vector<bool> before = std::exchange(write, std::vector<bool>(write.size(), true));
      if (complaint_now().empty()) write = before;
    }
    losses_ = media.losses(outcome);
    return complaint_now();
  }
  // As many cuts as so many events would have.
  uint64_t events_between_cuts() const {
    constexpr uint64_t most_events = 400;
    return cuts_to_one() * (events_.size() / most_events + 1);
  }

  // The files of the state that was judged last: AKeptStateIsSound takes them.
  std::string keep_wrong() const {
    char name[] = "/tmp/nvm-wrong-state-XXXXXX";
    const std::string folder = ::mkdtemp(name);
    for (const auto& [path, content] : wrong_)
      content.save(folder + "/" + std::filesystem::path(path).filename().string());
    return folder;
  }

  // What was kept there, as the files of this test.
  Files kept_in(const std::string& folder) const {
    Files files;
    for (const auto& entry : std::filesystem::directory_iterator(folder))
      files[folder_ + "/" + entry.path().filename().string()] =
          SparseFile::read(entry.path().string());
    return files;
  }

  void lay_out(const Files& files) {
    for (auto& [path, file] : laid_out_) {
      const auto found = files.find(path);
      if (found == files.end()) {
        file.vanish();
      } else {
        file.become(found->second);
      }
    }
  }

  // Whether a medium of which that much is expected was not judged yet. It counts as judged then.
  bool is_news(const Files& files, uint64_t expected) {
    const uint64_t medium = hash_of(files);
    const bool news = judged_.insert(mix(medium + expected)).second;
    if (!news) ++repeated_;
    media_.insert(medium);
    return news;
  }

  std::string judge(const Files& files, const DiskMedia& media, std::mt19937_64& random) {
    if (!is_news(files, media.hash_of_history())) return {};
    std::string found;
    std::string complaint = complaint_about_cut(files, media, found);
    if (complaint.empty() && random() % kSecondCuts == 0)
      complaint = cut_recovery(files, found, random);
    return complaint;
  }

  // `found` is then what there is in the pool.
  std::string complaint_about_cut(const Files& files, const DiskMedia& media, std::string& found) {
    lay_out(files);
    wrong_ = files;
    ++states_;
    return complaint_about([&](Pool& pool) {
      found = dump(pool);
      return complaint_about_content(pool, found, media);
    });
  }

  // What is wrong with what a pool holds after this cut.
  virtual std::string complaint_about_content(Pool&, const std::string& found,
                                              const DiskMedia& media) {
    const uint64_t least = promise_ == backend::Promise::durable ? media.acknowledged() : 0;
    const uint64_t most = std::min<uint64_t>(media.acknowledged() + 1, history_.size() - 1);
    for (uint64_t state = least; state <= most; ++state)
      if (history_[state] == found) return {};
    return "none of the states " + std::to_string(least) + " to " + std::to_string(most);
  }

  // Opens what was laid out, and lets it go on as a pool that never crashed.
  template <class Look>
  std::string complaint_about(Look look) const {
    try {
      const std::shared_ptr<Pool> pool = open();
      std::string complaint = look(*pool);
      if (complaint.empty()) complaint = damage(*pool);
      if (!complaint.empty()) return complaint;
      assign_root([](Values&) { return integer(7); })(*pool);
      complaint = damage(*pool);
      pool->close();
      if (std::filesystem::exists(journal_name())) complaint += "the journal is still there";
      return complaint;
    } catch (const Error& error) {
      return error.what();
    }
  }

  static std::string damage(Pool& pool) {
    pool.own(-1);
    const collect::CheckReport report = collect::check(pool);
    pool.disown();
    std::string all;
    for (const auto& finding : report.findings)
      all += "at " + std::to_string(finding.offset) + ": " + finding.what + "; ";
    return all;
  }

  // The same files, cut again while they are recovered.
  std::string cut_recovery(const Files& files, const std::string& expected,
                           std::mt19937_64& random) {
    lay_out(files);
    std::vector<DiskEvent> events;
    {
      DiskRecorder recorder;
      open()->close();
      events = recorder.take();
    }
    DiskMedia media(files, events);
    const uint64_t hash_of_expected = std::hash<std::string>()(expected);
    const uint64_t every = events.size() / kCutsOfRecovery + 1;
    do {
      if (random() % every != 0) continue;
      for (const Choice choice : {Choice::all, Choice::any, Choice::torn}) {
        const Files again = media.build(media.decide(choice, random));
        if (!is_news(again, hash_of_expected)) continue;
        wrong_ = again;
        lay_out(wrong_);
        ++states_;
        const std::string complaint = complaint_about(
            [&](Pool& pool) { return dump(pool) == expected ? std::string() : "another state"; });
        if (!complaint.empty())
          return "cut again after " + std::to_string(media.position()) + ": " + complaint;
        if (!media.undecided()) break;
      }
    } while (media.advance());
    return {};
  }

  static constexpr uint64_t kSecondCuts = 40;
  static constexpr uint64_t kCutsOfRecovery = 8;

  std::vector<std::string> history_;
  std::vector<DiskEvent> events_;
  Files before_;
  Files wrong_;
  std::vector<std::string> losses_;             // of that
  std::map<std::string, ReusedFile> laid_out_;  // what a judge opens
  std::unordered_set<uint64_t> judged_;         // of this history
  std::unordered_set<uint64_t> media_;          // of any
  uint64_t states_ = 0;
  uint64_t repeated_ = 0;
  Clock::time_point begun_ = Clock::now();
  uint64_t seed_ = number_from("NVM_CRASH_SEED", 20240229);
};

}  // namespace nvm::crash
