// nvm.pmem2.Map: what its files share.
#pragma once

#include <vector>

#include "kit/pmem2/pmem2.h"

namespace nvm::bindings::kit::pmem2 {

// A part of a map.
struct Part {
  char* data;
  size_t size;
};

inline Map* as_map(PyObject* self) noexcept { return reinterpret_cast<Map*>(self); }

// Makes a part durable (map_functions.cpp).
void persist(const Map* map, Part part);

// Lets a map of what was mapped already, whose granularity is a page, do without libpmem2's
// functions (existing.cpp).
void use_own_functions(Map* map);
inline bool has_own_functions(const Map* map) noexcept {
  return map->existing.obj != nullptr && map->granularity == PMEM2_GRANULARITY_PAGE;
}

// persist, flush, drain, deep_flush, memcpy, memmove and memset, with an empty entry at the end.
std::vector<PyMethodDef> map_functions();

}  // namespace nvm::bindings::kit::pmem2
