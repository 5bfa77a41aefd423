// Who may have a pool file open: many readers or one writer, on this machine.
//
// Three locks, each for what the others cannot do:
//   in this process   a table of (device, inode): the kernel's locks do not tell us from us.
//   OFD lock          ours alone; held on a descriptor of our own, also at the moments when
//                     libpmemobj has the file closed (growth).
//   flock             libpmemobj's own: it takes an exclusive one at every open, so readers hold
//                     a shared one and any program on libpmemobj is kept out.
//
// A lock belongs to an open file description and lives until its last descriptor and mapping are
// gone, those in forked children included: see PoolFile::abandon_in_child.
#pragma once

#include <sys/types.h>

#include <string>

#include "heap/file/posix_file.h"

namespace nvm::heap {

enum class LockMode { shared, exclusive };

// A file's place in the table of this process.
class Registration {
 public:
  Registration() = default;
  // Throws Error(locked) if this process has the file open, unless both only read.
  Registration(dev_t device, ino_t inode, LockMode mode, const std::string& file);
  ~Registration() { reset(); }
  Registration(Registration&& other) noexcept;
  Registration& operator=(Registration&& other) noexcept;
  void reset() noexcept;

 private:
  dev_t device_ = 0;
  ino_t inode_ = 0;
  LockMode mode_ = LockMode::shared;
  bool held_ = false;
};

// Both locks on the descriptor, waiting at most `timeout` seconds for other processes. Throws
// Error(locked) when the time is over.
void lock_file(int fd, LockMode mode, double timeout, const std::string& file);

// Lets the flock go so that libpmemobj can take its own; the OFD lock stays.
void release_flock(int fd) noexcept;

// The OFD lock alone, if it can be had at once.
bool try_ofd_lock(int fd, LockMode mode) noexcept;

}  // namespace nvm::heap
