#include "heap/layout/pool_header.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "heap/file/posix_file.h"
#include "heap/format.h"
#include "heap/layout/checksum.h"
#include "heap/layout/part_header.h"

namespace nvm::heap {
namespace {

[[noreturn]] void corrupt(const std::string& file, const std::string& what) {
  throw_error(ErrorKind::corrupt, file, what, EUCLEAN);
}
[[noreturn]] void foreign(const std::string& file, const std::string& what) {
  throw_error(ErrorKind::layout, file, what);
}

// A text from the file, safe to show.
std::string shown(std::string_view text) {
  constexpr size_t most = 64;
  std::string result;
  for (const char c : text.substr(0, most)) {
    result += c >= ' ' && c <= '~' ? c : '?';
  }
  return "\"" + result + "\"";
}

void check_signature(const char* base, uint64_t size, const std::string& file) {
  const size_t seen = std::min<size_t>(size, sizeof pmdk::kSignature);
  const std::string_view found(base, seen);
  if (found == std::string_view(pmdk::kSignature, sizeof pmdk::kSignature)) return;
  if (found == std::string_view("PMEMLOG\0", 8) || found == std::string_view("PMEMBLK\0", 8) ||
      found == std::string_view("PMEMPOOL")) {
    foreign(file,
            "another kind of pool of PMDK, " + shown(found.substr(0, 7)) + ", not of objects");
  }
  corrupt(file, "not a pool: the file does not begin with PMDK's signature");
}

void check_header(const pmdk::PoolHeader& header, const std::string& file) {
  if (!has_right_checksum(header)) corrupt(file, "damaged: the pool header's checksum is wrong");
  if (header.major != pmdk::kPoolMajor) {
    foreign(file, "PMDK's pool format " + std::to_string(header.major) + "; this is for format " +
                      std::to_string(pmdk::kPoolMajor));
  }
  if ((header.incompatible & ~pmdk::kKnownIncompatible) != 0) {
    foreign(file, "the pool uses features of PMDK that are not known here (bits " +
                      std::to_string(header.incompatible & ~pmdk::kKnownIncompatible) + ")");
  }
}

void check_layout(const pmdk::Descriptor& descriptor, const std::string& file) {
  const std::string_view layout(descriptor.layout,
                                ::strnlen(descriptor.layout, pmdk::kLayoutLength));
  if (layout == kLayoutName) return;
  if (layout.starts_with(kLayoutPrefix)) {
    foreign(file, "a pool of format " + shown(layout) + ", and this version of pynvm reads " +
                      shown(kLayoutName) +
                      "; to migrate, dump it with a version of pynvm that reads its format and "
                      "load the dump into a new pool");
  }
  foreign(file, "the pool of another program: its layout is " + shown(layout) + ", not " +
                    shown(kLayoutName));
}

void check_extent(const pmdk::Descriptor& descriptor, uint64_t size, const std::string& file) {
  if (descriptor.lanes_offset != pmdk::kLanesOffset || descriptor.lanes != pmdk::kLanes ||
      descriptor.heap_offset != pmdk::kHeapOffset) {
    corrupt(file, "damaged: the descriptor's places are not those of a pool");
  }
  if (descriptor.run_id % 2 != 0) {
    corrupt(file, "damaged: the run id " + std::to_string(descriptor.run_id) + " is odd");
  }
  const uint64_t room = size - pmdk::kHeapOffset;
  if (descriptor.heap_size > room) {
    corrupt(file, "truncated: the pool has " +
                      std::to_string(descriptor.heap_size + pmdk::kHeapOffset) +
                      " bytes, the file only " + std::to_string(size));
  }
  constexpr uint64_t least = pmdk::kMinFileSize - pmdk::kHeapOffset;
  if (descriptor.heap_size < least) {
    corrupt(file, "damaged: a heap of " + std::to_string(descriptor.heap_size) + " bytes");
  }
}

void check_heap_header(const pmdk::HeapHeader& heap, const std::string& file) {
  const uint64_t sum =
      fletcher64_around(&heap, sizeof heap, offsetof(pmdk::HeapHeader, checksum), sizeof heap);
  const bool as_known =
      std::memcmp(heap.signature, pmdk::kHeapSignature, sizeof heap.signature) == 0 &&
      heap.major == pmdk::kHeapMajor && heap.chunk_size == pmdk::kChunkSize &&
      heap.chunks_per_zone == pmdk::kChunksPerZone;
  if (sum != heap.checksum || !as_known) corrupt(file, "damaged: the heap's header");
}

}  // namespace

JournalMark journal_mark(const pmdk::PoolHeader& header) {
  const bool present = (header.incompatible & pmdk::kNeedsJournal) != 0;
  if (has_right_checksum(header)) return present ? JournalMark::present : JournalMark::absent;
  pmdk::PoolHeader other = header;
  other.incompatible ^= pmdk::kNeedsJournal;
  // Damage is for check_pool_header() to tell.
  return has_right_checksum(other) ? JournalMark::torn : JournalMark::absent;
}

void set_journal_mark(pmdk::PoolHeader& header, bool present) {
  header.incompatible &= ~pmdk::kNeedsJournal;
  if (present) header.incompatible |= pmdk::kNeedsJournal;
  header.checksum = right_checksum(header);
}

void check_any_layout(const char* base, uint64_t size, const std::string& file) {
  check_signature(base, size, file);
  if (size < pmdk::kMinFileSize) {
    corrupt(file, "truncated: a pool cannot have only " + std::to_string(size) + " bytes");
  }
  check_header(*reinterpret_cast<const pmdk::PoolHeader*>(base), file);
  const pmdk::Descriptor& descriptor = descriptor_of(base);
  const uint64_t sum =
      fletcher64_around(&descriptor, pmdk::kDescriptorChecksummed,
                        offsetof(pmdk::Descriptor, checksum), pmdk::kDescriptorChecksummed);
  if (sum != descriptor.checksum) corrupt(file, "damaged: the descriptor's checksum is wrong");
  check_extent(descriptor, size, file);
  check_heap_header(*reinterpret_cast<const pmdk::HeapHeader*>(base + pmdk::kHeapOffset), file);
}

void check_pool_header(const char* base, uint64_t size, const std::string& file) {
  check_any_layout(base, size, file);
  check_layout(descriptor_of(base), file);
}

void raise_heap_size(backend::DiskFile& file) {
  file.sync();  // the file may have got its size just now
  const uint64_t heap_size = usable_file_size(file.size()) - pmdk::kHeapOffset;
  file.write(&heap_size, sizeof heap_size, pmdk::kHeapSizeField);
  file.sync();
}

}  // namespace nvm::heap
