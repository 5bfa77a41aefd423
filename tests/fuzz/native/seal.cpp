#include "fuzz/native/seal.h"

#include <xxhash.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "backend/journal/format.h"
#include "fuzz/native/input.h"
#include "heap/layout/checksum.h"
#include "heap/layout/part_header.h"
#include "heap/layout/pmdk_layout.h"
#include "heap/undo/undo_slots.h"

namespace nvm::fuzz {
namespace {

namespace pmdk = heap::pmdk;
namespace journal = backend::journal;

constexpr uint64_t kWord = sizeof(uint64_t);

template <class T>
T& at(Damaged& damaged, Offset offset) {
  return *reinterpret_cast<T*>(damaged.pool() + offset);
}

bool has(const Damaged& damaged, Offset offset, uint64_t bytes) {
  return offset <= damaged.size() && bytes <= damaged.size() - offset;
}

void seal_headers(Damaged& damaged) {
  if (!has(damaged, 0, pmdk::kHeapOffset + pmdk::kHeapHeaderSize)) return;
  damaged.put(offsetof(pmdk::PoolHeader, checksum),
              heap::right_checksum(at<pmdk::PoolHeader>(damaged, 0)));
  constexpr size_t descriptor = offsetof(pmdk::Descriptor, checksum);
  damaged.put(pmdk::kDescriptorOffset + descriptor,
              heap::fletcher64_around(damaged.pool() + pmdk::kDescriptorOffset,
                                      pmdk::kDescriptorChecksummed, descriptor,
                                      pmdk::kDescriptorChecksummed));
  constexpr size_t heap = offsetof(pmdk::HeapHeader, checksum);
  damaged.put(pmdk::kHeapOffset + heap,
              heap::fletcher64_around(damaged.pool() + pmdk::kHeapOffset, pmdk::kHeapHeaderSize,
                                      heap, pmdk::kHeapHeaderSize));
}

// ---- The lanes' logs

bool is_range(uint64_t word) {
  return word >> pmdk::kLogOperationShift >= static_cast<uint64_t>(pmdk::LogOperation::fill);
}
uint64_t length_of_range(uint64_t content) {
  return (content + sizeof(pmdk::LogRange) + pmdk::kCacheLine - 1) / pmdk::kCacheLine *
         pmdk::kCacheLine;
}

void seal_range(Damaged& damaged, Offset entry, uint64_t length, uint64_t generation) {
  constexpr size_t hole = offsetof(pmdk::LogRange, checksum);
  const uint64_t sum = heap::fletcher64_around(damaged.pool() + entry, length, hole, length);
  damaged.put(entry + hole, heap::fletcher64(&generation, sizeof generation, sum));
}

void seal_log(Damaged& damaged, Offset place, uint64_t capacity) {
  const auto& header = at<pmdk::LogHeader>(damaged, place);
  const uint64_t whole = std::min(header.capacity, capacity) / pmdk::kCacheLine * pmdk::kCacheLine;
  const Offset entries = place + sizeof header;
  uint64_t length = 0;
  while (length < whole && at<uint64_t>(damaged, entries + length) != 0) {
    uint64_t entry = sizeof(pmdk::LogWord);
    if (is_range(at<uint64_t>(damaged, entries + length))) {
      const uint64_t content = at<pmdk::LogRange>(damaged, entries + length).size;
      entry = content > whole ? whole : length_of_range(content);
      if (entry > whole - length) break;
      seal_range(damaged, entries + length, entry, header.generation);
    }
    length += entry;
  }
  if (length == 0) return;
  const uint64_t total = sizeof header + length;
  damaged.put(place, heap::fletcher64_around(damaged.pool() + place, total, 0, total));
}

void seal_lane(Damaged& damaged, Offset lane) {
  if (!has(damaged, lane, sizeof(pmdk::Lane))) return;
  seal_log(damaged, lane + offsetof(pmdk::Lane, internal), pmdk::kInternalCapacity);
  seal_log(damaged, lane + offsetof(pmdk::Lane, external), pmdk::kExternalCapacity);
  seal_log(damaged, lane + offsetof(pmdk::Lane, undo), pmdk::kUndoCapacity);
}

// ---- The undo log

struct Slot {
  uint64_t value;
  uint64_t tag;
};

// The checksum in the last of a range's slots.
void seal_range_of_undo(Damaged& damaged, Offset first, uint64_t generation) {
  const auto* slots = &at<Slot>(damaged, first);
  const uint64_t head[] = {slots[0].value, slots[1].value, slots[2].value, generation};
  if (!has(damaged, head[2], head[1])) return;
  const uint64_t seed = XXH3_64bits(head, sizeof head);
  damaged.put(first + 3 * sizeof(Slot),
              XXH3_64bits_withSeed(damaged.pool() + head[2], head[1], seed));
}

void seal_undo(Damaged& damaged) {
  const Offset segment = damaged.base().undo_segment;
  if (!has(damaged, damaged.base().root, sizeof(heap::RootObject)) ||
      !has(damaged, segment, pmdk::kPage))
    return;
  const uint64_t generation = at<heap::RootObject>(damaged, damaged.base().root).tx.state >> 2;
  const Offset last = segment + pmdk::kPage - heap::kRangeSlots * sizeof(Slot);
  for (Offset slot = segment + sizeof(Slot); slot <= last; slot += sizeof(Slot)) {
    const uint64_t tag = at<Slot>(damaged, slot).tag;
    if ((tag & heap::kNumberMask) != (generation & heap::kNumberMask)) break;
    if (tag >> heap::kNumberBits == heap::kDestination)
      seal_range_of_undo(damaged, slot, generation);
  }
}

// ---- The journal

template <class T>
T read(const std::string& file, uint64_t offset) {
  T value{};
  std::memcpy(&value, file.data() + offset, sizeof value);
  return value;
}
void put(std::string& file, uint64_t offset, uint64_t word) {
  std::memcpy(file.data() + offset, &word, kWord);
}

void seal_record(std::string& file, uint64_t offset) {
  if (offset + sizeof(journal::RecordHeader) > file.size()) return;
  const auto header = read<journal::RecordHeader>(file, offset);
  const uint64_t body = offset + sizeof header;
  if (header.bytes > file.size() - body) return;
  if ((header.flags & journal::kAway) != 0 && header.bytes == sizeof(journal::AwayBody)) {
    const auto away = read<journal::AwayBody>(file, body);
    if (away.offset <= file.size() && away.bytes <= file.size() - away.offset)
      put(file, body + offsetof(journal::AwayBody, checksum),
          XXH3_64bits(file.data() + away.offset, away.bytes));
  }
  constexpr size_t covered = offsetof(journal::RecordHeader, bytes);
  put(file, offset,
      XXH3_64bits(file.data() + offset + covered, sizeof header - covered + header.bytes));
}

void seal_journal(Damaged& damaged) {
  std::string& file = damaged.journal();
  for (const uint64_t copy : {uint64_t{0}, journal::kHeaderBytes}) {
    if (copy + sizeof(journal::Header) > file.size()) return;
    constexpr size_t covered = offsetof(journal::Header, checksum);
    put(file, copy + covered, XXH3_64bits(file.data() + copy, covered));
  }
  for (const Offset record : damaged.base().records) seal_record(file, record);
}

}  // namespace

void seal(Damaged& damaged) {
  seal_headers(damaged);
  for (const Offset lane : damaged.lanes()) seal_lane(damaged, lane);
  seal_undo(damaged);
  if (!damaged.base().journal.empty()) seal_journal(damaged);
}

}  // namespace nvm::fuzz
