// How long work on a whole pool tells of its progress, and can be stopped.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

namespace nvm::collect {

// Called now and then with what is done and what there is in all; may throw to stop.
using Progress = std::function<void(uint64_t done, uint64_t total)>;

// Calls a Progress at the beginning, at the end, and some twenty times a second in between, however
// fast the work goes.
class Pace {
 public:
  explicit Pace(const Progress& progress) : progress_(progress) {}

  void begin(uint64_t total) {
    total_ = total;
    tell();
  }
  void end() {
    done_ = total_;
    tell();
  }
  // So much has been done.
  void advance(uint64_t done) {
    done_ += done;
    poll();
  }
  // Some time has passed: to be called often.
  void poll() {
    if (++calls_ % kCallsPerLook == 0 && Clock::now() - told_ >= kPeriod) tell();
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr uint64_t kCallsPerLook = 256;
  static constexpr auto kPeriod = std::chrono::milliseconds(50);

  void tell() {
    if (progress_) progress_(done_ < total_ ? done_ : total_, total_);
    told_ = Clock::now();
  }

  const Progress& progress_;
  uint64_t total_ = 0;
  uint64_t done_ = 0;
  uint64_t calls_ = 0;
  Clock::time_point told_ = Clock::now();
};

}  // namespace nvm::collect
