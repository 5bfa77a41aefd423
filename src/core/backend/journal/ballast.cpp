#include "backend/journal/ballast.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

namespace nvm::backend::journal {

Ballast::Ballast(const std::string& beside)
    : folder_(std::filesystem::absolute(beside).parent_path().string()) {}

void Ballast::hold() noexcept {
  if (fd_ >= 0) return;
  constexpr mode_t nobody_else = 0600;
  fd_ = ::open(folder_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, nobody_else);
  if (fd_ >= 0 && ::posix_fallocate(fd_, 0, kBytes) != 0) release();
}

bool Ballast::release() noexcept {
  if (fd_ < 0) return false;
  ::close(fd_);
  fd_ = -1;
  return true;
}

}  // namespace nvm::backend::journal
