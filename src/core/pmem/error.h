// The exceptions of the core. One class with a kind, so that the bindings translate in one place.
//
// A message names the file where there is one, and the cause; `path()` of a place inside the pool
// (such as `pool["users"][3]`) is added by those who know it.
#pragma once

#include <cerrno>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace nvm {

enum class ErrorKind {
  os,           // an operating system call failed: error_number() says how
  closed,       // the pool is closed
  full,         // the pool is full and cannot grow
  corrupt,      // the file is damaged or was never ours
  locked,       // another process (or this one) has the file open
  forked,       // a forked child used its parent's pool
  layout,       // another layout, or another major version of the format
  transaction,  // misuse of transactions, or a wait that would never end
  stale,        // an object that was born in an undone transaction
  read_only,    // a change to a pool opened for reading, or inside reading()
  value,        // an argument out of range
  type,         // a value of a type that cannot be stored
  key,          // a key that is absent
  index,        // an index out of range
  buffer,       // bytes that cannot be exported, or cannot be moved because they are
  interrupted,  // a wait was interrupted (the bindings have an exception pending)
  timeout,      // a wait took longer than allowed
  internal,     // a broken invariant of ours: always a bug
};

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message, int error_number = 0, std::string file = {})
      : std::runtime_error(message),
        kind_(kind),
        errno_(error_number),
        file_(std::make_shared<const std::string>(std::move(file))) {}

  ErrorKind kind() const noexcept { return kind_; }
  int error_number() const noexcept { return errno_; }
  const std::string& file() const noexcept { return *file_; }

 private:
  ErrorKind kind_;
  int errno_;
  std::shared_ptr<const std::string> file_;  // shared, so that no copy needs memory
};

[[noreturn]] inline void throw_corrupt(const std::string& what) {
  throw Error(ErrorKind::corrupt, what, EUCLEAN);
}

}  // namespace nvm
