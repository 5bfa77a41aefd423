// A pool file as libpmemobj holds it open: creation, the checks before libpmemobj sees it, the
// allocation classes, reservations and publishes, and growth.
//
// Invariants
//   1. The file is locked (flock by libpmemobj, an OFD lock of ours beside it that also covers the
//      moments when libpmemobj has the file closed) as long as this object lives.
//   2. Every allocation class of alloc_classes.h is registered before anything else is allocated.
//   3. On the dax and memory backends every byte of the file has its block on the medium
//      (posix_fallocate): no store can end in SIGBUS for want of space. On the journal backend the
//      file is as large as the limit from the start, and sparse; stores go to private pages.
//   4. libpmemobj never sees a file that validate.h has not looked through under the lock.
//   5. A pool set does not grow: its limit is its size.
//
// Why a cut is harmless
//   create  the file has a temporary name until finish_creation(), which is one rename.
//   grow    the file is extended first and synced; then the heap's size, one aligned word, changes.
//           A heap that is smaller than its file is raised at the next open.
//
// Nothing here knows of objects. Not thread-safe but for what is const: callers hold the latch.
#pragma once

#include <libpmemobj.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "backend/backend.h"
#include "heap/file/alloc_classes.h"
#include "heap/file/bus_guard.h"
#include "heap/file/file_lock.h"
#include "heap/file/new_file.h"
#include "heap/file/posix_file.h"
#include "heap/file/private_mapping.h"
#include "heap/file/set_files.h"
#include "heap/file/shared_mapping.h"
#include "heap/file/shared_pages.h"
#include "heap/format.h"
#include "heap/layout/pmdk_layout.h"

namespace nvm::heap {

inline constexpr uint64_t kMinPoolSize = uint64_t{16} << 20;
inline constexpr uint64_t kInitialPoolSize = uint64_t{64} << 20;
// What a pool on the journal backend may grow to, unless told otherwise.
inline constexpr uint64_t kJournalPoolLimit = uint64_t{64} << 30;
inline constexpr uint64_t kMaxPoolSize = kMaxOffset + 1;
// What libpmemobj's root allocation has: one whole unit of a class of its own, so that the root
// object takes no run of ours.
inline constexpr uint64_t kRootAllocation = 1216 - kBlockHeader;
static_assert(kRootAllocation >= kRootSize);

enum class Access { read, write };
enum class IfMissing { fail, create };
enum class IfExists { open, fail, replace };

struct OpenOptions {
  std::string path;  // bytes as the file system has them; a pool, or a pool set
  Access access = Access::write;
  IfMissing if_missing = IfMissing::create;
  IfExists if_exists = IfExists::open;
  // The limit the pool may grow to, in bytes. nullopt: half of what the file system has free, on
  // the journal backend kJournalPoolLimit (and at least the file's present size). A
  // pool set has the size of its parts, always.
  std::optional<uint64_t> limit;
  // Bytes a new file starts with; nullopt: min(kInitialPoolSize, limit).
  std::optional<uint64_t> initial_size;
  mode_t mode = 0666;
  std::optional<backend::Kind> backend;
  // Whether commits are to outlive the power when they return, or only the process.
  backend::Promise promise = backend::Promise::durable;
  double lock_timeout = 0;  // seconds to wait for another process's lock
};

using Action = pobj_action;

// Most actions of one publish: their redo entries fit a lane's own log (40 entries), so that it
// is never extended. (libpmemobj chooses the class of an extension by itself, and might take a run
// of 16 MiB for it.)
inline constexpr size_t kMaxActions = 36;
static_assert(kMaxActions * sizeof(pmdk::LogWord) < pmdk::kExternalCapacity);

// What an allocation is for: a counted object has libpmemobj's compact header, which carries its
// type; a blob has none (unless it is so large that it comes from libpmemobj's default classes).
struct BlockKind {
  bool counted;
  Type type;
};

class PoolFile {
 public:
  static std::unique_ptr<PoolFile> open(const OpenOptions& options);
  virtual ~PoolFile();  // closes
  PoolFile(const PoolFile&) = delete;
  PoolFile& operator=(const PoolFile&) = delete;

  const std::string& path() const noexcept { return path_; }
  Access access() const noexcept { return access_; }
  // Where stores of ours are made durable: in a pool set, in its replicas too.
  backend::Backend& backend() const noexcept { return copies_ ? *copies_ : *backend_; }
  const backend::Medium& medium() const noexcept { return medium_; }
  bool created() const noexcept { return created_; }  // by this very open: the root is all zeros
  // Gives a created pool its name; until then it is gone without trace if the process ends. Throws
  // Error(os), EEXIST if another process was faster.
  void finish_creation();
  // True if grow() could not open the pool again: it can be read as it was, not changed.
  bool broken() const noexcept { return broken_; }

  char* base() const noexcept { return base_; }
  uint64_t size() const noexcept { return size_; }
  uint64_t limit() const noexcept { return limit_; }
  Offset root() const noexcept { return root_; }  // RootObject, 64-byte aligned
  Offset heap_begin() const noexcept { return heap_begin_; }
  dev_t device() const noexcept { return device_; }
  ino_t inode() const noexcept { return inode_; }

  // Reserves a block of at least `bytes` bytes; its content is undefined. Returns 0 when no room is
  // left (then the pool can grow, or it is full). Counted blocks start at 16 beyond a multiple of
  // their unit, behind the compact header; blobs of 64 bytes and more are 16-byte aligned only.
  // Throws Error(corrupt).
  Offset reserve(size_t bytes, BlockKind kind, Action& action);
  void cancel(Action* actions, size_t count) noexcept;
  void set_value(Action& action, uint64_t* word, uint64_t value) noexcept;
  // Throws Error(corrupt), as reserve() does: see check_heap().
  void defer_free(Action& action, Offset block);
  // Whether a free may have been published since the last settled_frees().
  bool has_freed() const noexcept { return freed_; }
  void settled_frees() noexcept { freed_ = false; }
  // All of the actions or none, whenever the power fails; durable when it returns.
  // REQUIRES: count <= kMaxActions. Throws Error(internal) if not; they are still reserved then.
  void publish(Action* actions, size_t count);

  // Whether libpmemobj can allocate and free: it believes the headers of chunks and runs, and looks
  // at all of them when it does so for the first time. validate() has seen the chunks', but our
  // undo log may have lied about them since. Throws Error(corrupt). Costs something once.
  void check_heap();

  // True if a block starts here and is allocated. Checks bounds first; never crashes on any value.
  bool is_allocated(Offset block) const noexcept;
  // Bytes that may be used from `block` on (libpmemobj's usable size), 0 if it is no block.
  uint64_t usable_size(Offset block) const noexcept;
  Type type_of(Offset block) const noexcept;

  bool can_grow() const noexcept { return size_ < limit_; }
  // Closes, extends the file (doubling, at most to the limit) and opens it again: base() changes.
  // REQUIRES: no reservation is pending, no other thread is inside. Throws Error(os) if the file
  // system has no room; the pool is open again as it was.
  void grow();

  // A mapping of its own of some of the pool's bytes. Throws Error(buffer). REQUIRES: writable, and
  // that nobody changes the pool meanwhile but through such mappings.
  SharedMapping share(Offset begin, uint64_t size) const;
  // Whether such mappings hold some of [begin, begin + size), or have held it and have not been
  // settled.
  bool is_shared(Offset begin, uint64_t size) const;
  // Gives back what mappings that are gone took. REQUIRES: no other thread is inside.
  void settle_shared() noexcept;

  // Whether part of the mapping has been lost (BusGuard): what was read since then may be wrong.
  const BusGuard::Flag& lost() const noexcept { return *lost_; }
  [[noreturn]] void throw_lost() const;
  // Throws Error(os) if so.
  void check_whole() const {
    if (lost_->load(std::memory_order_relaxed)) throw_lost();
  }

  // Brings the file itself up to date, for a backend that keeps changes elsewhere. Throws
  // Error(os); what was promised is recovered by the next open then. REQUIRES: nothing is changed
  // afterwards.
  void finish();

  // Called once in a forked child: private copy-on-write pages are laid over the mapping, so that
  // the child neither writes to the file nor keeps its lock.
  void abandon_in_child() noexcept;

 protected:
  PoolFile() = default;

 private:
  struct Opened;
  static Opened open_locked(const OpenOptions& options, int flags, LockMode mode);
  void open_existing(const OpenOptions& options, Opened opened);
  void open_for_reading(const OpenOptions& options);
  void open_set(const OpenOptions& options);
  void open_existing_set(const SetFiles::Request& request);
  void open_set_for_reading(SetFiles::Request request);
  void create_set(const SetFiles::Request& request);
  void hold(std::unique_ptr<SetFiles> files);
  void keep_copies();
  void create(const OpenOptions& options);
  void make_file(const OpenOptions& options, const std::string& target);
  void make_heap(mode_t mode);
  void hold(Opened opened);
  void set_limit(const OpenOptions& options, uint64_t allocated);
  uint64_t initial_size(const OpenOptions& options) const;
  void check_room() const;
  void allocate_all(uint64_t size);
  bool journals() const noexcept { return medium_.kind == backend::Kind::journal; }
  void make_backend();
  void extend_to_limit();
  void reopen_with_journal();
  void start(mode_t create_mode);
  void start_existing(bool logs_extended);
  void stop() noexcept;
  uint64_t extend_file();
  void start_again();
  [[noreturn]] void give_up();
  void require_writable() const;
  bool is_callable() const noexcept;
  void leave_behind() noexcept;
  // A replica, of the size of the pool.
  struct Copy {
    char* base;
    BusGuard guard;
  };
  void guard(const void* base, uint64_t size) { guard_ = BusGuard(base, size, lost_); }

  std::string path_;
  Access access_ = Access::write;
  std::unique_ptr<backend::Backend> backend_;
  backend::Medium medium_{};
  bool created_ = false;
  bool broken_ = false;
  bool forked_ = false;
  bool replace_ = false;
  bool freed_ = false;
  bool heap_checked_ = false;
  PMEMobjpool* pool_ = nullptr;
  char* base_ = nullptr;
  uint64_t size_ = 0;
  uint64_t limit_ = 0;
  Offset root_ = 0;
  Offset heap_begin_ = 0;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  uint64_t pool_id_ = 0;  // libpmemobj's, in PMEMoid

  Registration registration_;
  Fd lock_fd_;      // holds the locks of ours
  Fd plain_fd_;     // the same file without any lock: for private mappings
  Fd replaced_fd_;  // the file that finish_creation() replaces, locked
  std::unique_ptr<NewFile> new_file_;
  std::unique_ptr<SetFiles> set_;              // instead of the three above
  std::unique_ptr<backend::Backend> copies_;   // of a pool set with replicas,
  std::vector<Copy> mapped_copies_;            // which libpmemobj has mapped
  std::shared_ptr<SharedPages> shared_pages_;  // on the journal backend, for buffers
  AllocClasses classes_;
  PrivateMapping mapping_;  // of a pool opened for reading
  std::shared_ptr<BusGuard::Flag> lost_ = std::make_shared<BusGuard::Flag>(false);
  BusGuard guard_;  // of what base_ points to; ends before the mapping
};

}  // namespace nvm::heap
