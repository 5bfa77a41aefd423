// How a pool file is opened, created and closed.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>

#include "heap/file/pool_file.h"
#include "heap/file/pool_journal.h"
#include "heap/file/steps.h"
#include "heap/layout/footers.h"
#include "heap/layout/pool_header.h"
#include "heap/layout/validate.h"

namespace nvm::heap {
namespace {

constexpr int kOpenAttempts = 100;
constexpr mode_t kOpenOnly = static_cast<mode_t>(-1);

bool file_exists(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

bool still_named(const struct stat& opened, const std::string& path) {
  struct stat named {};
  return ::stat(path.c_str(), &named) == 0 && named.st_dev == opened.st_dev &&
         named.st_ino == opened.st_ino;
}

uint64_t whole_pages(uint64_t bytes) { return bytes / pmdk::kPage * pmdk::kPage; }

void check_size(uint64_t size, const std::string& file) {
  if (size < kMinPoolSize) {
    throw Error(ErrorKind::value,
                "size " + std::to_string(size) + " smaller than " + std::to_string(kMinPoolSize),
                EINVAL, file);
  }
  if (size > kMaxPoolSize) {
    throw Error(ErrorKind::value,
                "size " + std::to_string(size) + " larger than " + std::to_string(kMaxPoolSize),
                EINVAL, file);
  }
}

// All threads share one arena: our writers are exclusive, and each arena would have runs of its
// own.
void set_controls() {
  pobj_arenas_assignment_type assignment = POBJ_ARENAS_ASSIGNMENT_GLOBAL;
  pmemobj_ctl_set(nullptr, "heap.arenas_assignment_type", &assignment);
}

// libpmemobj's switch for private mappings is one for all of the process.
class CopyOnWrite {
 public:
  explicit CopyOnWrite(bool on) : lock_(mutex()) { set(on); }
  ~CopyOnWrite() { set(false); }
  CopyOnWrite(const CopyOnWrite&) = delete;
  CopyOnWrite& operator=(const CopyOnWrite&) = delete;

 private:
  static std::mutex& mutex() {
    static std::mutex mutex;
    return mutex;
  }
  static void set(bool on) {
    int value = on ? 1 : 0;
    pmemobj_ctl_set(nullptr, "copy_on_write.at_open", &value);
  }
  std::lock_guard<std::mutex> lock_;
};

[[noreturn]] void throw_open_error(const std::string& file, int error) {
  const std::string why = pmemobj_errormsg();
  switch (error) {
    case EWOULDBLOCK:
      throw_error(ErrorKind::locked, file, "another process has the pool open", error);
    case EEXIST:
      throw_error(ErrorKind::locked, file,
                  "this process has a copy of the pool open already, or had when it was forked",
                  error);
    case 0:  // libpmemobj does not always say
    case EINVAL:
      throw_error(ErrorKind::corrupt, file, "libpmemobj refuses it: " + why, EUCLEAN);
    default:
      throw_error(ErrorKind::os, file, "libpmemobj cannot open it: " + why, error);
  }
}

}  // namespace

// A file under the locks of ours.
struct PoolFile::Opened {
  Fd fd;
  Registration registration;
  struct stat status {};
};

PoolFile::Opened PoolFile::open_locked(const OpenOptions& options, int flags, LockMode mode) {
  for (int attempt = 0; attempt < kOpenAttempts; ++attempt) {
    Opened opened;
    opened.fd = open_file(options.path, flags);
    opened.status = status_of(opened.fd.get(), options.path);
    opened.registration =
        Registration(opened.status.st_dev, opened.status.st_ino, mode, options.path);
    lock_file(opened.fd.get(), mode, options.lock_timeout, options.path);
    // It may have been replaced or removed while it was waited for.
    if (!still_named(opened.status, options.path)) continue;
    opened.status = status_of(opened.fd.get(), options.path);
    return opened;
  }
  throw_os(options.path, "cannot open the pool: it is replaced again and again", EAGAIN);
}

std::unique_ptr<PoolFile> PoolFile::open(const OpenOptions& options) {
  std::unique_ptr<PoolFile> file(new PoolFile);
  file->path_ = options.path;
  file->access_ = options.access;
  file->heap_begin_ = pmdk::kHeapOffset;
  if (options.limit) check_size(*options.limit, options.path);
  if (options.initial_size) check_size(*options.initial_size, options.path);
  if (names_pool_set(options.path)) {
    file->open_set(options);
    return file;
  }
  if (options.access == Access::read) {
    file->open_for_reading(options);
    return file;
  }
  if (options.if_exists == IfExists::open) {
    try {
      file->open_existing(options, open_locked(options, O_RDWR, LockMode::exclusive));
      return file;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::os || error.error_number() != ENOENT ||
          options.if_missing == IfMissing::fail)
        throw;
    }
  }
  file->create(options);
  return file;
}

void PoolFile::hold(Opened opened) {
  lock_fd_ = std::move(opened.fd);
  registration_ = std::move(opened.registration);
  device_ = opened.status.st_dev;
  inode_ = opened.status.st_ino;
  size_ = usable_file_size(size_of(opened.status));
  plain_fd_ = Fd(::open(lock_fd_.path().c_str(), O_RDONLY | O_CLOEXEC));
  if (!plain_fd_) throw_os(path_, "cannot open the pool", errno);
}

// ---- Existing pools

void PoolFile::open_existing(const OpenOptions& options, Opened opened) {
  recover_from_journal(opened.fd.get(), path_);
  const struct stat status = opened.status;
  hold(std::move(opened));
  Validated found;
  bool raise = false;
  {
    const PrivateMapping view(plain_fd_.get(), size_of(status), path_);
    const BusGuard guard(view.base(), view.size(), lost_);
    found = validate(view.base(), size_of(status), path_);
    check_whole();
    raise = heap_end(view.base()) < found.size;
  }
  medium_ = backend::choose(lock_fd_.get(), path_, options.backend);
  root_ = found.root;
  set_limit(options, allocated_bytes(status));
  if (journals()) {
    extend_to_limit();
  } else if (allocated_bytes(status) < size_) {
    check_room();
    allocate_all(size_);
  }
  if (raise) raise_heap_size(*backend::reopen_disk_file(lock_fd_.get(), path_));
  release_flock(lock_fd_.get());
  if (journals()) {
    // The lanes are not in the journal, so they have to be clean in the file itself.
    backend_ = backend::make(backend::Kind::memory);
    if (found.lanes.redo_logs != 0 || found.lanes.undo_logs != 0 || found.lanes.extended) {
      start(kOpenOnly);
      stop();
      if (::fsync(lock_fd_.get()) != 0) throw_os(path_, "cannot open the pool", errno);
    }
  }
  make_backend();
  start_existing(found.lanes.extended && !journals());
}

void PoolFile::make_backend() {
  if (!journals()) {
    backend_ = backend::make(medium_.kind);
    return;
  }
  if (!backend::interposed()) {
    throw_error(ErrorKind::os, path_,
                "the journal backend cannot be used: another library has loaded libpmemobj before "
                "nvm was imported, so that its calls do not arrive here",
                ENOTSUP);
  }
  backend_ = make_journal(lock_fd_.get(), path_, new_file_ != nullptr, [this] { check_whole(); });
}

// The file is sparse: its size is no more than the addresses that the pool may have.
void PoolFile::extend_to_limit() {
  if (size_ >= limit_) return;
  const std::unique_ptr<backend::DiskFile> file = backend::reopen_disk_file(lock_fd_.get(), path_);
  file->truncate(limit_);
  raise_heap_size(*file);
  size_ = limit_;
}

// With extensions, libpmemobj allocates at open, before our classes are there: it would not find
// the room in their runs again. The second open has nothing to do.
void PoolFile::start_existing(bool logs_extended) {
  start(kOpenOnly);
  if (logs_extended) {
    stop();
    start(kOpenOnly);
  }
  try {
    mend_footers(base_, size_);
    classes_.register_all(pool_, path_);
    pool_id_ = pmemobj_oid(base_ + root_).pool_uuid_lo;
    if (journals()) shared_pages_ = std::make_shared<SharedPages>(base_, size_, plain_fd_, path_);
  } catch (...) {
    stop();
    throw;
  }
}

void PoolFile::open_for_reading(const OpenOptions& options) {
  Opened opened = open_locked(options, O_RDONLY, LockMode::shared);
  const struct stat status = opened.status;
  hold(std::move(opened));
  medium_ = backend::choose(lock_fd_.get(), path_, options.backend);
  backend_ = backend::make(backend::Kind::memory);
  mapping_ = PrivateMapping(plain_fd_.get(), size_of(status), path_);
  guard(mapping_.base(), mapping_.size());
  lay_journal_over(mapping_.base(), size_of(status), path_);
  const Validated found = validate(mapping_.base(), size_of(status), path_);
  check_whole();
  base_ = mapping_.base();
  root_ = found.root;
  limit_ = size_;
}

// ---- New pools

void PoolFile::create(const OpenOptions& options) {
  replace_ = options.if_exists == IfExists::replace;
  const bool exists = file_exists(path_);
  if (exists && !replace_) throw_os(path_, "cannot create the pool", EEXIST);
  if (!exists && options.if_missing == IfMissing::fail)
    throw_os(path_, "cannot open the pool", ENOENT);
  Registration old_registration;
  if (exists) {
    Opened old = open_locked(options, O_RDWR, LockMode::exclusive);
    recover_from_journal(old.fd.get(), path_);  // so that no journal of it is left
    replaced_fd_ = std::move(old.fd);
    old_registration = std::move(old.registration);
  }
  make_file(options, exists ? resolved(path_) : path_);
  make_heap(options.mode);
  created_ = true;
}

void PoolFile::make_file(const OpenOptions& options, const std::string& target) {
  new_file_ = std::make_unique<NewFile>(target, options.mode);
  passed(Step::temporary_made);
  Opened opened;
  opened.fd = new_file_->take_fd();
  opened.status = status_of(opened.fd.get(), path_);
  opened.registration =
      Registration(opened.status.st_dev, opened.status.st_ino, LockMode::exclusive, path_);
  hold(std::move(opened));
  medium_ = backend::choose(lock_fd_.get(), path_, options.backend);
  set_limit(options, 0);
  if (journals()) {
    // Until the heap is made, and small: libpmemobj gives each byte of a new pool its block.
    backend_ = backend::make(backend::Kind::memory);
    if (::ftruncate(lock_fd_.get(), static_cast<off_t>(kMinPoolSize)) != 0)
      throw_os(path_, "cannot create the pool", errno);
    size_ = kMinPoolSize;
  } else {
    make_backend();
    allocate_all(initial_size(options));
  }
  passed(Step::space_allocated);
}

void PoolFile::make_heap(mode_t mode) {
  start(mode);
  passed(Step::heap_made);
  classes_.register_all(pool_, path_);
  const PMEMoid root = pmemobj_root(pool_, kRootAllocation);
  if (OID_IS_NULL(root)) throw_open_error(path_, errno);
  pool_id_ = root.pool_uuid_lo;
  root_ = find_root(base_, size_, path_);
  if (journals()) reopen_with_journal();
  passed(Step::root_made);
}

void PoolFile::reopen_with_journal() {
  stop();
  extend_to_limit();
  make_backend();
  start_existing(false);
}

void PoolFile::finish_creation() {
  if (!created_) return;
  passed(Step::about_to_publish);
  backend_->settle();
  if (set_) {
    set_->publish();
  } else {
    backend::reopen_disk_file(lock_fd_.get(), path_)->sync();
    new_file_->publish(replace_);
    new_file_.reset();
    replaced_fd_.reset();
  }
  passed(Step::published);
}

void PoolFile::set_limit(const OpenOptions& options, uint64_t allocated) {
  if (journals()) {
    limit_ = std::max(whole_pages(options.limit.value_or(kJournalPoolLimit)), size_);
    return;
  }
  const uint64_t available = std::min(free_space(lock_fd_.get(), path_) + allocated, kMaxPoolSize);
  const uint64_t wanted =
      options.limit ? *options.limit : std::max(available / 2, std::min(available, kMinPoolSize));
  limit_ = std::max(whole_pages(wanted), size_);
  const uint64_t needed = std::max(limit_, kMinPoolSize);
  if (limit_ != size_ && needed > available) {
    throw_error(ErrorKind::os, path_,
                "the pool may grow to " + std::to_string(needed) +
                    " bytes, but the file system has only " + std::to_string(available) + " for it",
                ENOSPC);
  }
}

uint64_t PoolFile::initial_size(const OpenOptions& options) const {
  if (!options.initial_size) return std::min(kInitialPoolSize, limit_);
  if (*options.initial_size > limit_) {
    throw Error(ErrorKind::value,
                "size " + std::to_string(*options.initial_size) + " larger than the limit " +
                    std::to_string(limit_),
                EINVAL, path_);
  }
  return whole_pages(*options.initial_size);
}

// For the rest of a sparse file, which the journal backend has made: trying it may fill the disk.
void PoolFile::check_room() const {
  struct stat status {};
  if (::fstat(lock_fd_.get(), &status) != 0) throw_os(path_, "cannot look at the pool", errno);
  const uint64_t missing = size_ - std::min(size_, allocated_bytes(status));
  if (missing <= free_space(lock_fd_.get(), path_)) return;
  throw_error(ErrorKind::os, path_,
              "the pool is " + std::to_string(size_) + " bytes large, and the file system has no " +
                  "room for the " + std::to_string(missing) +
                  " that are not there yet; backend=\"journal\" needs only what is used",
              ENOSPC);
}

void PoolFile::allocate_all(uint64_t size) {
  const int error = allocate(lock_fd_.get(), size);
  if (error != 0) throw_os(path_, "no room for " + std::to_string(size) + " bytes", error);
  size_ = size;
}

// ---- libpmemobj

// Lets libpmemobj open the file, or make a pool of it if there is a mode.
void PoolFile::start(mode_t create_mode) {
  set_controls();
  const std::string path = set_ ? set_->path() : lock_fd_.path();
  int error = 0;
  {
    const CopyOnWrite control(backend_->kind() == backend::Kind::journal);
    const backend::Opening opening(*backend_);
    pool_ = create_mode == kOpenOnly ? pmemobj_open(path.c_str(), kLayoutName)
                                     : pmemobj_create(path.c_str(), kLayoutName, 0, create_mode);
    error = errno;
  }
  if (pool_ == nullptr) throw_open_error(path_, error);
  base_ = reinterpret_cast<char*>(pool_);
  try {
    guard(base_, size_);
    backend::attach(*backend_, base_, size_);
    if (set_) keep_copies();
  } catch (...) {
    stop();
    throw;
  }
}

void PoolFile::stop() noexcept {
  if (pool_ == nullptr) return;
  const bool callable = is_callable();
  const backend::Opening closing(*backend_);
  backend::detach(base_);
  copies_.reset();
  if (shared_pages_) shared_pages_->detach();
  shared_pages_.reset();
  if (callable) {
    pmemobj_close(pool_);
  } else {
    leave_behind();
  }
  guard_.reset();
  mapped_copies_.clear();
  pool_ = nullptr;
  base_ = nullptr;
}

// What libpmemobj cannot close keeps its addresses, without memory behind them, and its file
// descriptor until the process ends.
void PoolFile::leave_behind() noexcept {
  constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;
  static_cast<void>(::mmap(base_, size_, PROT_NONE, flags, -1, 0));
  for (const Copy& copy : mapped_copies_)
    static_cast<void>(::mmap(copy.base, size_, PROT_NONE, flags, -1, 0));
}

}  // namespace nvm::heap
