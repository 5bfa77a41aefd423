// A pool file in the making: it has a temporary name beside the one it is for, and gets that one
// when it is whole.
//
// Why a cut is harmless: until publish() nobody finds the file under its name; publish() is one
// rename. A temporary whose maker died is recognised by its lock being free, and removed by the
// next creation in the same directory.
#pragma once

#include <sys/types.h>

#include <string>

#include "heap/file/posix_file.h"

namespace nvm::heap {

class NewFile {
 public:
  // Makes it, empty, with the OFD lock held. Throws Error(os).
  NewFile(const std::string& path, mode_t mode);
  ~NewFile() { remove(); }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  int fd() const noexcept { return fd_.get(); }
  // The descriptor that holds the lock, for the pool to keep.
  Fd take_fd() noexcept { return std::move(fd_); }

  // Gives the file its name, durably. Throws Error(os): EEXIST if the name is taken and `replace`
  // is false.
  void publish(bool replace);
  void remove() noexcept;
  // In a forked child: the file is its parent's.
  void forget() noexcept { temporary_.clear(); }

 private:
  bool make(mode_t mode);

  std::string path_;
  std::string temporary_;  // empty: published or removed
  Fd fd_;
};

}  // namespace nvm::heap
