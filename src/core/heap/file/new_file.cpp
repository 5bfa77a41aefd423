#include "heap/file/new_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string_view>

#include "backend/journal/disk_file.h"
#include "heap/file/file_lock.h"

namespace nvm::heap {
namespace {

constexpr std::string_view kPrefix = ".nvm-new-";
constexpr int kAttempts = 100;

std::string random_name() {
  uint64_t number = 0;
  if (::getrandom(&number, sizeof number, 0) != sizeof number) {
    number = static_cast<uint64_t>(::getpid());
  }
  constexpr std::string_view digits = "0123456789abcdef";
  std::string name(kPrefix);
  for (; number != 0; number >>= 4) name += digits[number & 15];
  return name;
}

// Removes a temporary unless its maker, alive, has it locked.
void remove_if_stale(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat opened {};
  struct stat named {};
  if (!fd || ::fstat(fd.get(), &opened) != 0 || !S_ISREG(opened.st_mode)) return;
  if (!try_ofd_lock(fd.get(), LockMode::exclusive)) return;
  if (::lstat(path.c_str(), &named) != 0 || named.st_ino != opened.st_ino) return;
  ::unlink(path.c_str());
}

void remove_stale(const std::string& directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(directory.c_str()), &::closedir);
  if (!entries) return;
  while (const dirent* entry = ::readdir(entries.get())) {
    const std::string_view name(entry->d_name);
    if (name.starts_with(kPrefix)) remove_if_stale(directory + "/" + std::string(name));
  }
}

}  // namespace

NewFile::NewFile(const std::string& path, mode_t mode) : path_(path) {
  const std::string directory = directory_of(path);
  if (name_of(path).empty()) throw_os(path, "cannot create the pool", EISDIR);
  remove_stale(directory);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    temporary_ = directory + "/" + random_name();
    if (make(mode)) return;
  }
  temporary_.clear();
  throw_os(path, "cannot create the pool", EEXIST);
}

// False if the name was taken, or another creation took the file for stale before it was locked.
bool NewFile::make(mode_t mode) {
  fd_ = Fd(::open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!fd_) {
    const int error = errno;
    if (error == EEXIST) return false;
    temporary_.clear();
    throw_os(path_, "cannot create the pool", error);
  }
  return try_ofd_lock(fd_.get(), LockMode::exclusive) && status_of(fd_.get(), path_).st_nlink != 0;
}

void NewFile::publish(bool replace) {
  const std::string directory = directory_of(path_);
  int error = 0;
  if (!replace) {
    error = rename_if_absent(temporary_, path_);
  } else if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    error = errno;
  }
  if (error != 0) throw_os(path_, "cannot create the pool", error);
  temporary_.clear();
  backend::tell_named(path_);
  sync_directory(directory);
}

void NewFile::remove() noexcept {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  temporary_.clear();
}

}  // namespace nvm::heap
