#include "backend/journal/journal_file.h"

#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "pmem/error.h"

namespace nvm::backend::journal {
namespace {

constexpr uint64_t kFirstZeros = uint64_t{256} << 10;
constexpr uint64_t kZerosAhead = uint64_t{256} << 10;
constexpr uint64_t kAlignment = 8;

uint64_t record_bytes(uint64_t body) { return sizeof(RecordHeader) + body; }

uint64_t whole_pages(uint64_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

struct Run {
  uint64_t line;
  uint64_t lines;
};

std::vector<Run> runs_of(const std::vector<uint64_t>& lines) {
  std::vector<Run> runs;
  for (const uint64_t line : lines) {
    if (!runs.empty() && runs.back().line + runs.back().lines == line &&
        runs.back().lines < kMostRunLines) {
      ++runs.back().lines;
    } else {
      runs.push_back({line, 1});
    }
  }
  return runs;
}

void put_body(char* to, const std::vector<Run>& runs, const char* base) {
  for (const Run& run : runs) {
    const uint64_t word = run_word(run.line, run.lines);
    std::memcpy(to, &word, sizeof word);
    to += sizeof word;
  }
  for (const Run& run : runs) {
    std::memcpy(to, base + run.line * kLine, run.lines * kLine);
    to += run.lines * kLine;
  }
}

// Completes a record: header in front, checksum over what is behind it.
void seal(char* record, uint64_t body_bytes, RecordHeader header) {
  header.bytes = body_bytes;
  std::memcpy(record, &header, sizeof header);
  constexpr size_t covered = offsetof(RecordHeader, bytes);
  header.checksum = XXH3_64bits(record + covered, record_bytes(body_bytes) - covered);
  std::memcpy(record, &header.checksum, sizeof header.checksum);
}

}  // namespace

JournalFile::JournalFile(const std::string& path, const Identity& identity, unsigned mode)
    : disk_(create_disk_file(path, mode)) {
  std::memcpy(header_.magic, kMagic, sizeof header_.magic);
  header_.version = kVersion;
  std::copy(identity.uuid.begin(), identity.uuid.end(), header_.pool_uuid);
  header_.run_id = identity.run_id;
  header_.half_bytes = wanted_half_bytes;
  header_.first_generation = generation_;
  header_.first_sequence = sequence_;
  try {
    allocate();
    const std::vector<char> zeros(kHalvesOffset + kFirstZeros);
    disk_->write(zeros.data(), zeros.size(), 0);
    disk_->write(zeros.data() + kHalvesOffset, kFirstZeros, half_begin(generation_));
    zeroed_[generation_ & 1] = kFirstZeros;
    write_header();
  } catch (...) {
    disk_.reset();
    remove_disk_file(path);
    throw;
  }
}

// As large as wanted, or smaller where the disk has no room for that.
void JournalFile::allocate() {
  for (;;) {
    try {
      return disk_->allocate(0, away_begin());
    } catch (const Error& error) {
      if (!is_full(error) || header_.half_bytes / 2 < kLeastHalfBytes) throw;
      header_.half_bytes /= 2;
      disk_->truncate(0);
    }
  }
}

void JournalFile::write_header() {
  ++header_.serial;
  header_.checksum = XXH3_64bits(&header_, offsetof(Header, checksum));
  disk_->write(&header_, sizeof header_, (header_.serial & 1) * kHeaderBytes);
  disk_->sync();
}

bool JournalFile::fits(uint64_t bytes) const noexcept {
  return bytes <= header_.half_bytes - kAwayReserve &&
         head_ <= header_.half_bytes - kAwayReserve - bytes;
}

void JournalFile::reserve(uint64_t body_bytes) {
  if (fits(record_bytes(body_bytes)) || reserved_.end - reserved_.begin >= body_bytes) return;
  const uint64_t length = whole_pages(body_bytes);
  const uint64_t begin = free_away(length);
  disk_->allocate(begin, length);
  reserved_ = {begin, begin + length};
}

// The first place beyond the halves where so many bytes are used by no living record.
uint64_t JournalFile::free_away(uint64_t length) const {
  uint64_t begin = away_begin();
  for (bool moved = true; moved;) {
    moved = false;
    for (const std::vector<Extent>& used : away_) {
      for (const Extent& extent : used) {
        if (begin >= extent.end || begin + length <= extent.begin) continue;
        begin = extent.end;
        moved = true;
      }
    }
  }
  return begin;
}

uint64_t JournalFile::append(const std::vector<uint64_t>& lines, const char* base,
                             std::vector<Write>& writes) {
  const std::vector<Run> runs = runs_of(lines);
  const uint64_t body_bytes = runs.size() * sizeof(uint64_t) + lines.size() * kLine;
  RecordHeader header{.checksum = 0,
                      .bytes = 0,
                      .sequence = sequence_,
                      .generation = generation_,
                      .runs = static_cast<uint32_t>(runs.size()),
                      .flags = 0};
  static_assert(sizeof(RecordHeader) % kAlignment == 0 && kLine % kAlignment == 0);
  const bool here = fits(record_bytes(body_bytes));
  const uint64_t bytes = record_bytes(here ? body_bytes : sizeof(AwayBody));
  if (head_ + bytes > header_.half_bytes) {
    throw Error(ErrorKind::os, "'" + disk_->path() + "': no room in the journal", ENOSPC,
                disk_->path());
  }
  if (!here) reserve(body_bytes);

  std::vector<char> body(here ? 0 : body_bytes);
  std::vector<Extent>& away_bodies = away_[generation_ & 1];
  if (!here) away_bodies.reserve(away_bodies.size() + 1);
  char* const record = place_for(bytes, writes);
  if (here) {
    put_body(record + sizeof header, runs, base);
    seal(record, body_bytes, header);
  } else {
    put_body(body.data(), runs, base);
    const AwayBody away{reserved_.begin, body_bytes, XXH3_64bits(body.data(), body.size())};
    header.flags = kAway;
    std::memcpy(record + sizeof header, &away, sizeof away);
    seal(record, sizeof away, header);
    // Before the header in the list, though nothing depends on the order: both are checked.
    writes.insert(writes.end() - 1, {away.offset, std::move(body)});
    away_bodies.push_back(reserved_);
    reserved_ = {};
  }
  head_ += bytes;
  return sequence_++;
}

// Where the next record goes in the last of the writes, and zeros behind it if they are due; the
// list has room for one more. Records that follow each other are written in one go. Nothing has
// changed if it throws.
char* JournalFile::place_for(uint64_t bytes, std::vector<Write>& writes) {
  constexpr size_t most_added = 2;
  if (writes.capacity() - writes.size() < most_added)
    writes.reserve(2 * writes.size() + most_added);
  const uint64_t begin = half_begin(generation_) + head_;
  const auto continues = [&](const Write& last) {
    return last.offset <= begin && begin <= last.offset + last.bytes.size();
  };
  uint64_t& zeroed = zeroed_[generation_ & 1];
  uint64_t end = head_ + bytes;
  if (end > zeroed) end = std::min(whole_pages(end) + kZerosAhead, header_.half_bytes);
  const uint64_t length = end - head_;
  if (writes.empty() || !continues(writes.back())) {
    writes.push_back({begin, std::vector<char>(length)});
  } else {
    std::vector<char>& to = writes.back().bytes;
    to.resize(std::max(to.size(), begin - writes.back().offset + length));
  }
  zeroed = std::max(zeroed, end);
  return writes.back().bytes.data() + (begin - writes.back().offset);
}

void JournalFile::begin_generation() {
  ++generation_;
  first_sequence_ = sequence_;
  head_ = 0;
  reserved_ = {};
}

void JournalFile::retire() {
  header_.first_generation = generation_;
  header_.first_sequence = first_sequence_;
  write_header();
}

void JournalFile::give_back() {
  std::vector<Extent>& retired = away_[(generation_ + 1) & 1];
  if (retired.empty()) return;
  retired.clear();
  if (away_[generation_ & 1].empty() && reserved_.end == 0) disk_->truncate(away_begin());
}

}  // namespace nvm::backend::journal
