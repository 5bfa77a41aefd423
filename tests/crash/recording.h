// What a recorded run of the core did to one medium, in order.
#pragma once

#include <cstdint>
#include <vector>

namespace nvm::crash {

inline constexpr uint64_t kLineSize = 64;
inline constexpr uint64_t kWordSize = 8;

struct Event {
  enum class Kind : uint8_t {
    store,     // `length` bytes of `value` at `offset`, within one aligned word
    flush,     // `value` cache lines from `offset` on
    fence,     // what `thread` has flushed is durable
    begin,     // the test begins operation `value`
    returned,  // operation `value` has returned
    resize,    // the file now has `value` bytes
  };
  Kind kind;
  uint8_t length = 0;
  uint16_t thread = 0;
  uint64_t offset = 0;
  uint64_t value = 0;
};

struct Recording {
  std::vector<char> medium;  // at the beginning, all durable; a multiple of kLineSize
  std::vector<Event> events;
};

}  // namespace nvm::crash
