#include "heap/file/pool_journal.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "backend/journal/recovery.h"
#include "heap/file/posix_file.h"
#include "heap/layout/heap_walk.h"
#include "heap/layout/pool_header.h"

namespace nvm::heap {
namespace {

namespace journal = backend::journal;
using backend::DiskFile;

constexpr mode_t kPermissions = 07777;

pmdk::PoolHeader header_of(DiskFile& pool) {
  pmdk::PoolHeader header{};
  pool.read(&header, sizeof header, 0);
  return header;
}

bool is_pool(const pmdk::PoolHeader& header) {
  return std::memcmp(header.signature, pmdk::kSignature, sizeof header.signature) == 0;
}

journal::Identity identity_of(const pmdk::PoolHeader& header, const pmdk::Descriptor& descriptor) {
  journal::Identity identity;
  std::copy(std::begin(header.uuids[0]), std::end(header.uuids[0]), identity.uuid.begin());
  identity.run_id = descriptor.run_id;
  return identity;
}

journal::Identity identity_of(DiskFile& pool) {
  pmdk::Descriptor descriptor{};
  pool.read(&descriptor, sizeof descriptor, pmdk::kDescriptorOffset);
  return identity_of(header_of(pool), descriptor);
}

void write_mark(DiskFile& pool, bool present) {
  pmdk::PoolHeader header = header_of(pool);
  set_journal_mark(header, present);
  pool.write(&header, sizeof header, 0);
  pool.sync();
}

void visit_free_blocks_of(const HeapView& heap, uint32_t zone, const journal::Host::Visit& visit) {
  const uint32_t chunks = heap.chunks_of(zone);
  for (uint32_t index = 0; index < chunks;) {
    const Chunk chunk = heap.chunk_at(zone, index);
    index += chunk.chunks;
    if (chunk.type == pmdk::ChunkType::free)
      visit(heap.chunk_offset(zone, chunk.index), heap.chunk_offset(zone, index));
  }
}

// Those of a damaged zone are left alone, from the damage on.
void visit_free_blocks(const char* base, uint64_t size, const journal::Host::Visit& visit) {
  const HeapView heap(base, size);
  for (uint32_t zone = 0; zone < heap.zones(); ++zone) {
    try {
      visit_free_blocks_of(heap, zone, visit);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::corrupt) throw;
    }
  }
}

// The journal, null if there is none. Throws Error(corrupt) if it is missing and needed.
std::unique_ptr<DiskFile> find_journal(const std::string& pool, JournalMark mark, bool writable) {
  const std::string path = journal_path(pool);
  std::unique_ptr<DiskFile> file = backend::open_disk_file(path, writable);
  if (!file && mark == JournalMark::present) {
    throw_error(ErrorKind::corrupt, pool,
                "the pool was not closed, and its journal '" + path +
                    "' is missing: put it back, or use a copy of both files from one moment",
                EUCLEAN);
  }
  return file;
}

}  // namespace

std::string journal_path(const std::string& pool) { return resolved(pool) + ".journal"; }

void recover_from_journal(int pool_fd, const std::string& pool) {
  const std::unique_ptr<DiskFile> file = backend::reopen_disk_file(pool_fd, pool);
  const pmdk::PoolHeader header = header_of(*file);
  if (!is_pool(header)) return;  // validate() says what it is
  const JournalMark mark = journal_mark(header);
  std::unique_ptr<DiskFile> found = find_journal(pool, mark, true);
  if (!found && mark == JournalMark::absent) return;
  if (found) {
    const journal::Identity identity = identity_of(*file);
    if (mark != JournalMark::absent) {
      journal::FileTarget target(*file);
      journal::replay(*found, identity, pmdk::kHeapOffset, file->size(), target);
      file->sync();
    } else {
      journal::check_leftover(*found, identity);
    }
  }
  if (mark != JournalMark::absent) write_mark(*file, false);
  found.reset();
  backend::remove_disk_file(journal_path(pool));
}

void lay_journal_over(char* base, uint64_t size, const std::string& pool) {
  if (size < pmdk::kMinFileSize) return;
  auto& header = *reinterpret_cast<pmdk::PoolHeader*>(base);
  if (!is_pool(header)) return;
  const JournalMark mark = journal_mark(header);
  if (mark == JournalMark::absent) return;
  const std::unique_ptr<DiskFile> found = find_journal(pool, mark, false);
  if (found) {
    journal::MappedTarget target(base);
    journal::replay(*found, identity_of(header, descriptor_of(base)), pmdk::kHeapOffset, size,
                    target);
  }
  set_journal_mark(header, false);
}

std::unique_ptr<backend::Backend> make_journal(int pool_fd, const std::string& pool, bool fresh,
                                               std::function<void()> check_whole) {
  std::unique_ptr<DiskFile> file = backend::reopen_disk_file(pool_fd, pool);
  DiskFile* const disk = file.get();
  journal::Host host;
  host.journal_path = journal_path(pool);
  host.mode = status_of(pool_fd, pool).st_mode & kPermissions;
  host.identity = identity_of(*file);
  host.first_byte = pmdk::kHeapOffset;
  host.first_zone = pmdk::kFirstZone;
  host.fresh = fresh;
  host.mark = [disk](bool present) { write_mark(*disk, present); };
  host.free_blocks = visit_free_blocks;
  host.check_whole = std::move(check_whole);
  return std::make_unique<journal::Journal>(std::move(file), std::move(host));
}

}  // namespace nvm::heap
