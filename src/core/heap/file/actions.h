// The actions of one publish, in place: what is past a commit point, or undoes, needs no memory.
#pragma once

#include <array>
#include <cstddef>

#include "heap/file/pool_file.h"

namespace nvm::heap {

class Actions {
 public:
  Actions() noexcept {}  // NOLINT: nothing reads an action that is not there
  // REQUIRES: size() < kMaxActions.
  Action& add() noexcept { return actions_[size_++]; }
  void add(const Action& action) noexcept { add() = action; }

  Action* data() noexcept { return actions_.data(); }
  size_t size() const noexcept { return size_; }

 private:
  std::array<Action, kMaxActions> actions_;
  size_t size_ = 0;
};

}  // namespace nvm::heap
