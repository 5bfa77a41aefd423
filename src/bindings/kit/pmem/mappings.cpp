// The mapped buffers of this process, in the order of their addresses. The interpreter's lock
// guards them.
#include <cstdint>
#include <map>

#include "kit/pmem/pmem.h"

namespace nvm::bindings::kit::pmem {

namespace {

std::map<uintptr_t, Buffer*>& mappings() {
  static auto* const kMappings = new std::map<uintptr_t, Buffer*>;  // used until the process ends
  return *kMappings;
}

Buffer* recent = nullptr;  // tried first

uintptr_t base_of(const Buffer* buffer) { return reinterpret_cast<uintptr_t>(buffer->memory.data); }

bool holds(const Buffer* buffer, uintptr_t address) {
  return address - base_of(buffer) < buffer->memory.size;
}

}  // namespace

void add_mapping(Buffer* buffer) {
  mappings().emplace(base_of(buffer), buffer);
  recent = buffer;
}

void remove_mapping(const Buffer* buffer) noexcept {
  mappings().erase(base_of(buffer));
  if (recent == buffer) recent = nullptr;
}

Buffer* mapping_of(const void* address) noexcept {
  const auto value = reinterpret_cast<uintptr_t>(address);
  if (recent != nullptr && holds(recent, value)) return recent;
  auto next = mappings().upper_bound(value);
  if (next == mappings().begin()) return nullptr;
  Buffer* buffer = std::prev(next)->second;
  if (!holds(buffer, value)) return nullptr;
  recent = buffer;
  return buffer;
}

}  // namespace nvm::bindings::kit::pmem
