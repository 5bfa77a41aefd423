// Pools of libpmemobj that are for other programs.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace nvm::heap {

// Makes an empty pool with this layout name, in a new file of `size` bytes; with size 0 in the
// files of a pool set, or in a file of zeros that is there. Throws Error(os), and Error(value) for
// a layout name that is too long or that is ours: those pools are made by PoolFile.
void create_other_pool(const std::string& path, const std::string& layout, uint64_t size,
                       mode_t mode);
// The least that such a pool can have.
uint64_t least_other_pool() noexcept;
uint64_t least_other_part() noexcept;

}  // namespace nvm::heap
