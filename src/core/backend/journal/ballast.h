// Room on the disk that is kept for what has to be written when there is none: the little that the
// undoing of a commit leaves (Journal::back_pages). A file without a name, so that it is gone with
// the process. Where the file system has no such files nothing is kept.
//
// Not thread-safe.
#pragma once

#include <string>

namespace nvm::backend::journal {

class Ballast {
 public:
  static constexpr long kBytes = 1L << 20;

  // On the disk of that file.
  explicit Ballast(const std::string& beside);
  ~Ballast() { release(); }
  Ballast(const Ballast&) = delete;
  Ballast& operator=(const Ballast&) = delete;

  // Takes the room, unless it is held, or there is none.
  void hold() noexcept;
  // False if none was held.
  bool release() noexcept;

 private:
  std::string folder_;
  int fd_ = -1;
};

}  // namespace nvm::backend::journal
