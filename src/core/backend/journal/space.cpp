#include "backend/journal/space.h"

#include <algorithm>
#include <cerrno>

#include "backend/journal/format.h"
#include "pmem/error.h"

namespace nvm::backend::journal {

void Space::set_size(uint64_t size) {
  size_ = size;
  states_.assign(number_of(size) + 1, State::unknown);
  occupied_.clear();
}

void Space::check_size() const {
  if (file_.size() >= size_) return;
  throw Error(
      ErrorKind::os,
      "'" + file_.path() + "': another program has cut it short; nothing is written any more", EIO,
      file_.path());
}

void Space::allocate(uint64_t number) {
  check_size();
  const uint64_t end = std::min(number * kGranule + origin_, size_);
  const uint64_t begin = end < kGranule ? 0 : number * kGranule + origin_ - kGranule;
  file_.allocate(begin, end - begin);
}

void Space::back(uint64_t offset) {
  State& state = states_[number_of(offset)];
  if (state == State::backed) return;
  if (state != State::occupied) allocate(number_of(offset));
  state = State::backed;
}

void Space::back_page(uint64_t offset) {
  State& state = states_[number_of(offset)];
  if (state == State::backed) return;
  check_size();
  file_.allocate(offset / kPage * kPage, kPage);
  state = State::unknown;
}

void Space::occupy(uint64_t begin, uint64_t end) {
  const uint64_t last = number_of(end - 1);
  for (uint64_t number = number_of(begin); number <= last; ++number) {
    State& state = states_[number];
    if (state != State::offered && state != State::hole) continue;
    occupied_.push_back(number);
    allocate(number);
    state = State::occupied;
  }
}

void Space::vacate(uint64_t begin, uint64_t end) noexcept {
  const Parts parts = parts_of(begin, end);
  std::replace(parts.first_whole, parts.last_whole, State::occupied, State::offered);
}

void Space::settle() noexcept {
  for (const uint64_t number : occupied_) {
    State& state = states_[number];
    if (state == State::occupied) state = State::backed;
  }
  occupied_.clear();
}

bool Space::offer(uint64_t begin, uint64_t end) {
  const Parts parts = parts_of(begin, end);
  for (auto state = parts.first; state != parts.last; ++state) {
    if (*state != State::hole) *state = State::offered;
  }
  return std::any_of(parts.first_whole, parts.last_whole, [](State s) { return s != State::hole; });
}

Space::Parts Space::parts_of(uint64_t begin, uint64_t end) {
  const auto at = [this](uint64_t number) {
    return states_.begin() + static_cast<std::ptrdiff_t>(number);
  };
  const uint64_t first = number_of(begin);
  const uint64_t last = number_of(end - 1) + 1;
  const uint64_t first_whole = number_of(begin + kGranule - 1);
  const uint64_t last_whole = std::max(first_whole, number_of(end));
  return {at(first), at(last), at(first_whole), at(last_whole)};
}

bool Space::punch(uint64_t begin, uint64_t end) {
  const Parts parts = parts_of(begin, end);
  const auto is_hole = [](State state) { return state == State::hole; };
  if (std::all_of(parts.first_whole, parts.last_whole, is_hole)) return false;
  const auto may_be = [=](State state) { return is_hole(state) || state == State::offered; };
  if (!std::all_of(parts.first, parts.last, may_be)) return false;
  const uint64_t from = inside(begin);
  const uint64_t to = end / kPage * kPage;
  if (from < to) file_.punch(from, to - from);
  std::fill(parts.first_whole, parts.last_whole, State::hole);
  return true;
}

uint64_t Space::inside(uint64_t begin) noexcept { return (begin / kPage + 1) * kPage; }

}  // namespace nvm::backend::journal
