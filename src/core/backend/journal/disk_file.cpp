#include "backend/journal/disk_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "pmem/error.h"

namespace nvm::backend {
namespace {

[[noreturn]] void fail(const std::string& path, const char* what, int error) {
  throw Error(ErrorKind::os, "'" + path + "': " + what + ": " + std::strerror(error), error, path);
}

class PosixFile final : public DiskFile {
 public:
  PosixFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~PosixFile() override { ::close(fd_); }
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  const std::string& path() const noexcept override { return path_; }

  uint64_t size() override { return static_cast<uint64_t>(status().st_size); }

  uint64_t used() override {
    constexpr uint64_t stat_block = 512;  // POSIX: the unit of st_blocks on Linux
    return static_cast<uint64_t>(status().st_blocks) * stat_block;
  }

  void read(void* buffer, size_t length, uint64_t offset) override {
    auto* to = static_cast<char*>(buffer);
    while (length != 0) {
      const ssize_t got = ::pread(fd_, to, length, static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) fail(path_, "cannot read", errno);
      if (got == 0) {
        std::memset(to, 0, length);
        return;
      }
      to += got;
      offset += static_cast<uint64_t>(got);
      length -= static_cast<size_t>(got);
    }
  }

  void write(const void* data, size_t length, uint64_t offset) override {
    const auto* from = static_cast<const char*>(data);
    while (length != 0) {
      const ssize_t put = ::pwrite(fd_, from, length, static_cast<off_t>(offset));
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0) fail(path_, "cannot write", put < 0 ? errno : EIO);
      from += put;
      offset += static_cast<uint64_t>(put);
      length -= static_cast<size_t>(put);
    }
  }

  // Of errors, this call takes none that fdatasync() would report.
  void begin_sync(uint64_t offset, size_t length) noexcept override {
    ::sync_file_range(fd_, static_cast<off_t>(offset), static_cast<off_t>(length),
                      SYNC_FILE_RANGE_WRITE);
  }

  void sync() override {
    if (::fdatasync(fd_) != 0) fail(path_, "cannot sync", errno);
  }

  void allocate(uint64_t begin, uint64_t length) override {
    int error = EINTR;
    while (error == EINTR) {
      error = ::posix_fallocate(fd_, static_cast<off_t>(begin), static_cast<off_t>(length));
    }
    if (error != 0) fail(path_, "no room on the disk", error);
  }

  void punch(uint64_t begin, uint64_t length) override {
    const int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    int error = EINTR;
    while (error == EINTR) {
      error = ::fallocate(fd_, mode, static_cast<off_t>(begin), static_cast<off_t>(length)) == 0
                  ? 0
                  : errno;
    }
    if (error != 0 && error != EOPNOTSUPP && error != ENOSYS)
      fail(path_, "cannot give room back to the disk", error);
  }

  void truncate(uint64_t size) override {
    if (::ftruncate(fd_, static_cast<off_t>(size)) != 0) fail(path_, "cannot truncate", errno);
  }

 private:
  struct stat status() const {
    struct stat status {};
    if (::fstat(fd_, &status) != 0) fail(path_, "cannot look at the file", errno);
    return status;
  }

  int fd_;
  std::string path_;
};

// A name made or removed is durable once its directory is synced.
void sync_directory_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  const std::string directory =
      slash == std::string::npos ? "." : path.substr(0, std::max<size_t>(slash, 1));
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) fail(directory, "cannot open the directory", errno);
  const int error = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  // Some file systems cannot sync directories, and say so.
  if (error != 0 && error != EINVAL && error != ENOTSUP) {
    fail(directory, "cannot sync the directory", error);
  }
}

#if NVM_CRASH_HOOKS
DiskObserver* observer = nullptr;

std::unique_ptr<DiskFile> observed(std::unique_ptr<DiskFile> file) {
  return observer == nullptr ? std::move(file) : observer->wrap(std::move(file));
}
void tell_created(const std::string& path) {
  if (observer != nullptr) observer->created(path);
}
void tell_removed(const std::string& path) {
  if (observer != nullptr) observer->removed(path);
}
#else
std::unique_ptr<DiskFile> observed(std::unique_ptr<DiskFile> file) { return file; }
void tell_created(const std::string&) {}
void tell_removed(const std::string&) {}
#endif

}  // namespace

#if NVM_CRASH_HOOKS
DiskObserver* set_disk_observer(DiskObserver* next) noexcept {
  return std::exchange(observer, next);
}
#endif

std::unique_ptr<DiskFile> make_disk_file(int fd, const std::string& path) {
  std::unique_ptr<DiskFile> file;
  try {
    file = std::make_unique<PosixFile>(fd, path);
  } catch (...) {
    ::close(fd);
    throw;
  }
  return observed(std::move(file));
}

std::unique_ptr<DiskFile> reopen_disk_file(int fd, const std::string& path) {
  const std::string place = "/proc/self/fd/" + std::to_string(fd);
  const int own = ::open(place.c_str(), O_RDWR | O_CLOEXEC);
  if (own < 0) fail(path, "cannot open the pool", errno);
  return make_disk_file(own, path);
}

std::unique_ptr<DiskFile> create_disk_file(const std::string& path, unsigned mode) {
  remove_disk_file(path);
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0) fail(path, "cannot create the journal", errno);
  tell_created(path);
  try {
    std::unique_ptr<DiskFile> file = make_disk_file(fd, path);
    sync_directory_of(path);
    return file;
  } catch (...) {
    remove_disk_file(path);
    throw;
  }
}

void tell_named(const std::string& path) { tell_created(path); }

std::unique_ptr<DiskFile> open_disk_file(const std::string& path, bool writable) {
  const int fd = ::open(path.c_str(), (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0 && errno == ENOENT) return nullptr;
  if (fd < 0) fail(path, "cannot open the journal", errno);
  return make_disk_file(fd, path);
}

void remove_disk_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0) {
    if (errno == ENOENT) return;
    fail(path, "cannot remove the journal", errno);
  }
  tell_removed(path);
  sync_directory_of(path);
}

bool is_full(const Error& error) noexcept {
  return error.error_number() == ENOSPC || error.error_number() == EDQUOT ||
         error.error_number() == EFBIG;
}

}  // namespace nvm::backend
