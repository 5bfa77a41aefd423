#include "tools/pool_view.h"

#include <fcntl.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "heap/file/posix_file.h"
#include "heap/file/set_files.h"

namespace nvm::tools {
namespace {

using heap::pmdk::PoolHeader;

constexpr std::array<std::pair<PoolKind, std::string_view>, 3> kSignatures{{
    {PoolKind::obj, {"PMEMOBJ\0", 8}},
    {PoolKind::log, {"PMEMLOG\0", 8}},
    {PoolKind::blk, {"PMEMBLK\0", 8}},
}};

[[noreturn]] void corrupt(const std::string& file, const std::string& what) {
  heap::throw_error(ErrorKind::corrupt, file, what, EUCLEAN);
}

}  // namespace

std::string_view name_of(PoolKind kind) noexcept {
  switch (kind) {
    case PoolKind::obj:
      return "obj";
    case PoolKind::log:
      return "log";
    case PoolKind::blk:
      return "blk";
    case PoolKind::unknown:
      break;
  }
  return "unknown";
}

PoolKind kind_of(const PoolHeader& header) noexcept {
  const std::string_view found(header.signature, sizeof header.signature);
  for (const auto& [kind, signature] : kSignatures) {
    if (found == signature) return kind;
  }
  return PoolKind::unknown;
}

PoolView::PoolView(const std::string& path) : path_(path) {
  if (heap::names_pool_set(path)) {
    map_set();
  } else {
    map_file();
  }
  guard_ = heap::BusGuard(base(), size(), lost_);
}

void PoolView::map_file() {
  files_.push_back(heap::open_file(path_, O_RDONLY));
  const uint64_t size = heap::size_of(heap::status_of(files_[0].get(), path_));
  if (size < sizeof(PoolHeader)) corrupt(path_, "too short for a pool: it has no whole header");
  mapping_ = heap::PrivateMapping(files_[0].get(), size, path_);
}

void PoolView::map_set() {
  const poolset::PoolSet set = poolset::read(path_);
  try {
    poolset::check(set, {.min_part = sizeof(PoolHeader)});
  } catch (const Error& error) {
    corrupt(path_, error.what());
  }
  const poolset::Replica& master = set.replicas.front();
  const std::vector<poolset::Extent> extents = poolset::extents(set, master);
  std::vector<heap::FileRange> ranges;
  for (size_t i = 0; i < extents.size(); ++i) {
    const poolset::Part& part = master.parts[i];
    files_.push_back(heap::open_file(part.path, O_RDONLY));
    if (heap::size_of(heap::status_of(files_[i].get(), part.path)) != part.size)
      corrupt(part.path, "not of the size that the pool set gives it");
    ranges.push_back(
        {files_[i].get(), extents[i].file_offset, extents[i].pool_offset, extents[i].length});
  }
  mapping_ = heap::PrivateMapping(ranges, poolset::size_of(set, master), path_);
}

void PoolView::check_whole() const {
  if (lost_->load()) heap::throw_error(ErrorKind::os, path_, std::string(heap::kLostFile), EIO);
}

void PoolView::require(PoolKind kind, uint32_t major) const {
  const PoolKind found = kind_of(header());
  if (found == PoolKind::unknown)
    corrupt(path_, "not a pool: it does not begin with PMDK's signature");
  if (found != kind)
    heap::throw_error(ErrorKind::layout, path_,
                      "a pool of another kind: " + std::string(name_of(found)) + ", not " +
                          std::string(name_of(kind)));
  if (!heap::has_right_checksum(header()))
    corrupt(path_, "damaged: the pool header's checksum is wrong");
  if (header().major != major)
    heap::throw_error(ErrorKind::layout, path_,
                      "format " + std::to_string(header().major) +
                          " of this kind of pool; format " + std::to_string(major) +
                          " is known here");
}

}  // namespace nvm::tools
