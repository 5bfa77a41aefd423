// Runs of a record that are stored together, as calls for each of them would take longer than the
// bytes: those in one page or in pages that follow each other, with what lies between them as it
// is. No page is written that none of them lies in, as it may be a hole.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "backend/journal/format.h"
#include "backend/journal/target.h"
#include "backend/journal/window.h"

namespace nvm::backend::journal {

// Bytes at `content` of the journal, for `offset` of the pool.
struct Part {
  uint64_t content;
  uint64_t offset;
  uint64_t length;
};

class Group {
 public:
  // Whether it can go together with those that are there.
  bool takes(const Part& part) const {
    if (parts_.empty()) return true;
    return part.offset >= end_ && part.offset / kPage <= (end_ - 1) / kPage + 1 &&
           part.offset + part.length - begin() <= Target::kMost;
  }

  // REQUIRES: takes(part), and part.length <= Target::kMost.
  void add(const Part& part) {
    parts_.push_back(part);
    end_ = part.offset + part.length;
    bytes_ += part.length;
  }

  // Stores all of them, and is empty then. Throws Error(os).
  void store(Window& journal, Target& target) {
    if (parts_.empty()) return;
    const uint64_t length = end_ - begin();
    char* const to = target.take(begin(), length, bytes_ == length);
    for (const Part& part : parts_) copy(journal, part, to + (part.offset - begin()));
    target.give_back();
    parts_.clear();
    bytes_ = 0;
  }

 private:
  uint64_t begin() const { return parts_.front().offset; }

  static void copy(Window& journal, Part part, char* to) {
    while (part.length != 0) {
      const std::span<const char> bytes = journal.at(part.content, part.length);
      std::memcpy(to, bytes.data(), bytes.size());
      to += bytes.size();
      part.content += bytes.size();
      part.length -= bytes.size();
    }
  }

  std::vector<Part> parts_;  // ascending
  uint64_t end_ = 0;         // of the last one
  uint64_t bytes_ = 0;       // of all of them
};

}  // namespace nvm::backend::journal
