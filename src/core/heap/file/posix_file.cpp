#include "heap/file/posix_file.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace nvm::heap {

void throw_error(ErrorKind kind, const std::string& file, const std::string& what,
                 int error_number) {
  throw Error(kind, "'" + file + "': " + what, error_number, file);
}

void throw_os(const std::string& file, const std::string& what, int error_number) {
  throw_error(ErrorKind::os, file, what + ": " + std::strerror(error_number), error_number);
}

void Fd::reset() noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Fd open_file(const std::string& path, int flags) {
  if (path.empty() || path.find('\0') != std::string::npos)
    throw_error(ErrorKind::value, path, "not a usable file name");
  // O_NONBLOCK: a named pipe is looked at, not waited for.
  Fd fd(::open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) throw_os(path, "cannot open the pool", errno);
  const struct stat status = status_of(fd.get(), path);
  if (S_ISDIR(status.st_mode)) throw_os(path, "cannot open the pool", EISDIR);
  if (!S_ISREG(status.st_mode))
    throw_error(ErrorKind::os, path, "cannot open the pool: not a regular file", EINVAL);
  return fd;
}

struct stat status_of(int fd, const std::string& file) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) throw_os(file, "cannot look at the file", errno);
  return status;
}

uint64_t allocated_bytes(const struct stat& status) {
  constexpr uint64_t stat_block = 512;  // POSIX: the unit of st_blocks on Linux
  return static_cast<uint64_t>(status.st_blocks) * stat_block;
}

uint64_t free_space(int fd, const std::string& file) {
  struct statvfs fs {};
  if (::fstatvfs(fd, &fs) != 0) throw_os(file, "cannot find out the free space", errno);
  if (fs.f_blocks != 0) return static_cast<uint64_t>(fs.f_bavail) * fs.f_frsize;
  // ramfs, or a tmpfs without limit: memory is what bounds it.
  return static_cast<uint64_t>(::sysconf(_SC_AVPHYS_PAGES)) *
         static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

int allocate(int fd, uint64_t size) noexcept {
  struct stat before {};
  if (::fstat(fd, &before) != 0) return errno;
  int error = EINTR;
  while (error == EINTR) error = ::posix_fallocate(fd, 0, static_cast<off_t>(size));
  if (error == 0) return 0;
  if (::ftruncate(fd, before.st_size) != 0) return errno;
  return error;
}

std::string directory_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string name_of(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

std::string resolved(const std::string& path) {
  const auto real = [](const std::string& existing) {
    const std::unique_ptr<char, void (*)(void*)> found(::realpath(existing.c_str(), nullptr),
                                                       std::free);
    return std::string(found ? found.get() : "");
  };
  const std::string file = real(path);
  return file.empty() ? real(directory_of(path)) + "/" + name_of(path) : file;
}

void sync_directory(const std::string& directory) noexcept {
  const Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd) ::fsync(fd.get());
}

int rename_if_absent(const std::string& from, const std::string& to) noexcept {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  // The file system does not know that flag: link fails for a taken name as well.
  if (::link(from.c_str(), to.c_str()) != 0) return errno;
  return ::unlink(from.c_str()) == 0 ? 0 : errno;
}

}  // namespace nvm::heap
