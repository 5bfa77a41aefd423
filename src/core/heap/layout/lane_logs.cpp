#include "heap/layout/lane_logs.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "heap/file/posix_file.h"
#include "heap/layout/checksum.h"
#include "heap/layout/heap_walk.h"
#include "heap/layout/pmdk_layout.h"
#include "heap/layout/pool_header.h"

namespace nvm::heap {
namespace {

using pmdk::LogHeader;
using pmdk::LogOperation;

// More extensions than any log of ours could have; a cycle reaches it quickly.
constexpr uint64_t kMostExtensions = 65536;
constexpr uint64_t kWord = sizeof(uint64_t);

constexpr uint64_t round_up(uint64_t value) {
  return (value + pmdk::kCacheLine - 1) / pmdk::kCacheLine * pmdk::kCacheLine;
}

class Log {
 public:
  Log(char* base, uint64_t size, const std::string& file, uint64_t lane, const char* name,
      Offset place, uint64_t capacity)
      : base_(base),
        size_(size),
        file_(file),
        lane_(lane),
        name_(name),
        place_(place),
        nominal_(capacity) {}

  // True if there was something to apply.
  bool recover_redo(bool& extended) {
    extended |= find_parts();
    const uint64_t length = entries_length();
    if (length == 0 || !checksum_matches(length)) return false;
    for_each_entry([this](Offset entry) { apply(entry); });
    const uint64_t next = first().next;
    std::memset(base_ + place_, 0, sizeof(LogHeader));
    first().next = next;
    return true;
  }

  bool recover_undo(bool& extended) {
    extended |= find_parts();
    if (entries_length() == 0) return false;
    for_each_entry([this](Offset entry) { apply(entry); });
    first().generation += 1;
    first().next = 0;
    return true;
  }

 private:
  [[noreturn]] void corrupt(const std::string& what) const {
    throw_error(ErrorKind::corrupt, file_,
                "lane " + std::to_string(lane_) + ", " + name_ + " log: " + what, EUCLEAN);
  }

  LogHeader& header(Offset place) const { return *reinterpret_cast<LogHeader*>(base_ + place); }
  LogHeader& first() const { return header(place_); }
  template <class T>
  const T& at(Offset offset) const {
    return *reinterpret_cast<const T*>(base_ + offset);
  }

  bool in_heap(Offset offset, uint64_t length) const {
    return offset >= pmdk::kHeapOffset && offset <= size_ && length <= size_ - offset;
  }
  // Where libpmemobj lets an entry store a word.
  bool is_target(Offset offset) const {
    if (offset % kWord != 0) return false;
    if (offset == pmdk::kRootOffsetField || offset == pmdk::kRootSizeField) return true;
    return offset >= pmdk::kLanesOffset && offset <= size_ - kWord;
  }

  // Finds the extensions; true if there are any.
  bool find_parts() {
    if (first().capacity > nominal_ || first().capacity % pmdk::kCacheLine != 0) {
      corrupt("a capacity of " + std::to_string(first().capacity) + " bytes");
    }
    parts_ = {{place_, first().capacity}};
    for (Offset next = first().next; next != 0;) {
      if (!is_block_place(base_, size_, next)) {
        corrupt("an extension at " + std::to_string(next) + ", where no block can be");
      }
      if (parts_.size() > kMostExtensions) corrupt("its extensions do not end");
      const Offset place = round_up(next);
      if (!in_heap(place, sizeof(LogHeader)) ||
          !in_heap(place + sizeof(LogHeader), header(place).capacity) ||
          header(place).capacity % pmdk::kCacheLine != 0) {
        corrupt("the extension at " + std::to_string(next) + " ends beyond the pool");
      }
      parts_.push_back({place, header(place).capacity});
      next = header(place).next;
    }
    return parts_.size() > 1;
  }

  // No entry may change the log that it stands in.
  bool is_own(Offset offset, uint64_t length) const {
    return std::any_of(parts_.begin(), parts_.end(), [&](const Part& part) {
      return offset < part.place + sizeof(LogHeader) + part.capacity &&
             part.place < offset + length;
    });
  }

  // Bytes of the entry at the offset, 0 if the log ends there; `room` is what its log still has.
  uint64_t entry_length(Offset entry, uint64_t room) const {
    const uint64_t word = at<uint64_t>(entry);
    if (word == 0) return 0;
    switch (static_cast<LogOperation>(word >> pmdk::kLogOperationShift)) {
      case LogOperation::set:
      case LogOperation::bit_and:
      case LogOperation::bit_or:
        return sizeof(pmdk::LogWord);
      case LogOperation::fill:
      case LogOperation::copy:
        break;
      default:
        corrupt("an entry of no known kind");
    }
    const uint64_t content = at<pmdk::LogRange>(entry).size;
    if (content > room || round_up(content + sizeof(pmdk::LogRange)) > room) {
      corrupt("an entry of " + std::to_string(content) + " bytes in the " + std::to_string(room) +
              " left");
    }
    const uint64_t length = round_up(content + sizeof(pmdk::LogRange));
    return range_is_valid(entry, length) ? length : 0;
  }

  bool range_is_valid(Offset entry, uint64_t length) const {
    const uint64_t sum =
        fletcher64_around(base_ + entry, length, offsetof(pmdk::LogRange, checksum), length);
    const uint64_t generation = first().generation;
    return fletcher64(&generation, sizeof generation, sum) == at<pmdk::LogRange>(entry).checksum;
  }

  // Bytes of valid entries in the log itself, its extensions not counted.
  uint64_t entries_length() const {
    const uint64_t capacity = first().capacity;
    uint64_t length = 0;
    while (length < capacity) {
      const uint64_t entry = entry_length(place_ + sizeof(LogHeader) + length, capacity - length);
      if (entry == 0) break;
      length += entry;
    }
    return length;
  }

  bool checksum_matches(uint64_t length) const {
    const uint64_t total = sizeof(LogHeader) + length;
    return fletcher64_around(base_ + place_, total, offsetof(LogHeader, checksum), total) ==
           first().checksum;
  }

  template <class Visit>
  void for_each_entry(Visit visit) const {
    for (const Part& part : parts_) {
      for (uint64_t done = 0; done < part.capacity;) {
        const Offset entry = part.place + sizeof(LogHeader) + done;
        const uint64_t length = entry_length(entry, part.capacity - done);
        if (length == 0) return;
        visit(entry);
        done += length;
      }
    }
  }

  void apply(Offset entry) const {
    const auto word = at<pmdk::LogWord>(entry);
    const Offset target = word.offset & pmdk::kLogOffsetMask;
    const auto operation = static_cast<LogOperation>(word.offset >> pmdk::kLogOperationShift);
    if (operation == LogOperation::fill || operation == LogOperation::copy) {
      return apply_range(entry, target, operation);
    }
    if (!is_target(target) || is_own(target, kWord))
      corrupt("an entry for the word at " + std::to_string(target));
    auto* place = reinterpret_cast<uint64_t*>(base_ + target);
    if (operation == LogOperation::set) *place = word.value;
    if (operation == LogOperation::bit_and) *place &= word.value;
    if (operation == LogOperation::bit_or) *place |= word.value;
  }

  void apply_range(Offset entry, Offset target, LogOperation operation) const {
    const uint64_t size = at<pmdk::LogRange>(entry).size;
    if (!in_heap(target, size) || is_own(target, size)) {
      corrupt("an entry for " + std::to_string(size) + " bytes at " + std::to_string(target));
    }
    const char* content = base_ + entry + sizeof(pmdk::LogRange);
    if (operation == LogOperation::copy) std::memmove(base_ + target, content, size);
    if (operation == LogOperation::fill && size != 0) std::memset(base_ + target, *content, size);
  }

  struct Part {
    Offset place;
    uint64_t capacity;
  };

  char* base_;
  uint64_t size_;
  const std::string& file_;
  uint64_t lane_;
  const char* name_;
  Offset place_;
  uint64_t nominal_;
  std::vector<Part> parts_;
};

constexpr Offset lane_offset(uint64_t lane) {
  return pmdk::kLanesOffset + lane * sizeof(pmdk::Lane);
}

}  // namespace

LaneReport recover_lanes(char* base, uint64_t size, const std::string& file) {
  LaneReport report;
  for (uint64_t lane = 0; lane < pmdk::kLanes; ++lane) {
    const Offset place = lane_offset(lane);
    Log internal(base, size, file, lane, "internal", place + offsetof(pmdk::Lane, internal),
                 pmdk::kInternalCapacity);
    Log external(base, size, file, lane, "external", place + offsetof(pmdk::Lane, external),
                 pmdk::kExternalCapacity);
    report.redo_logs += internal.recover_redo(report.extended) ? 1 : 0;
    report.redo_logs += external.recover_redo(report.extended) ? 1 : 0;
  }
  for (uint64_t lane = 0; lane < pmdk::kLanes; ++lane) {
    Log undo(base, size, file, lane, "undo", lane_offset(lane) + offsetof(pmdk::Lane, undo),
             pmdk::kUndoCapacity);
    report.undo_logs += undo.recover_undo(report.extended) ? 1 : 0;
  }
  return report;
}

}  // namespace nvm::heap
