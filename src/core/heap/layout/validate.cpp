#include "heap/layout/validate.h"

#include <cerrno>
#include <optional>

#include "heap/file/posix_file.h"
#include "heap/layout/heap_walk.h"
#include "heap/layout/pool_header.h"

namespace nvm::heap {

Offset find_root(const char* base, uint64_t size, const std::string& file) {
  const Offset block_offset = descriptor_of(base).root_offset;
  const std::optional<Block> block = block_at(base, size, block_offset);
  const Offset root = (block_offset + pmdk::kCacheLine - 1) / pmdk::kCacheLine * pmdk::kCacheLine;
  if (!block || root - block_offset + sizeof(RootObject) > block->usable) {
    throw_error(ErrorKind::corrupt, file, "damaged: there is no root object", EUCLEAN);
  }
  return root;
}

Validated validate(char* base, uint64_t file_size, const std::string& file) {
  check_pool_header(base, file_size, file);
  Validated result;
  result.size = usable_file_size(file_size);
  result.lanes = recover_lanes(base, result.size, file);
  try {
    check_zones(base, result.size);
  } catch (const Error& error) {
    throw_error(error.kind(), file, std::string("damaged: ") + error.what(), error.error_number());
  }
  result.root = find_root(base, result.size, file);
  return result;
}

}  // namespace nvm::heap
