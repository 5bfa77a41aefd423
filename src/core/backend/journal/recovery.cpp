#include "backend/journal/recovery.h"

#include <xxhash.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <optional>
#include <span>

#include "backend/journal/group.h"
#include "backend/journal/rules.h"
#include "backend/journal/window.h"
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

// Where the body of a record lies in the journal.
struct Body {
  uint64_t offset;
  uint64_t bytes;
  uint64_t runs;
};

// What is in memory of a journal at a time.
struct Windows {
  explicit Windows(DiskFile& file) : table(file, kTableWindow), content(file, kContentWindow) {}

  template <class T>
  T read(uint64_t offset) {
    T value;
    std::memcpy(&value, content.at(offset, sizeof value).data(), sizeof value);
    return value;
  }

  uint64_t checksum(uint64_t offset, uint64_t length) {
    XXH3_state_t state;
    XXH3_64bits_reset(&state);
    while (length != 0) {
      const std::span<const char> part = content.at(offset, length);
      XXH3_64bits_update(&state, part.data(), part.size());
      offset += part.size();
      length -= part.size();
    }
    return XXH3_64bits_digest(&state);
  }

  Window table;
  Window content;
};

// Finds the records of one half in order.
class Reader {
 public:
  Reader(DiskFile& file, Windows& windows, const Header& header, uint64_t generation)
      : file_(file),
        windows_(windows),
        generation_(generation),
        half_(header.half_bytes),
        begin_(kHalvesOffset + (generation & 1) * half_) {}

  // The record of this sequence number, if it is the next one and whole.
  std::optional<Body> next(uint64_t sequence) {
    if (half_ - at_ < sizeof(RecordHeader)) return std::nullopt;
    const uint64_t begin = begin_ + at_;
    const auto header = windows_.read<RecordHeader>(begin);
    const bool is_next = header.sequence == sequence && header.generation == generation_;
    if ((!is_next && holds(Rule::records_are_of_their_generation)) ||
        header.bytes > half_ - at_ - sizeof header) {
      return std::nullopt;
    }
    const uint64_t total = sizeof header + header.bytes;
    constexpr uint64_t covered = offsetof(RecordHeader, bytes);
    if (windows_.checksum(begin + covered, total - covered) != header.checksum &&
        holds(Rule::records_are_whole))
      return std::nullopt;
    std::optional<Body> body = Body{begin + sizeof header, header.bytes, header.runs};
    if ((header.flags & kAway) != 0) body = away(*body);
    if (body) at_ += total;
    return body;
  }

  uint64_t read() const { return at_; }

 private:
  // The one that is named there, if it is whole.
  std::optional<Body> away(const Body& named) {
    if (named.bytes != sizeof(AwayBody)) return std::nullopt;
    const auto away = windows_.read<AwayBody>(named.offset);
    const uint64_t size = file_.size();
    if (away.offset > size || away.bytes > size - away.offset) return std::nullopt;
    if (windows_.checksum(away.offset, away.bytes) != away.checksum) return std::nullopt;
    return Body{away.offset, away.bytes, named.runs};
  }

  DiskFile& file_;
  Windows& windows_;
  uint64_t generation_;
  uint64_t half_;
  uint64_t begin_;
  uint64_t at_ = 0;
};

// Where bytes of the pool may be stored.
struct Bounds {
  uint64_t begin;
  uint64_t end;

  bool hold(uint64_t offset, uint64_t length) const {
    return offset >= begin && offset <= end && length <= end - offset;
  }
};

void apply(const DiskFile& file, Windows& windows, const Body& body, const Bounds& bounds,
           Target& target) {
  const uint64_t table = body.runs * sizeof(uint64_t);
  if (table > body.bytes) corrupt(file, "damaged: a record's table");
  Group group;
  uint64_t content = body.offset + table;
  const uint64_t content_end = body.offset + body.bytes;
  for (uint64_t i = 0; i < body.runs; ++i) {
    uint64_t word = 0;
    const uint64_t place = body.offset + i * sizeof word;
    std::memcpy(&word, windows.table.at(place, sizeof word).data(), sizeof word);
    const uint64_t offset = run_line(word) * kLine;
    const uint64_t length = run_lines(word) * kLine;
    if (length == 0 || length > content_end - content || !bounds.hold(offset, length))
      corrupt(file, "damaged: a record names bytes outside of the pool");
    for (uint64_t done = 0; done < length; done += Target::kMost) {
      const Part part{content + done, offset + done, std::min(length - done, Target::kMost)};
      if (!group.takes(part)) group.store(windows.content, target);
      group.add(part);
    }
    content += length;
  }
  group.store(windows.content, target);
}

}  // namespace

Replayed replay(DiskFile& journal, const Identity& identity, uint64_t begin, uint64_t end,
                Target& target) {
  const std::optional<Header> found = newest_header(journal);
  if (!found) corrupt(journal, "not a journal, or damaged: it has no header");
  const Header header = *found;
  check(header, journal, identity);
  Replayed result;
  Windows windows(journal);
  uint64_t sequence = header.first_sequence;
  // At most two generations are alive.
  for (const uint64_t generation : {header.first_generation, header.first_generation + 1}) {
    Reader reader(journal, windows, header, generation);
    while (const std::optional<Body> body = reader.next(sequence)) {
      apply(journal, windows, *body, {begin, end}, target);
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
