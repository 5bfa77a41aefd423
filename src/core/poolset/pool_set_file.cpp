// Pool set files on the disk.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cstdlib>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "pmem/error.h"
#include "poolset/pool_set.h"

namespace nvm::poolset {
namespace {

// More than any pool set has, and little enough to read whatever the file is.
constexpr size_t kMostText = size_t{1} << 20;

[[noreturn]] void throw_os(const std::string& path, const std::string& what, int error) {
  throw Error(ErrorKind::os, "'" + path + "': " + what + ": " + std::strerror(error), error, path);
}

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

std::string text_of(int fd, const std::string& path) {
  std::string text;
  char block[4096];
  for (;;) {
    const ssize_t got = ::read(fd, block, sizeof block);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_os(path, "cannot read the pool set", errno);
    if (got == 0) return text;
    text.append(block, static_cast<size_t>(got));
    if (text.size() >= kSignature.size() && !is_pool_set(text)) return text;
    if (text.size() > kMostText)
      throw Error(ErrorKind::corrupt, "'" + path + "': too long for a pool set", EUCLEAN, path);
  }
}

void write_all(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t put = ::write(fd, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) throw_os(path, "cannot write the pool set", errno);
    text.remove_prefix(static_cast<size_t>(put));
  }
}

}  // namespace

PoolSet read(const std::string& path) {
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.fd() < 0) throw_os(path, "cannot open the pool set", errno);
  const std::string text = text_of(file.fd(), path);
  try {
    return parse(text);
  } catch (const Error& error) {
    throw Error(ErrorKind::corrupt, "'" + path + "': " + error.what(), EUCLEAN, path);
  }
}

void write(const std::string& path, const PoolSet& set, mode_t mode) {
  check(set, {});
  const std::string text = format(set);
  std::string temporary = path + ".XXXXXX";
  const File file(::mkostemp(temporary.data(), O_CLOEXEC));
  if (file.fd() < 0) throw_os(path, "cannot make the pool set", errno);
  try {
    const mode_t mask = ::umask(0);
    ::umask(mask);
    if (::fchmod(file.fd(), mode & ~mask) != 0) throw_os(path, "cannot make the pool set", errno);
    write_all(file.fd(), text, path);
    if (::fsync(file.fd()) != 0) throw_os(path, "cannot write the pool set", errno);
    if (::rename(temporary.c_str(), path.c_str()) != 0)
      throw_os(path, "cannot make the pool set", errno);
  } catch (const Error&) {
    ::unlink(temporary.c_str());
    throw;
  }
}

}  // namespace nvm::poolset
