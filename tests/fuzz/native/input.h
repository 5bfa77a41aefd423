// How an input damages a pool. It is a sequence of 16-byte records, so that every sequence of bytes
// is an input: the first says which base pool, the others change one word each.
//
//   { u8 pool; u8 flags; ... }
//   { u8 place; u8 change; u16 which; u16 word; u16 other; u64 value; }
//
// Places and blocks are named by number, each number modulo how many there are. Checksums are put
// right afterwards (seal.h) unless the flags say not to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>

#include "fuzz/native/base_pool.h"

namespace nvm::fuzz {

using Bytes = std::span<const uint8_t>;

inline constexpr size_t kRecordBytes = 16;

struct Head {
  uint8_t pool;
  uint8_t flags;
  uint8_t unused[14];
};
static_assert(sizeof(Head) == kRecordBytes);
inline constexpr uint8_t kLeaveChecksums = 1;
inline constexpr uint8_t kForWriting = 2;

struct Edit {
  uint8_t place;
  uint8_t change;
  uint16_t which;
  uint16_t word;
  uint16_t other;
  uint64_t value;
};
static_assert(sizeof(Edit) == kRecordBytes);

// Where an edit stores its word. A target takes those that it is about; the order of its list is
// the meaning of its corpus.
enum class Place : uint8_t {
  field,           // of an object: the words of a block with a header
  block,           // any block's
  block_header,    // size and type before a block
  root,            // the root object
  chunk,           // a chunk's header
  run,             // unit, alignment, bitmap
  pool_header,     // PMDK's
  descriptor,      //
  heap_header,     // and the zone's
  lane,            // a lane's logs
  undo,            // slots of our undo log
  page,            // any page that is not all zeros
  journal_header,  //
  journal_record,  //
  journal_any,     //
  cut,             // no word: the file ends there
};

// A base pool, damaged by an input: private memory, with a page that cannot be touched on each
// side.
class Damaged {
 public:
  Damaged(Bytes input, std::span<const Place> places);
  ~Damaged();
  Damaged(const Damaged&) = delete;
  Damaged& operator=(const Damaged&) = delete;

  const BasePool& base() const { return base_; }
  uint8_t flags() const { return head_.flags; }
  char* pool() { return memory_; }
  uint64_t size() const { return size_; }
  std::string& journal() { return journal_; }
  // A further word; nothing if it is not in the pool.
  void put(Offset offset, uint64_t word);
  // Offsets of the lanes that have been changed.
  const std::set<Offset>& lanes() const { return lanes_; }

  // Makes the files, with what is all zeros as holes.
  void write(const std::string& path) const;

 private:
  struct Target {
    char* word;  // nullptr: there is none
    bool in_pool;
  };
  void apply(const Edit& edit, Place place);
  Target find(const Edit& edit, Place place);
  Target in_pool(Offset offset);
  Target in_journal(uint64_t offset);
  uint64_t changed(const Edit& edit, uint64_t old) const;
  void cut(const Edit& edit);

  Head head_{};
  const BasePool& base_;
  char* mapping_ = nullptr;
  char* memory_ = nullptr;
  uint64_t room_ = 0;
  uint64_t size_ = 0;
  std::string journal_;
  std::set<Offset> lanes_;
  std::set<Offset> touched_;  // pages
};

}  // namespace nvm::fuzz
