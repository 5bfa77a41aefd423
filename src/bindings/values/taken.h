// A value on its way out of a container that is to lose it (pop).
//
// Making it can run Python code that fails: its class is not known here, or a function of a
// registered type raises. So that nothing is lost then, what needs code is made first: a run of the
// operation that meets such a value changes nothing, the value is made outside the latch, and only
// a run that meets the same value again takes it out.
#pragma once

#include "binding.h"
#include "container.h"

namespace nvm::bindings {

class Taken {
 public:
  explicit Taken(PoolObject* pool) : pool_(pool) {}
  ~Taken();
  Taken(const Taken&) = delete;
  Taken& operator=(const Taken&) = delete;

  // At the beginning of a run of the operation: nothing has been met yet.
  void begin() noexcept { state_ = State::none; }
  // Under the latch. False: it has to be made first, and the operation must not change anything.
  bool fetch(heap::Pool& pool, object::Cell cell, bool hashed = false);
  bool fetch(heap::Pool& pool, const object::StoredKey& key);
  // After the latch: makes what was met. False: the operation is to be run again.
  bool make();
  bool empty() const noexcept { return state_ == State::none; }
  Ref release();  // once

 private:
  enum class State : uint8_t { none, fetched, wanted, made };

  void pin(heap::Handle* handle) noexcept;

  PoolObject* pool_;
  Decoded decoded_;
  Ref made_;
  heap::Handle* pinned_ = nullptr;  // what is made: no other object can take its place
  bool made_of_pinned_ = false;     // made_ may be of what was met before
  State state_ = State::none;
};

// Runs step(operation, offset) until each of these values has been made before it was taken.
template <class Step, class... Each>
void taking(Proxy* self, Step&& step, Each&... taken) {
  bool done = false;
  while (!done) {
    changing(self, [&](Operation& op, Offset offset) {
      (taken.begin(), ...);
      step(op, offset);
    });
    done = (static_cast<int>(taken.make()) & ...) != 0;
  }
}

}  // namespace nvm::bindings
