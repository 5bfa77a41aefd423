// What a file must look like before its heap is looked at: PMDK's pool header and descriptor.
#pragma once

#include <cstdint>
#include <string>

#include "backend/journal/disk_file.h"
#include "heap/layout/pmdk_layout.h"

namespace nvm::heap {

// Whether the header says that the pool needs its journal. A cut while that was being changed may
// leave it `torn`: the checksum fits the other answer.
enum class JournalMark { absent, present, torn };
JournalMark journal_mark(const pmdk::PoolHeader& header);
// Changes what a header says of it, its checksum included.
void set_journal_mark(pmdk::PoolHeader& header, bool present);

// Checks that the mapped file is a pool of ours and all there. Throws
//   Error(corrupt)  not a pool, damaged, or cut off,
//   Error(layout)   another kind of pool, another layout, or another major version of ours.
void check_pool_header(const char* base, uint64_t size, const std::string& file);
// The same for a pool of libpmemobj whatever its layout.
void check_any_layout(const char* base, uint64_t size, const std::string& file);

inline const pmdk::Descriptor& descriptor_of(const char* base) {
  return *reinterpret_cast<const pmdk::Descriptor*>(base + pmdk::kDescriptorOffset);
}
// The end of the heap according to the descriptor; at most the file's size once checked.
inline uint64_t heap_end(const char* base) {
  return pmdk::kHeapOffset + descriptor_of(base).heap_size;
}
// How much of a file of `size` bytes libpmemobj uses.
inline uint64_t usable_file_size(uint64_t size) { return size / pmdk::kPage * pmdk::kPage; }

// Sets the heap's size to what the pool's file has room for, on the medium. REQUIRES: libpmemobj
// does not have the file open. A cut leaves the old size or the new one (one aligned word), the new
// one only in a file that is as large as that, and a heap smaller than its file is raised at the
// next open.
void raise_heap_size(backend::DiskFile& file);

}  // namespace nvm::heap
