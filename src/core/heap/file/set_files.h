// The files of a pool set, opened and locked: what a PoolFile is on where it is not one plain file.
//
// Invariants
//   1. Every part of every replica is locked, as file_lock.h says, as long as this lives, and has
//      the size that the set gives it.
//   2. libpmemobj is given a pool set file of ours, path(), that names these very files by their
//      descriptors: what the set's own file says meanwhile does not matter.
//   3. A set that has been opened is whole: every header belongs to this set and to its place.
//
// Why a cut is harmless
//   create  all parts have temporary names until publish(), which renames the master's first part
//           last. Cut between two renames, the set has parts without a first one: opening it is an
//           error that names what is missing.
//
// What is refused: replicas on other machines, directories (pools that grow by new files), device
// DAX, and disks without DAX, where a store is durable only through a journal for one file.
//
// Not thread-safe but for what is const.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "heap/file/file_lock.h"
#include "heap/file/new_file.h"
#include "heap/file/posix_file.h"
#include "heap/file/private_mapping.h"
#include "heap/file/shared_mapping.h"
#include "poolset/pool_set.h"

namespace nvm::heap {

// True if the file begins as a pool set does. False for what cannot be read.
bool names_pool_set(const std::string& path) noexcept;

class SetFiles {
 public:
  struct Request {
    std::string path;  // of the pool set file
    LockMode mode = LockMode::exclusive;
    double timeout = 0;
    mode_t create_mode = 0;
    uint64_t limit = 0;  // what the caller wants at least: refused if the set has less
    std::optional<backend::Kind> backend;
  };
  // How many of the parts there are. Reads the set; throws as open() does for what it refuses.
  enum class Found { none, all };
  static Found look(const std::string& path);
  // Throws Error(os), Error(locked), Error(corrupt).
  static std::unique_ptr<SetFiles> open(const Request& request);
  static std::unique_ptr<SetFiles> create(const Request& request);
  ~SetFiles();
  SetFiles(const SetFiles&) = delete;
  SetFiles& operator=(const SetFiles&) = delete;

  const std::string& path() const noexcept { return path_for_library_; }
  uint64_t size() const noexcept { return size_; }  // of the pool
  size_t replicas() const noexcept { return replicas_.size(); }
  const backend::Medium& medium() const noexcept { return medium_; }
  // Of the master's first part.
  dev_t device() const noexcept;
  ino_t inode() const noexcept;

  // The bytes of a replica, 0 the master.
  PrivateMapping map_privately(size_t replica = 0) const;
  // Where they are in its files.
  const std::vector<FileRange>& ranges(size_t replica) const noexcept;
  // Some of them, to be mapped shared.
  std::vector<FilePiece> pieces(size_t replica, uint64_t begin, uint64_t size) const;

  // Lets the flocks go so that libpmemobj can take its own.
  void release_flocks() noexcept;
  // Gives every byte of every part a block on the medium. Throws Error(os).
  void allocate_all();
  // Gives new parts their names. Throws Error(os), EEXIST if one is taken.
  void publish();

  // In a forked child: private pages over the mapping of the master at `base`; no lock is kept.
  void abandon_in_child(char* base) noexcept;

  // Says what is wrong, with a word on `sync` if there is a replica to repair it from.
  [[noreturn]] void throw_damaged(const std::string& what) const;

 private:
  struct PartFile {
    std::string path;
    uint64_t size = 0;
    Fd lock;   // holds the locks of ours
    Fd plain;  // the same file without any lock
    Registration registration;
    struct stat status {};
    std::unique_ptr<NewFile> new_file;
  };
  struct ReplicaFiles {
    std::vector<PartFile> parts;
    std::vector<FileRange> ranges;
  };

  SetFiles() = default;
  static std::unique_ptr<SetFiles> prepare(const Request& request);
  template <class OpenPart>
  void open_parts(OpenPart&& open_part);
  void add_replica(const poolset::Replica& replica);
  void open_part(PartFile& part, const Request& request) const;
  void create_part(PartFile& part, const Request& request) const;
  void choose_backend(const Request& request);
  void describe_for_library();
  void check_headers() const;

  std::string path_;
  poolset::PoolSet set_;
  std::vector<ReplicaFiles> replicas_;
  backend::Medium medium_{};
  uint64_t size_ = 0;
  Fd description_;  // of a nameless file: the pool set for libpmemobj
  std::string path_for_library_;
};

}  // namespace nvm::heap
