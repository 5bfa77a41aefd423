#include "crash/media.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string_view>
#include <unordered_set>

#include "crash/lines.h"
#include "crash/scratch.h"

namespace nvm::crash {
namespace {

constexpr const char* kScratchFolder = "/dev/shm";

// How many stores of each open line are kept, in the lines' order.
using Choice = std::vector<uint32_t>;

// One cut: the lines whose content is open, and the ways to choose.
class States {
 public:
  using Try = std::function<bool(const Choice&)>;

  States(const std::map<uint64_t, OpenLine>& open, const Effort& effort) : effort_(effort) {
    for (const auto& [line, state] : open) {
      most_.push_back(static_cast<uint32_t>(state.contents.size() - 1));
      if (state.stored_since_fence) recent_.push_back(most_.size() - 1);
      all_.push_back(most_.size() - 1);
    }
  }

  bool exhaustive() const { return combinations(all_) <= effort_.exhaustive; }

  // Calls try_state until it returns false; true if it never did.
  bool for_each(std::mt19937_64& random, const Try& try_state) const {
    const Choice none(most_.size(), 0);
    if (exhaustive()) return combine(all_, none, try_state);
    return try_state(none) && try_state(most_) && singles(random, try_state) &&
           recent(none, try_state) && samples(random, try_state);
  }

 private:
  // Of the prefixes of the given lines; at least effort_.exhaustive + 1 if they are more.
  uint64_t combinations(const std::vector<size_t>& lines) const {
    uint64_t product = 1;
    for (const size_t line : lines) {
      product *= most_[line] + uint64_t{1};
      if (product > effort_.exhaustive) break;
    }
    return product;
  }

  // All combinations of the given lines, the others as in `choice`.
  bool combine(const std::vector<size_t>& lines, Choice choice, const Try& try_state) const {
    for (const size_t line : lines) choice[line] = 0;
    for (;;) {
      if (!try_state(choice)) return false;
      size_t digit = 0;
      while (digit < lines.size() && choice[lines[digit]] == most_[lines[digit]]) {
        choice[lines[digit++]] = 0;
      }
      if (digit == lines.size()) return true;
      ++choice[lines[digit]];
    }
  }

  bool recent(const Choice& none, const Try& try_state) const {
    if (combinations(recent_) > effort_.exhaustive) return true;
    return combine(recent_, none, try_state) && combine(recent_, most_, try_state);
  }

  // One line short of the others that are all there, or ahead of the others that are not.
  bool singles(std::mt19937_64& random, const Try& try_state) const {
    std::vector<Choice> choices;
    for (const size_t line : all_) {
      for (uint32_t kept = 0; kept <= most_[line]; ++kept) {
        if (kept < most_[line]) choices.emplace_back(most_)[line] = kept;
        if (kept > 0) choices.emplace_back(most_.size(), 0)[line] = kept;
      }
    }
    if (choices.size() > effort_.singles) {
      std::shuffle(choices.begin(), choices.end(), random);
      choices.resize(effort_.singles);
    }
    return std::all_of(choices.begin(), choices.end(), try_state);
  }

  bool samples(std::mt19937_64& random, const Try& try_state) const {
    for (uint64_t i = 0; i < effort_.samples; ++i) {
      if (!try_state(sample(random))) return false;
    }
    return true;
  }

  // Each line has nothing, all, or anything; how often all varies from sample to sample.
  Choice sample(std::mt19937_64& random) const {
    std::uniform_real_distribution<double> share(0, 1);
    const double all = share(random);
    Choice choice(most_.size());
    for (const size_t line : all_) {
      constexpr double kTorn = 0.25;
      if (share(random) < kTorn) {
        choice[line] = std::uniform_int_distribution<uint32_t>(0, most_[line])(random);
      } else {
        choice[line] = share(random) < all ? most_[line] : 0;
      }
    }
    return choice;
  }

  const Effort& effort_;
  Choice most_;                 // all stores of each line
  std::vector<size_t> all_;     // indexes of most_
  std::vector<size_t> recent_;  // of lines stored to since the last fence
};

// Walks through a recording and judges at the cuts.
class Walk {
 public:
  Walk(const Recording& recording, const Judge& judge, const Effort& effort)
      : recording_(recording),
        judge_(judge),
        effort_(effort),
        scratch_(kScratchFolder, recording.medium),
        lines_(scratch_),
        random_(effort.seed),
        traced_(std::getenv("NVM_CRASH_TRACE") != nullptr) {}

  Summary run() {
    const auto& events = recording_.events;
    for (event_ = 0; event_ < events.size() && !summary_.stopped; ++event_) take(events[event_]);
    if (!summary_.stopped) cut();
    return summary_;
  }

 private:
  void take(const Event& event) {
    switch (event.kind) {
      case Event::Kind::store:
        lines_.store(event);
        news_ = true;
        break;
      case Event::Kind::flush:
        lines_.flush(event);
        break;
      case Event::Kind::fence:
        cut();
        lines_.fence(event);
        break;
      case Event::Kind::begin:
        cut();
        unfinished_.push_back(event.value);
        news_ = true;
        break;
      case Event::Kind::returned:
        std::erase(unfinished_, event.value);
        returned_.push_back(event.value);
        news_ = true;
        cut_after();
        break;
      case Event::Kind::resize:
        cut();
        lines_.resize(event);
        news_ = true;
        break;
    }
  }

  void cut_after() {
    ++event_;
    cut();
    --event_;
  }

  // Judges the states of this moment, unless they are among those of the last cut.
  void cut() {
    if (!news_ || summary_.stopped) return;
    news_ = false;
    const uint64_t number = summary_.cuts++;
    if (number < effort_.first_cut || number > effort_.last_cut) return;
    const States states(lines_.open(), effort_);
    summary_.exhaustive_cuts += states.exhaustive() ? 1 : 0;
    summary_.stopped =
        !states.for_each(random_, [this](const Choice& choice) { return try_state(choice); });
  }

  bool try_state(const Choice& choice) {
    if (!seen_.insert(hash(choice)).second) {
      ++summary_.duplicates;
      return true;
    }
    ++summary_.states;
    const Cut cut = materialize(choice);
    if (traced_) std::fprintf(stderr, "%s\n", cut.describe().c_str());
    const bool good = judge_(scratch_.path(), cut);
    scratch_.restore();
    return good;
  }

  // Of the medium and the history.
  uint64_t hash(const Choice& choice) const {
    constexpr uint64_t kFactor = 0x9e3779b97f4a7c15ULL;
    uint64_t hash = returned_.size() * kFactor;
    for (const uint64_t operation : unfinished_) hash = (hash + operation + 1) * kFactor;
    hash ^= lines_.durable_hash();
    size_t index = 0;
    for (const auto& [line, open] : lines_.open()) {
      const uint32_t kept = choice[index++];
      if (kept != 0) hash ^= lines_.hash_change(line, open.contents[kept]);
    }
    return hash;
  }

  Cut materialize(const Choice& choice) {
    choices_.clear();
    for (const auto& [line, open] : lines_.open()) {
      const uint32_t kept = choice[choices_.size()];
      choices_.push_back({line, open.contents.size() - 1, kept});
      if (kept != 0) scratch_.try_out(line, open.contents[kept].data(), kLineSize);
    }
    return {summary_.cuts - 1, event_, returned_, unfinished_, choices_};
  }

  const Recording& recording_;
  const Judge& judge_;
  const Effort& effort_;
  Scratch scratch_;
  Lines lines_;
  std::mt19937_64 random_;
  const bool traced_;
  Summary summary_;
  uint64_t event_ = 0;
  bool news_ = true;  // something is possible, or expected, that was not at the last cut
  std::vector<uint64_t> returned_;
  std::vector<uint64_t> unfinished_;
  std::vector<LineChoice> choices_;
  std::unordered_set<uint64_t> seen_;
};

std::string to_hex(uint64_t value) {
  char text[2 + 16 + 1];
  std::snprintf(text, sizeof(text), "0x%lx", value);
  return text;
}

}  // namespace

std::string Cut::describe() const {
  std::string text = "cut " + std::to_string(number) + " before event " + std::to_string(event) +
                     ", " + std::to_string(returned.size()) + " operations returned";
  for (const uint64_t operation : unfinished) text += ", in " + std::to_string(operation);
  for (const LineChoice& line : lines) {
    text += "\n  line " + to_hex(line.offset) + ": " + std::to_string(line.kept) + " of " +
            std::to_string(line.unfenced) + " unfenced stores";
  }
  return text;
}

Effort Effort::from_environment() {
  constexpr Effort kSlice{.exhaustive = 24, .samples = 4, .singles = 12};
  constexpr Effort kFull{.exhaustive = 4096, .samples = 1024, .singles = 4096};
  const char* const name = std::getenv("NVM_CRASH_EFFORT");
  const std::string_view effort = name != nullptr ? name : "slice";
  return effort == "full" ? kFull : effort == "wide" ? Effort{} : kSlice;
}

Summary judge_media(const Recording& recording, const Judge& judge, const Effort& effort) {
  return Walk(recording, judge, effort).run();
}

}  // namespace nvm::crash
