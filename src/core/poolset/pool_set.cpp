#include "poolset/pool_set.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <set>

#include "pmem/error.h"

namespace nvm::poolset {
namespace {

constexpr std::string_view kReplica = "REPLICA";
constexpr std::string_view kOption = "OPTION";
constexpr std::string_view kSingleHeader = "SINGLEHDR";
constexpr std::string_view kNoHeaders = "NOHDRS";
constexpr std::string_view kAuto = "AUTO";
constexpr std::string_view kBlanks = " \t";
constexpr std::string_view kCannotBeWritten = " \t\n#";

struct Unit {
  std::string_view suffix;
  uint64_t bytes;
};
constexpr std::array kUnits{
    Unit{"", 1},
    Unit{"B", 1},
    Unit{"K", uint64_t{1} << 10},
    Unit{"M", uint64_t{1} << 20},
    Unit{"G", uint64_t{1} << 30},
    Unit{"T", uint64_t{1} << 40},
    Unit{"P", uint64_t{1} << 50},
    Unit{"KiB", uint64_t{1} << 10},
    Unit{"MiB", uint64_t{1} << 20},
    Unit{"GiB", uint64_t{1} << 30},
    Unit{"TiB", uint64_t{1} << 40},
    Unit{"PiB", uint64_t{1} << 50},
    Unit{"kB", 1000},
    Unit{"MB", 1000 * 1000},
    Unit{"GB", 1000 * 1000 * 1000},
    Unit{"TB", uint64_t{1000} * 1000 * 1000 * 1000},
    Unit{"PB", uint64_t{1000} * 1000 * 1000 * 1000 * 1000},
};

[[noreturn]] void refuse(const std::string& what) { throw Error(ErrorKind::value, what); }

std::string quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  for (size_t begin = line.find_first_not_of(kBlanks); begin != std::string_view::npos;) {
    const size_t end = std::min(line.find_first_of(kBlanks, begin), line.size());
    words.push_back(line.substr(begin, end - begin));
    begin = line.find_first_not_of(kBlanks, end);
  }
  return words;
}

uint64_t size_from(std::string_view text) {
  if (text == kAuto) return kAutoSize;
  uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  const std::string_view suffix(rest, static_cast<size_t>(end - rest));
  const auto* const unit = std::find_if(kUnits.begin(), kUnits.end(),
                                        [=](const Unit& each) { return each.suffix == suffix; });
  if (error != std::errc{} || unit == kUnits.end()) refuse(quoted(text) + " is not a size");
  if (number == 0) refuse("a part cannot have no bytes");
  if (number > std::numeric_limits<int64_t>::max() / unit->bytes)
    refuse("the size " + quoted(text) + " is larger than any file");
  return number * unit->bytes;
}

std::string size_text(uint64_t size) {
  if (size == kAutoSize) return std::string(kAuto);
  // Largest first, of those with one letter.
  for (const std::string_view suffix : {"P", "T", "G", "M", "K"}) {
    const auto* const unit = std::find_if(kUnits.begin(), kUnits.end(),
                                          [=](const Unit& each) { return each.suffix == suffix; });
    if (size % unit->bytes == 0) return std::to_string(size / unit->bytes) + std::string(suffix);
  }
  return std::to_string(size) + "B";
}

void add_option(PoolSet& set, const std::vector<std::string_view>& words) {
  if (words.size() != 2) refuse("OPTION wants the name of one option");
  if (words[1] == kSingleHeader) {
    set.single_header = true;
  } else if (words[1] == kNoHeaders) {
    set.no_headers = true;
  } else {
    refuse("there is no option " + quoted(words[1]) + "; SINGLEHDR and NOHDRS there are");
  }
}

void add_replica(PoolSet& set, const std::vector<std::string_view>& words) {
  if (!set.replicas.back().remote() && set.replicas.back().parts.empty())
    refuse("what is before this REPLICA has no part");
  Replica replica;
  if (words.size() == 2) refuse("a REPLICA on another machine wants its pool set file as well");
  if (words.size() > 3) refuse("a REPLICA on another machine is a host and a pool set file");
  if (words.size() == 3) {
    replica.node = words[1];
    replica.pool = words[2];
  }
  set.replicas.push_back(std::move(replica));
}

void add_part(PoolSet& set, const std::vector<std::string_view>& words) {
  const uint64_t size = size_from(words[0]);
  if (words.size() < 2) refuse("a size without a path");
  if (words.size() > 2) refuse("more than a size and a path (a path cannot have a blank)");
  if (words[1].front() != '/') refuse("the path " + quoted(words[1]) + " is not absolute");
  if (set.replicas.back().remote()) refuse("a replica on another machine has no parts here");
  set.replicas.back().parts.push_back({size, std::string(words[1])});
}

void add_line(PoolSet& set, std::string_view line) {
  const std::vector<std::string_view> words = words_of(line.substr(0, line.find('#')));
  if (words.empty()) return;
  if (words[0] == kOption) return add_option(set, words);
  if (words[0] == kReplica) return add_replica(set, words);
  add_part(set, words);
}

void check_parts(const Replica& replica, const Demands& demands, std::set<std::string>& seen) {
  if (replica.remote()) return;
  if (replica.parts.empty()) refuse("a replica has no part");
  for (const Part& part : replica.parts) {
    if (part.path.empty() || part.path.front() != '/')
      refuse("the path " + quoted(part.path) + " is not absolute");
    if (part.path.find_first_of(kCannotBeWritten) != std::string::npos)
      refuse("the path " + quoted(part.path) +
             " has a blank, a line break or a '#', which a pool set file cannot have");
    if (!seen.insert(part.path).second)
      refuse("the part " + quoted(part.path) + " is named more than once");
    if (part.size != kAutoSize && part.size < demands.min_part)
      refuse("the part " + quoted(part.path) + " has " + std::to_string(part.size) +
             " bytes; the least is " + std::to_string(demands.min_part));
  }
}

bool has_auto_size(const Replica& replica) {
  return std::any_of(replica.parts.begin(), replica.parts.end(),
                     [](const Part& part) { return part.size == kAutoSize; });
}

void check_sizes(const PoolSet& set, uint64_t min_pool) {
  for (const Replica& replica : set.replicas) {
    if (replica.remote() || has_auto_size(replica)) continue;
    uint64_t total = 0;
    for (const Part& part : replica.parts) {
      if (part.size > std::numeric_limits<int64_t>::max() - total)
        refuse("the parts together are larger than any file");
      total += part.size;
    }
    const uint64_t size = size_of(set, replica);
    if (size < min_pool)
      refuse("the parts make a pool of " + std::to_string(size) + " bytes; the least is " +
             std::to_string(min_pool));
  }
}

}  // namespace

bool is_pool_set(std::string_view head) noexcept { return head.starts_with(kSignature); }

PoolSet parse(std::string_view text) {
  PoolSet set;
  size_t number = 0;
  while (!text.empty() || number == 0) {
    ++number;
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    try {
      if (number == 1) {
        if (line != kSignature) refuse("a pool set begins with the line PMEMPOOLSET");
        if (end == std::string_view::npos) refuse("there is no part");
        set.replicas.emplace_back();
      } else {
        add_line(set, line);
      }
    } catch (const Error& error) {
      refuse("line " + std::to_string(number) + ": " + error.what());
    }
  }
  const Replica& last = set.replicas.back();
  if (!last.remote() && last.parts.empty())
    refuse(set.replicas.size() == 1 ? "there is no part" : "the last REPLICA has no part");
  return set;
}

std::string format(const PoolSet& set) {
  std::string text = std::string(kSignature) + "\n";
  if (set.single_header) text += "OPTION SINGLEHDR\n";
  if (set.no_headers) text += "OPTION NOHDRS\n";
  for (const Replica& replica : set.replicas) {
    if (&replica != set.replicas.data()) {
      text += kReplica;
      if (replica.remote()) text += " " + replica.node + " " + replica.pool;
      text += "\n";
    }
    for (const Part& part : replica.parts) text += size_text(part.size) + " " + part.path + "\n";
  }
  return text;
}

void check(const PoolSet& set, const Demands& demands) {
  if (set.replicas.empty()) refuse("there is no part");
  if (set.replicas.front().remote()) refuse("the master cannot be on another machine");
  if (set.single_header && set.no_headers) refuse("SINGLEHDR and NOHDRS exclude each other");
  if (set.no_headers) refuse("NOHDRS is for pool sets that another machine's pool is copied to");
  if (!demands.replicas && set.replicas.size() > 1)
    refuse("only pools of objects can have replicas");
  std::set<std::string> seen;
  for (const Replica& replica : set.replicas) check_parts(replica, demands, seen);
  check_sizes(set, demands.min_pool);
}

std::vector<Extent> extents(const PoolSet& set, const Replica& replica) {
  std::vector<Extent> result;
  uint64_t end = 0;
  for (const Part& part : replica.parts) {
    const uint64_t skipped = result.empty() || set.single_header ? 0 : kPage;
    const uint64_t length = part.size < skipped ? 0 : (part.size - skipped) / kPage * kPage;
    result.push_back({skipped, end, length});
    end += length;
  }
  return result;
}

uint64_t size_of(const PoolSet& set, const Replica& replica) {
  const std::vector<Extent> parts = extents(set, replica);
  return parts.empty() ? 0 : parts.back().pool_offset + parts.back().length;
}

uint64_t pool_size(const PoolSet& set) {
  uint64_t least = std::numeric_limits<uint64_t>::max();
  for (const Replica& replica : set.replicas) {
    if (!replica.remote()) least = std::min(least, size_of(set, replica));
  }
  return least;
}

}  // namespace nvm::poolset
