#include "crash/scenario.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <random>

#include "collect/check.h"
#include "crash/dump.h"
#include "object/store.h"

namespace nvm::crash {

namespace {

constexpr size_t kMostFailures = 5;

class Folder {
 public:
  Folder() {
    std::string pattern = "/dev/shm/nvm-crash-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string file() const { return path_ + "/pool"; }

 private:
  std::string path_;
};

class Run {
 public:
  Run(const Scenario& scenario, const Options& options) : scenario_(scenario), options_(options) {}

  Verdict operator()() {
    prepare();
    Recording recording = record();
    if (!options_.cut_opening) recording = without_opening(std::move(recording));
    verdict_.summary = judge_media(
        recording, [this](const std::string& path, const Cut& cut) { return judge(path, cut); },
        options_.effort);
    return std::move(verdict_);
  }

 private:
  void prepare() {
    if (!scenario_.start.empty()) {
      std::filesystem::copy_file(scenario_.start, folder_.file());
      return;
    }
    const auto pool = open_pool(folder_.file(), scenario_.size);
    for (const Step& step : scenario_.prepare) step(*pool);
    if (!scenario_.interrupted) return;
    scenario_.interrupted(*pool);
    const std::string left = folder_.file() + ".left";
    std::filesystem::copy_file(folder_.file(), left);
    pool->close();
    std::filesystem::rename(left, folder_.file());
  }

  Recording record() {
    Recorder recorder(folder_.file());
    if (options_.leave_out != nullptr) recorder.leave_out(*options_.leave_out);
    const auto pool = open_pool(folder_.file(), scenario_.size);
    expected_.push_back(dump(*pool));
    for (size_t i = 0; i < scenario_.steps.size(); ++i) {
      recorder.operation(i, [&] { scenario_.steps[i](*pool); });
      expected_.push_back(dump(*pool));
    }
    verdict_.sites = recorder.sites();
    return recorder.finish();
  }

  bool judge(const std::string& path, const Cut& cut) {
    if (options_.keep) options_.keep(path);
    std::string wrong;
    try {
      wrong = what_is_wrong(path, cut);
    } catch (const Error& error) {
      wrong = std::string("an exception: ") + error.what();
    }
    if (wrong.empty()) return true;
    if (verdict_.failures.size() < kMostFailures)
      verdict_.failures.push_back(wrong + "\n  at " + cut.describe());
    return !options_.stop_at_failure && verdict_.failures.size() < kMostFailures;
  }

  std::string what_is_wrong(const std::string& path, const Cut& cut) {
    const auto pool = open_pool(path, scenario_.size);
    const size_t done = cut.returned.size();
    const std::string left = dump(*pool);
    size_t at = done;
    if (left != expected_[at] && !cut.unfinished.empty()) ++at;
    if (left != expected_[at])
      return "the content is neither before nor after step " + std::to_string(done) + ":\n  " +
             left + "\nexpected\n  " + expected_[done] +
             (at > done ? "\nor\n  " + expected_[at] : "");
    if (done != 0 || !scenario_.damaged) {
      if (std::string wrong = check(*pool, "after recovery"); !wrong.empty()) return wrong;
    }
    for (; at < scenario_.steps.size(); ++at) {
      scenario_.steps[at](*pool);
      if (dump(*pool) != expected_[at + 1])
        return "after recovery step " + std::to_string(at) + " gives\n  " + dump(*pool) +
               "\nexpected\n  " + expected_[at + 1];
    }
    return check(*pool, "after the steps that were left");
  }

  static std::string check(heap::Pool& pool, const char* when) {
    const collect::CheckReport report = collect::check(pool);
    if (report.findings.empty()) return {};
    return std::string("check() ") + when + ": " + report.findings.front().what;
  }

  const Scenario& scenario_;
  const Options& options_;
  Folder folder_;
  std::vector<std::string> expected_;
  Verdict verdict_;
};

}  // namespace

Recording without_opening(Recording recording) {
  size_t first = 0;
  while (first < recording.events.size() && recording.events[first].kind != Event::Kind::begin)
    ++first;
  for (size_t i = 0; i < first; ++i) {
    const Event& event = recording.events[i];
    if (event.kind == Event::Kind::store)
      std::memcpy(recording.medium.data() + event.offset, &event.value, event.length);
    if (event.kind == Event::Kind::resize) recording.medium.resize(event.value);
  }
  recording.events.erase(recording.events.begin(),
                         recording.events.begin() + static_cast<ptrdiff_t>(first));
  return recording;
}

std::shared_ptr<heap::Pool> open_pool(const std::string& path, uint64_t size) {
  heap::OpenOptions options;
  options.path = path;
  options.limit = size;
  options.initial_size = size;
  options.backend = backend::Kind::dax;
  return heap::Pool::open(options, object::initialize, object::destroy);
}

Verdict run(const Scenario& scenario, const Options& options) { return Run(scenario, options)(); }

void expect_whole_twice(const Scenario& first, const std::vector<Step>& then) {
  const Folder folder;
  const size_t media = Effort::from_environment().samples;
  std::vector<std::string> kept;
  size_t seen = 0;
  std::mt19937_64 random(first.name.size());
  Options options;
  // A choice of all that come by, each as likely as any other.
  options.keep = [&](const std::string& path) {
    const size_t place = kept.size() < media ? kept.size() : random() % (seen + 1);
    ++seen;
    if (place >= media) return;
    if (place == kept.size()) kept.push_back(folder.file() + std::to_string(place));
    std::filesystem::copy_file(path, kept[place],
                               std::filesystem::copy_options::overwrite_existing);
  };
  uint64_t states = run(first, options).summary.states;
  for (const std::string& start : kept) {
    Scenario second{first.name + ", again", {}, then};
    second.start = start;
    Options twice;
    twice.cut_opening = true;
    const Verdict verdict = run(second, twice);
    for (const std::string& failure : verdict.failures)
      ADD_FAILURE() << second.name << ": " << failure;
    states += verdict.summary.states;
  }
  std::cout << "[   STATES ] " << first.name << ", cut twice: " << states << std::endl;
}

void expect_whole(const Scenario& scenario, Options options) {
  const Verdict verdict = run(scenario, options);
  for (const std::string& failure : verdict.failures)
    ADD_FAILURE() << scenario.name << ": " << failure;
  EXPECT_GT(verdict.summary.states, 0U) << scenario.name;
  std::cout << "[   STATES ] " << scenario.name << ": " << verdict.summary.states << " of "
            << verdict.summary.cuts << " cuts" << std::endl;
}

}  // namespace nvm::crash
