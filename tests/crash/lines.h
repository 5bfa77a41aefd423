// The cache lines of a medium during a run: what is surely on it, what may be.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

#include "crash/recording.h"
#include "crash/scratch.h"

namespace nvm::crash {

using LineBytes = std::array<char, kLineSize>;

// A line with stores that are not surely on the medium.
struct OpenLine {
  uint64_t before = 0;              // stores that were durable when contents began
  std::vector<LineBytes> contents;  // [0]: durable; [n]: after n more stores
  bool stored_since_fence = false;
};

// Takes the events in order. The scratch file holds what is durable.
class Lines {
 public:
  explicit Lines(Scratch& scratch) : scratch_(scratch) {}

  void store(const Event& event);
  void flush(const Event& event);
  void fence(const Event& event);
  void resize(const Event& event);

  const std::map<uint64_t, OpenLine>& open() const { return open_; }

  // Equal for equal media. Of the durable one, and what it changes by if `line` has `bytes`.
  uint64_t durable_hash() const { return durable_hash_; }
  uint64_t hash_change(uint64_t line, const LineBytes& bytes) const;

 private:
  void make_durable(uint64_t line, uint64_t stores);

  Scratch& scratch_;
  std::map<uint64_t, OpenLine> open_;
  std::unordered_map<uint64_t, uint64_t> durable_stores_;  // by line
  // By thread: of each line flushed since its last fence, the stores that the flush took along.
  std::unordered_map<uint16_t, std::unordered_map<uint64_t, uint64_t>> flushed_;
  uint64_t durable_hash_ = 0;
};

}  // namespace nvm::crash
