#include "heap/file/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace nvm::heap {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kFirstWait{1};
constexpr std::chrono::milliseconds kLongestWait{50};

struct Table {
  std::mutex mutex;
  std::map<std::pair<dev_t, ino_t>, uint64_t> readers;  // kWriter: a writer
};
constexpr uint64_t kWriter = UINT64_MAX;

Table& table() {
  static Table& instance = *new Table;  // outlives every static pool
  return instance;
}

// Returns an errno: 0, or EWOULDBLOCK if another open file holds it.
int take_ofd_lock(int fd, LockMode mode) {
  struct flock lock {};
  lock.l_type = mode == LockMode::exclusive ? F_WRLCK : F_RDLCK;
  lock.l_whence = SEEK_SET;
  if (::fcntl(fd, F_OFD_SETLK, &lock) == 0) return 0;
  return errno == EACCES ? EWOULDBLOCK : errno;
}

int take_flock(int fd, LockMode mode) {
  const int operation = mode == LockMode::exclusive ? LOCK_EX : LOCK_SH;
  while (::flock(fd, operation | LOCK_NB) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

bool try_lock_file(int fd, LockMode mode, const std::string& file) {
  int error = take_ofd_lock(fd, mode);
  if (error == 0) error = take_flock(fd, mode);
  if (error != 0 && error != EWOULDBLOCK) throw_os(file, "cannot lock the file", error);
  return error == 0;
}

}  // namespace

Registration::Registration(dev_t device, ino_t inode, LockMode mode, const std::string& file)
    : device_(device), inode_(inode), mode_(mode) {
  Table& files = table();
  const std::lock_guard guard(files.mutex);
  uint64_t& readers = files.readers[{device, inode}];
  if (readers == kWriter || (mode == LockMode::exclusive && readers != 0)) {
    throw_error(ErrorKind::locked, file, "this process has the pool open already", EWOULDBLOCK);
  }
  readers = mode == LockMode::exclusive ? kWriter : readers + 1;
  held_ = true;
}

Registration::Registration(Registration&& other) noexcept { *this = std::move(other); }

Registration& Registration::operator=(Registration&& other) noexcept {
  if (this == &other) return *this;
  reset();
  device_ = other.device_;
  inode_ = other.inode_;
  mode_ = other.mode_;
  held_ = std::exchange(other.held_, false);
  return *this;
}

void Registration::reset() noexcept {
  if (!std::exchange(held_, false)) return;
  Table& files = table();
  const std::lock_guard guard(files.mutex);
  const auto place = files.readers.find({device_, inode_});
  if (place == files.readers.end()) return;
  if (mode_ == LockMode::exclusive || --place->second == 0) files.readers.erase(place);
}

bool try_ofd_lock(int fd, LockMode mode) noexcept { return take_ofd_lock(fd, mode) == 0; }

void lock_file(int fd, LockMode mode, double timeout, const std::string& file) {
  const Clock::time_point start = Clock::now();
  auto wait = std::chrono::duration_cast<Clock::duration>(kFirstWait);
  while (!try_lock_file(fd, mode, file)) {
    const std::chrono::duration<double> waited = Clock::now() - start;
    if (waited.count() >= timeout) {
      throw_error(ErrorKind::locked, file, "another process has the pool open", EWOULDBLOCK);
    }
    std::this_thread::sleep_for(wait);
    wait = std::min<Clock::duration>(wait * 2, kLongestWait);
  }
}

void release_flock(int fd) noexcept { ::flock(fd, LOCK_UN); }

}  // namespace nvm::heap
