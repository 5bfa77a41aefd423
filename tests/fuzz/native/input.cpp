#include "fuzz/native/input.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <stdexcept>

#include "backend/journal/format.h"
#include "fuzz/native/scratch.h"
#include "fuzz/native/seal.h"
#include "heap/file/pool_journal.h"
#include "heap/file/posix_file.h"
#include "heap/layout/pmdk_layout.h"
#include "object/value/cell.h"

namespace nvm::fuzz {
namespace {

namespace pmdk = heap::pmdk;
namespace journal = backend::journal;

constexpr uint64_t kWord = sizeof(uint64_t);
constexpr uint64_t kNumberBits = 20;  // of a slot's tag in the undo log
constexpr uint64_t kRunWords = 64;    // unit, alignment and the first words of the bitmap
constexpr uint64_t kChunks = 64;

// The base pools as files in memory, to be mapped privately.
int file_of(const BasePool& base) {
  static std::map<const BasePool*, heap::Fd> files;
  heap::Fd& file = files[&base];
  if (!file) {
    file = heap::Fd(::memfd_create("base pool", MFD_CLOEXEC));
    const auto size = static_cast<ssize_t>(base.pool.size());
    if (::write(file.get(), base.pool.data(), base.pool.size()) != size)
      throw std::runtime_error("no memory for a base pool");
  }
  return file.get();
}

const BasePool& pool_of(const Head& head) { return base_pools()[head.pool % base_pools().size()]; }

Head head_of(Bytes input) {
  Head head{};
  std::memcpy(&head, input.data(), std::min(input.size(), sizeof head));
  return head;
}

}  // namespace

Damaged::Damaged(Bytes input, std::span<const Place> places)
    : head_(head_of(input)),
      base_(pool_of(head_)),
      room_(base_.pool.size()),
      size_(room_),
      journal_(base_.journal) {
  mapping_ = static_cast<char*>(::mmap(nullptr, room_ + 2 * pmdk::kPage, PROT_NONE,
                                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  memory_ = static_cast<char*>(::mmap(mapping_ + pmdk::kPage, room_, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_FIXED, file_of(base_), 0));
  if (memory_ == MAP_FAILED) throw std::runtime_error("cannot map a base pool");
  for (size_t at = sizeof head_; at + sizeof(Edit) <= input.size(); at += sizeof(Edit)) {
    Edit edit{};
    std::memcpy(&edit, input.data() + at, sizeof edit);
    apply(edit, places[edit.place % places.size()]);
  }
  if ((head_.flags & kLeaveChecksums) == 0) seal(*this);
  // What is behind the end may be touched no more than what is behind the pool.
  const uint64_t kept = (size_ + pmdk::kPage - 1) / pmdk::kPage * pmdk::kPage;
  if (kept < room_) ::mprotect(memory_ + kept, room_ - kept, PROT_NONE);
}

Damaged::~Damaged() { ::munmap(mapping_, room_ + 2 * pmdk::kPage); }

void Damaged::write(const std::string& path) const {
  const heap::Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  std::set<Offset> pages(base_.pages.begin(), base_.pages.end());
  pages.insert(touched_.begin(), touched_.end());
  bool done = ::ftruncate(file.get(), static_cast<off_t>(size_)) == 0;
  for (const Offset page : pages) {
    if (page >= size_) break;
    const uint64_t bytes = std::min(pmdk::kPage, size_ - page);
    done &= ::pwrite(file.get(), memory_ + page, bytes, static_cast<off_t>(page)) ==
            static_cast<ssize_t>(bytes);
  }
  if (!done) throw std::runtime_error("cannot write " + path);
  if (base_.journal.empty()) {
    ::unlink(heap::journal_path(path).c_str());
  } else {
    write_file(heap::journal_path(path), journal_);
  }
}

// ---- Edits

void Damaged::apply(const Edit& edit, Place place) {
  if (place == Place::cut) return cut(edit);
  const Target target = find(edit, place);
  if (target.word == nullptr) return;
  uint64_t word = 0;
  std::memcpy(&word, target.word, kWord);
  word = changed(edit, word);
  std::memcpy(target.word, &word, kWord);
  if (!target.in_pool) return;
  const auto offset = static_cast<Offset>(target.word - memory_);
  touched_.insert(offset / pmdk::kPage * pmdk::kPage);
  if (place == Place::lane)
    lanes_.insert(offset - (offset - pmdk::kLanesOffset) % sizeof(pmdk::Lane));
}

void Damaged::put(Offset offset, uint64_t word) {
  const Target target = in_pool(offset);
  if (target.word == nullptr) return;
  std::memcpy(target.word, &word, kWord);
  touched_.insert(offset / pmdk::kPage * pmdk::kPage);
}

Damaged::Target Damaged::in_pool(Offset offset) {
  offset = offset / kWord * kWord;
  if (offset > size_ || size_ - offset < kWord) return {nullptr, true};
  return {memory_ + offset, true};
}

Damaged::Target Damaged::in_journal(uint64_t offset) {
  if (offset > journal_.size() || journal_.size() - offset < kWord) return {nullptr, false};
  return {journal_.data() + offset, false};
}

Damaged::Target Damaged::find(const Edit& edit, Place place) {
  const auto word_of = [&](uint64_t bytes) {
    return edit.word % std::max<uint64_t>(bytes / kWord, 1) * kWord;
  };
  const auto one_of = [&](const auto& all) -> const auto& { return all[edit.which % all.size()]; };
  switch (place) {
    case Place::field: {
      const heap::Block& block = one_of(base_.headed);
      return in_pool(block.offset + word_of(block.usable));
    }
    case Place::block: {
      const heap::Block& block = one_of(base_.blocks);
      return in_pool(block.offset + word_of(block.usable));
    }
    case Place::block_header:
      return in_pool(one_of(base_.headed).offset - word_of(2 * kWord) - kWord);
    case Place::root:
      return in_pool(base_.root + word_of(offsetof(heap::RootObject, reserved2)));
    case Place::chunk:
      return in_pool(pmdk::kFirstZone + sizeof(pmdk::ZoneHeader) +
                     edit.which % kChunks * sizeof(pmdk::ChunkHeader));
    case Place::run:
      return in_pool(one_of(base_.runs) + word_of(kRunWords * kWord));
    case Place::pool_header:
      return in_pool(word_of(pmdk::kPage));
    case Place::descriptor:
      return in_pool(pmdk::kDescriptorOffset + word_of(pmdk::kPage));
    case Place::heap_header:
      return in_pool(pmdk::kHeapOffset + word_of(pmdk::kHeapHeaderSize + sizeof(pmdk::ZoneHeader)));
    case Place::lane:
      return in_pool(pmdk::kLanesOffset + edit.which % pmdk::kLanes * sizeof(pmdk::Lane) +
                     word_of(sizeof(pmdk::Lane)));
    case Place::undo:
      return in_pool(base_.undo_segment + word_of(pmdk::kPage));
    case Place::page:
      return in_pool(one_of(base_.pages) + word_of(pmdk::kPage));
    case Place::journal_header:
      return in_journal(edit.which % 2 * journal::kHeaderBytes + word_of(sizeof(journal::Header)));
    case Place::journal_record:
      if (base_.records.empty()) return {nullptr, false};
      return in_journal(one_of(base_.records) + word_of(pmdk::kPage));
    case Place::journal_any:
      return in_journal((uint64_t{edit.which} << 16 | edit.word) % (journal_.size() / kWord + 1) *
                        kWord);
    case Place::cut:
      break;
  }
  return {nullptr, false};
}

void Damaged::cut(const Edit& edit) {
  const uint64_t wanted = edit.which * pmdk::kPage + edit.word;
  if ((edit.change & 1) != 0) {
    journal_.resize(wanted % (journal_.size() + 1));
  } else {
    size_ = wanted % (size_ + 1);
  }
}

// The word that an edit stores: any, a near one, or one that leads somewhere.
uint64_t Damaged::changed(const Edit& edit, uint64_t old) const {
  const Offset block = base_.blocks[edit.other % base_.blocks.size()].offset;
  const auto tag = [&](uint64_t place) {
    const auto* root = reinterpret_cast<const heap::RootObject*>(base_.pool.data() + base_.root);
    return place << kNumberBits | (root->tx.state >> 2) % (uint64_t{1} << kNumberBits);
  };
  constexpr unsigned kinds = 12;
  switch (edit.change % kinds) {
    case 0:
      return edit.value;
    case 1:
      return old + static_cast<uint64_t>(static_cast<int64_t>(static_cast<int16_t>(edit.other)));
    case 2:
      return old ^ uint64_t { 1 } << edit.value % 64;
    case 3:
      return block + static_cast<uint64_t>(static_cast<int64_t>(static_cast<int8_t>(edit.value)));
    case 4:
      return object::Cell::object(block).bits();
    case 5:
      return object::Cell::blob(block).bits();
    case 6:
      return (old & ~uint64_t{0xFFFF'FFFF}) | (edit.value & 0xFFFF'FFFF);
    case 7:
      return (old & ~(uint64_t{0xFFFF} << 48)) | uint64_t{edit.other} << 48;
    case 8:
      return (old & ~uint64_t{0xFF}) | (edit.value & 0xFF);
    case 9:  // an entry of a lane's log: what is done, and where
      return (edit.value & 7) << pmdk::kLogOperationShift |
             (block + (edit.value >> 3 & 0xFF) * kWord);
    case 10:  // a slot of the undo log, by its kind
      return tag(edit.value % 10);
    default:  // and by the word that it has the old content of
      return tag(block / kWord + (edit.value & 0xFF));
  }
}

}  // namespace nvm::fuzz
