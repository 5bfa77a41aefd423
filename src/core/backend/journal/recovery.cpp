#include "backend/journal/recovery.h"

#include <xxhash.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <optional>
#include <vector>

#include "backend/journal/rules.h"
#include "pmem/error.h"

namespace nvm::backend::journal {
namespace {

[[noreturn]] void corrupt(const DiskFile& file, const std::string& what) {
  throw Error(ErrorKind::corrupt, "'" + file.path() + "': " + what, EUCLEAN, file.path());
}

std::optional<Header> header_at(DiskFile& file, uint64_t offset) {
  Header header{};
  file.read(&header, sizeof header, offset);
  if (std::memcmp(header.magic, kMagic, sizeof header.magic) != 0 ||
      header.checksum != XXH3_64bits(&header, offsetof(Header, checksum))) {
    return std::nullopt;
  }
  return header;
}

std::optional<Header> newest_header(DiskFile& file) {
  const std::optional<Header> first = header_at(file, 0);
  const std::optional<Header> second = header_at(file, kHeaderBytes);
  return !first || (second && second->serial > first->serial) ? second : first;
}

bool is_of_pool(const Header& header, const Identity& identity) {
  return std::equal(identity.uuid.begin(), identity.uuid.end(), header.pool_uuid);
}

[[noreturn]] void refuse_foreign(const DiskFile& file) {
  throw Error(ErrorKind::locked,
              "'" + file.path() + "': the journal of another pool: put it back beside that one",
              EBUSY, file.path());
}

void check(const Header& header, DiskFile& file, const Identity& identity) {
  if (header.version != kVersion) {
    throw Error(ErrorKind::layout,
                "'" + file.path() + "': a journal of version " + std::to_string(header.version) +
                    "; this version of pynvm reads " + std::to_string(kVersion) +
                    ": open the pool once with the version that wrote it",
                0, file.path());
  }
  if (!is_of_pool(header, identity)) refuse_foreign(file);
  if (header.run_id != identity.run_id) {
    throw Error(ErrorKind::locked,
                "'" + file.path() +
                    "': the journal of an older or newer state of this pool: copy "
                    "and rename pool and journal together",
                EBUSY, file.path());
  }
  const uint64_t halves = file.size() - std::min(file.size(), kHalvesOffset);
  if (header.half_bytes == 0 || header.half_bytes % kPage != 0 || header.half_bytes > halves / 2 ||
      header.first_generation == 0 || header.first_sequence == 0) {
    corrupt(file, "damaged: the journal's header");
  }
}

// Reads the records of one half in order.
class Reader {
 public:
  Reader(DiskFile& file, const Header& header, uint64_t generation)
      : file_(file), generation_(generation), half_(header.half_bytes) {
    begin_ = kHalvesOffset + (generation & 1) * half_;
  }

  // The record of this sequence number, if it is the next one and whole.
  bool next(uint64_t sequence) {
    if (half_ - at_ < sizeof(RecordHeader)) return false;
    need(sizeof(RecordHeader));
    RecordHeader header{};
    std::memcpy(&header, bytes(), sizeof header);
    const bool is_next = header.sequence == sequence && header.generation == generation_;
    if ((!is_next && holds(Rule::records_are_of_their_generation)) ||
        header.bytes > half_ - at_ - sizeof header) {
      return false;
    }
    const uint64_t total = sizeof header + header.bytes;
    need(total);
    constexpr size_t covered = offsetof(RecordHeader, bytes);
    if (XXH3_64bits(bytes() + covered, total - covered) != header.checksum &&
        holds(Rule::records_are_whole))
      return false;
    if ((header.flags & kAway) != 0) {
      if (!fetch_away(header)) return false;
    } else {
      body_ = bytes() + sizeof header;
      body_bytes_ = header.bytes;
    }
    runs_ = header.runs;
    at_ += total;
    return true;
  }

  const char* body() const { return body_; }
  uint64_t body_bytes() const { return body_bytes_; }
  uint64_t runs() const { return runs_; }
  uint64_t read() const { return at_; }

 private:
  static constexpr uint64_t kWindow = uint64_t{1} << 20;

  const char* bytes() const { return window_.data() + (at_ - window_begin_); }

  // Makes [at_, at_ + length) present in the window.
  void need(uint64_t length) {
    if (at_ >= window_begin_ && at_ + length <= window_begin_ + window_.size()) return;
    window_.resize(std::min(std::max(length, kWindow), half_ - at_));
    window_begin_ = at_;
    file_.read(window_.data(), window_.size(), begin_ + at_);
  }

  bool fetch_away(const RecordHeader& header) {
    AwayBody away{};
    if (header.bytes != sizeof away) return false;
    std::memcpy(&away, bytes() + sizeof header, sizeof away);
    const uint64_t size = file_.size();
    if (away.offset > size || away.bytes > size - away.offset) return false;
    away_.resize(away.bytes);
    file_.read(away_.data(), away_.size(), away.offset);
    if (XXH3_64bits(away_.data(), away_.size()) != away.checksum) return false;
    body_ = away_.data();
    body_bytes_ = away.bytes;
    return true;
  }

  DiskFile& file_;
  uint64_t generation_;
  uint64_t half_;
  uint64_t begin_ = 0;
  uint64_t at_ = 0;
  uint64_t window_begin_ = 0;
  std::vector<char> window_;
  std::vector<char> away_;
  const char* body_ = nullptr;
  uint64_t body_bytes_ = 0;
  uint64_t runs_ = 0;
};

void apply(const DiskFile& file, const Reader& record, uint64_t begin, uint64_t end,
           const Store& store) {
  const uint64_t table = record.runs() * sizeof(uint64_t);
  if (table > record.body_bytes()) corrupt(file, "damaged: a record's table");
  uint64_t content = table;
  for (uint64_t i = 0; i < record.runs(); ++i) {
    uint64_t word = 0;
    std::memcpy(&word, record.body() + i * sizeof word, sizeof word);
    const uint64_t offset = run_line(word) * kLine;
    const uint64_t length = run_lines(word) * kLine;
    if (length == 0 || length > record.body_bytes() - content || offset < begin || offset > end ||
        length > end - offset) {
      corrupt(file, "damaged: a record names bytes outside of the pool");
    }
    store(offset, record.body() + content, length);
    content += length;
  }
}

}  // namespace

Replayed replay(DiskFile& journal, const Identity& identity, uint64_t begin, uint64_t end,
                const Store& store) {
  const std::optional<Header> found = newest_header(journal);
  if (!found) corrupt(journal, "not a journal, or damaged: it has no header");
  const Header header = *found;
  check(header, journal, identity);
  Replayed result;
  uint64_t sequence = header.first_sequence;
  // At most two generations are alive.
  for (const uint64_t generation : {header.first_generation, header.first_generation + 1}) {
    Reader reader(journal, header, generation);
    while (reader.next(sequence)) {
      apply(journal, reader, begin, end, store);
      ++sequence;
      ++result.records;
    }
    result.bytes += reader.read();
  }
  return result;
}

void check_leftover(DiskFile& journal, const Identity& identity) {
  const std::optional<Header> header = newest_header(journal);
  if (header && !is_of_pool(*header, identity)) refuse_foreign(journal);
}

}  // namespace nvm::backend::journal
