// Pool set files: the text that says of which files a pool consists (poolset(5)).
//
//   PMEMPOOLSET                       the first line
//   OPTION SINGLEHDR                  only a replica's first part has a header
//   32M /pmem0/pool.part0             size and absolute path of each part of the master
//   REPLICA                           then the parts of a copy
//   64M /pmem1/copy.part0
//   REPLICA host pool.set             a copy on another machine
//
// What follows a '#' is a comment. A path has no blank, '#' or line break, for the file has no way
// to write one. A part whose path is a directory stands for files that PMDK makes there as the pool
// grows, and its size is what the pool may grow to.
//
// A pool's bytes are those of its parts one after the other. Each part's length is rounded down to
// whole pages, and all but the first are without their first page, the part's own header (with
// SINGLEHDR they have none). The pool has as many bytes as its smallest replica.
//
// Nothing here looks at the parts; only read() and write() touch a file: the pool set file itself.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nvm::poolset {

// What the first line is, and what PMDK tells a pool set from a pool by.
inline constexpr std::string_view kSignature = "PMEMPOOLSET";
inline constexpr uint64_t kPage = 4096;
// The size of a part that is a whole device: found out when the pool is made.
inline constexpr uint64_t kAutoSize = 0;

struct Part {
  uint64_t size = kAutoSize;  // bytes
  std::string path;
  bool operator==(const Part&) const = default;
};

struct Replica {
  std::vector<Part> parts;
  std::string node;  // of another machine: [user@]host; empty: local
  std::string pool;  // and the pool set file there
  bool remote() const noexcept { return !node.empty(); }
  bool operator==(const Replica&) const = default;
};

struct PoolSet {
  std::vector<Replica> replicas;  // the first is the master
  bool single_header = false;
  bool no_headers = false;
  bool operator==(const PoolSet&) const = default;
};

// Where a part's bytes are in the pool.
struct Extent {
  uint64_t file_offset;  // of the first byte that belongs to the pool
  uint64_t pool_offset;
  uint64_t length;
};

bool is_pool_set(std::string_view head) noexcept;  // of a file, at least kSignature.size() bytes

// Throws Error(value): "line 3: ...".
PoolSet parse(std::string_view text);
// Throws Error(value) if a path cannot be written in such a file.
std::string format(const PoolSet& set);

// Throws Error(os); Error(corrupt) for what is no pool set.
PoolSet read(const std::string& path);
// Makes the file, or replaces what is there, by one rename. Throws Error(os), Error(value).
void write(const std::string& path, const PoolSet& set, mode_t mode);

// What PMDK asks of every set, and of one for a pool with `min_pool` bytes at least. Throws
// Error(value) that says what is wrong.
struct Demands {
  uint64_t min_pool = 0;
  uint64_t min_part = 0;
  bool replicas = true;  // pools of this kind can have them
};
void check(const PoolSet& set, const Demands& demands);

// REQUIRES: no part has kAutoSize.
std::vector<Extent> extents(const PoolSet& set, const Replica& replica);
uint64_t size_of(const PoolSet& set, const Replica& replica);
uint64_t pool_size(const PoolSet& set);  // of the smallest local replica

}  // namespace nvm::poolset
