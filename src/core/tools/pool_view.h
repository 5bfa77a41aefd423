// A pool of PMDK of any kind, or a pool set, looked at without its library: mapped privately, so
// that nothing in it changes, with its header found right or not.
//
// For what comes before a library of PMDK sees a file (they trust what they open), and for what
// they have no function for.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "heap/file/bus_guard.h"
#include "heap/file/posix_file.h"
#include "heap/file/private_mapping.h"
#include "heap/layout/part_header.h"
#include "poolset/pool_set.h"

namespace nvm::tools {

enum class PoolKind { obj, log, blk, unknown };

std::string_view name_of(PoolKind kind) noexcept;  // "obj", ...
PoolKind kind_of(const heap::pmdk::PoolHeader& header) noexcept;

class PoolView {
 public:
  // Maps a pool's file, or the files of the master of a pool set. Throws Error(os), and
  // Error(corrupt) for files shorter than a header, or than their pool set says.
  explicit PoolView(const std::string& path);

  const std::string& path() const noexcept { return path_; }
  const char* base() const noexcept { return mapping_.base(); }
  // The same bytes, to be changed: nobody else sees it.
  char* private_base() const noexcept { return mapping_.base(); }
  uint64_t size() const noexcept { return mapping_.size(); }
  const heap::pmdk::PoolHeader& header() const noexcept {
    return *reinterpret_cast<const heap::pmdk::PoolHeader*>(base());
  }
  // Throws Error(layout) if it is a pool of another kind, Error(corrupt) if it is none, or its
  // header is damaged or of a format unknown here (`major` is the one that is known).
  void require(PoolKind kind, uint32_t major) const;

  // Gives what some work with the bytes gives. Throws Error(os) if files were cut short meanwhile,
  // whatever was found in the zeros that are there then.
  template <class Work>
  auto read(Work work) const {
    try {
      auto result = work();
      check_whole();
      return result;
    } catch (const Error&) {
      check_whole();
      throw;
    }
  }

 private:
  void map_file();
  void map_set();
  void check_whole() const;

  std::string path_;
  std::vector<heap::Fd> files_;
  heap::PrivateMapping mapping_;
  std::shared_ptr<heap::BusGuard::Flag> lost_ = std::make_shared<heap::BusGuard::Flag>(false);
  heap::BusGuard guard_;  // ends before the mapping
};

}  // namespace nvm::tools
