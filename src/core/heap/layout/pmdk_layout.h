// Where libpmemobj keeps what in a pool file: pool header, descriptor, lanes, zones, chunks, runs.
//
// Facts of PMDK's pool format 6 (libpmemobj 1.5 to 2.1), from its src/common/pool_hdr.h and, in
// src/libpmemobj, obj.h, lane.h, ulog.h and heap_layout.h; seen to hold in pools of 1.12.1. All
// numbers are little-endian. docs/format.md tells the same for readers.
//
//   0         PoolHeader         4 KiB
//   0x1000    Descriptor         the checksummed part 2 KiB, then the fields beside it
//   0x2000    1024 x Lane        3 KiB each
//   0x302000  HeapHeader         1 KiB, then the zones, 16 GiB each (the last one shorter)
//     zone    ZoneHeader, 65528 ChunkHeaders, as many chunks of 256 KiB as there is room for
#pragma once

#include <cstddef>
#include <cstdint>

namespace nvm::heap::pmdk {

inline constexpr uint64_t kPage = 4096;
inline constexpr uint64_t kCacheLine = 64;

// The pool header.
inline constexpr char kSignature[8] = "PMEMOBJ";
inline constexpr uint32_t kPoolMajor = 6;
// Ours: the pool is not whole without its journal. No release of PMDK opens it then.
inline constexpr uint32_t kNeedsJournal = 0x80000000;
// Single header, 2 KiB checksum, shutdown state, and ours.
inline constexpr uint32_t kKnownIncompatible = 0x7 | kNeedsJournal;
inline constexpr uint32_t kChecksumOf2K = 0x2;  // of the incompatible features
inline constexpr uint32_t kKeepsShutdownState = 0x4;
inline constexpr size_t kShortChecksum = 2048;  // bytes that it covers then

// Which of a header's uuids is what.
enum class Uuid : size_t { set, part, previous_part, next_part, previous_replica, next_replica };

struct PoolHeader {
  char signature[8];
  uint32_t major;
  uint32_t compatible;
  uint32_t incompatible;
  uint32_t ro_compatible;
  uint8_t uuids[6][16];
  uint64_t created;
  uint8_t arch_flags[16];
  uint8_t unused0[3880];
  // not covered by the short checksum
  uint64_t unsafe_shutdowns;
  uint64_t device_uuid;
  uint8_t dirty;  // with kKeepsShutdownState: open for writing, or was when its program ended
  uint8_t unused1[39];
  uint64_t shutdown_checksum;
  uint64_t checksum;
};
static_assert(sizeof(PoolHeader) == kPage && offsetof(PoolHeader, dirty) == 4040);

// The descriptor behind it.
inline constexpr size_t kLayoutLength = 1024;
inline constexpr size_t kDescriptorChecksummed = 2048;

struct Descriptor {
  char layout[kLayoutLength];
  uint64_t lanes_offset;
  uint64_t lanes;
  uint64_t heap_offset;
  uint64_t unused0;
  uint8_t unused1[984];
  uint64_t checksum;
  // not covered by the checksum
  uint64_t root_offset;
  uint64_t run_id;
  uint64_t root_size;
  uint64_t conversion_flags;
  uint64_t heap_size;
};
static_assert(offsetof(Descriptor, checksum) == kDescriptorChecksummed - 8);

inline constexpr uint64_t kDescriptorOffset = sizeof(PoolHeader);
inline constexpr uint64_t kRootOffsetField = kDescriptorOffset + offsetof(Descriptor, root_offset);
inline constexpr uint64_t kRootSizeField = kDescriptorOffset + offsetof(Descriptor, root_size);
inline constexpr uint64_t kHeapSizeField = kDescriptorOffset + offsetof(Descriptor, heap_size);
static_assert(kHeapSizeField == 0x1820);

// Lanes. Each has three logs; a log may go on in extensions that lie in the heap.
inline constexpr uint64_t kLanesOffset = 8192;
inline constexpr uint64_t kLanes = 1024;
inline constexpr uint64_t kInternalCapacity = 192;
inline constexpr uint64_t kExternalCapacity = 640;
inline constexpr uint64_t kUndoCapacity = 2048;

struct LogHeader {
  uint64_t checksum;  // of this header and the entries behind it; not used by undo logs
  uint64_t next;      // offset of the extension, before it is rounded up to a cache line
  uint64_t capacity;
  uint64_t generation;
  uint64_t flags;
  uint64_t unused[3];
};
static_assert(sizeof(LogHeader) == kCacheLine);

struct Lane {
  LogHeader internal;
  uint8_t internal_data[kInternalCapacity];
  LogHeader external;
  uint8_t external_data[kExternalCapacity];
  LogHeader undo;
  uint8_t undo_data[kUndoCapacity];
};
static_assert(sizeof(Lane) == 3072);

// A log entry begins with an offset whose three highest bits say what to do there.
inline constexpr unsigned kLogOperationShift = 61;
inline constexpr uint64_t kLogOffsetMask = (uint64_t{1} << kLogOperationShift) - 1;
enum class LogOperation : uint64_t {
  set = 0,      // the word at the offset becomes the value
  bit_and = 1,  // ... is and-ed with it
  bit_or = 2,   // ... or-ed
  fill = 5,     // the range becomes the first byte of the content
  copy = 6,     // the range becomes the content
};
struct LogWord {
  uint64_t offset;
  uint64_t value;
};
struct LogRange {
  uint64_t offset;
  uint64_t checksum;
  uint64_t size;  // of the content that follows; the entry ends at a cache line
};

// The heap.
inline constexpr uint64_t kHeapOffset = kLanesOffset + kLanes * sizeof(Lane);
static_assert(kHeapOffset == 0x302000);
inline constexpr uint64_t kHeapHeaderSize = 1024;
inline constexpr char kHeapSignature[16] = "MEMORY_HEAP_HDR";
inline constexpr uint64_t kHeapMajor = 1;

struct HeapHeader {
  char signature[16];
  uint64_t major;
  uint64_t minor;
  uint64_t unused;
  uint64_t chunk_size;
  uint64_t chunks_per_zone;
  uint8_t reserved[960];
  uint64_t checksum;
};
static_assert(sizeof(HeapHeader) == kHeapHeaderSize);

inline constexpr uint64_t kChunkSize = uint64_t{256} << 10;
inline constexpr uint64_t kChunksPerZone = 65528;
inline constexpr uint32_t kZoneMagic = 0xC3F0A2D2;

struct ZoneHeader {
  uint32_t magic;  // 0: never used
  uint32_t chunks;
  uint8_t reserved[56];
};
static_assert(sizeof(ZoneHeader) == 64);

enum class ChunkType : uint16_t { unknown, footer, free, used, run, run_data };
inline constexpr uint16_t kCompactHeader = 1;
inline constexpr uint16_t kNoHeader = 2;
inline constexpr uint16_t kAligned = 4;
inline constexpr uint16_t kFlexibleBitmap = 8;
inline constexpr uint16_t kChunkFlags = 15;

struct ChunkHeader {
  ChunkType type;
  uint16_t flags;
  uint32_t chunks;  // for run_data: distance to the run's first chunk
};
static_assert(sizeof(ChunkHeader) == 8);

inline constexpr uint64_t kZoneMetadata = sizeof(ZoneHeader) + kChunksPerZone * sizeof(ChunkHeader);
inline constexpr uint64_t kZoneSize = kZoneMetadata + kChunksPerZone * kChunkSize;
inline constexpr uint64_t kFirstZone = kHeapOffset + kHeapHeaderSize;
// The least a file can have: one zone of one chunk.
inline constexpr uint64_t kMinFileSize = kFirstZone + kZoneMetadata + kChunkSize;

// A run begins with this, its bitmap (a set bit: an allocated unit), and then its units.
struct RunHeader {
  uint64_t unit;
  uint64_t alignment;  // only with kAligned
};
static_assert(sizeof(RunHeader) == 16);
inline constexpr uint64_t kBitsPerWord = 64;
inline constexpr uint64_t kFixedBitmapWords = 38;  // without kFlexibleBitmap

// Before a block's data, unless its chunk has kNoHeader.
struct CompactHeader {
  uint64_t size;  // of the block with this header; the 16 highest bits are flags
  uint64_t type;
};
struct LegacyHeader {
  uint8_t unused0[8];
  uint64_t size;
  uint8_t unused1[32];
  uint64_t flags;
  uint64_t type;
};
static_assert(sizeof(CompactHeader) == 16 && sizeof(LegacyHeader) == 64);
inline constexpr unsigned kBlockFlagsShift = 48;
inline constexpr uint64_t kBlockSizeMask = (uint64_t{1} << kBlockFlagsShift) - 1;
inline constexpr uint64_t kInternalObject = uint64_t{1} << 15;  // libpmemobj's own, the root too

}  // namespace nvm::heap::pmdk
