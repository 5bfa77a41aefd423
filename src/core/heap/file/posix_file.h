// What is asked of the operating system about a file, with errors that name the file.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <utility>

#include "pmem/error.h"

namespace nvm::heap {

// Throws Error(os) "'file': what: the system's own words".
[[noreturn]] void throw_os(const std::string& file, const std::string& what, int error_number);
[[noreturn]] void throw_error(ErrorKind kind, const std::string& file, const std::string& what,
                              int error_number = 0);

// A file descriptor, closed with its owner.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) noexcept : fd_(fd) {}
  ~Fd() { reset(); }
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  void reset() noexcept;
  // A path by which this very file can be opened again, wherever it has been moved to.
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_ = -1;
};

// Opens a regular file; throws Error(os) for anything else, a directory included.
Fd open_file(const std::string& path, int flags);

struct stat status_of(int fd, const std::string& file);
inline uint64_t size_of(const struct stat& status) { return static_cast<uint64_t>(status.st_size); }
// Bytes of the file that have a block on the medium.
uint64_t allocated_bytes(const struct stat& status);
// Bytes that this user can still allocate on the file's file system.
uint64_t free_space(int fd, const std::string& file);

// Gives every byte of [0, size) a block on the medium, extending the file. On failure the file has
// its former size again, and an errno is returned (0: done).
int allocate(int fd, uint64_t size) noexcept;

std::string directory_of(const std::string& path);
std::string name_of(const std::string& path);
// The same from the root, with symbolic links followed, so that it is the file's whatever becomes
// the current directory. The file itself need not exist yet.
std::string resolved(const std::string& path);
// Makes the names in a directory durable; best effort where the file system cannot.
void sync_directory(const std::string& directory) noexcept;

// Moves a file to a name that must not exist. Returns an errno, EEXIST if the name is taken.
int rename_if_absent(const std::string& from, const std::string& to) noexcept;

}  // namespace nvm::heap
