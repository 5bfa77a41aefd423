// A file on a disk as the journal writes and syncs it. One interface, so that tests can record what
// is written and synced, tear it, or let it fail.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "pmem/error.h"
#include "pmem/store.h"  // NVM_CRASH_HOOKS

namespace nvm::backend {

class DiskFile {
 public:
  virtual ~DiskFile() = default;

  virtual const std::string& path() const noexcept = 0;
  // Every method below throws Error(os) that names the file and the cause.
  virtual uint64_t size() = 0;
  // Bytes of its blocks on the medium.
  virtual uint64_t used() = 0;
  // Fills the buffer; what lies beyond the file's end reads as zeros.
  virtual void read(void* buffer, size_t length, uint64_t offset) = 0;
  virtual void write(const void* data, size_t length, uint64_t offset) = 0;
  // A hint: what was written there is to be synced soon. Takes no error away.
  virtual void begin_sync(uint64_t offset, size_t length) noexcept = 0;
  // Everything written so far is on stable storage when it returns. Once it has failed, what was
  // written is unknown for good: it must not be called again.
  virtual void sync() = 0;
  // Gives [begin, begin + length) blocks on the medium; the file grows if it ends before.
  virtual void allocate(uint64_t begin, uint64_t length) = 0;
  // Takes the blocks of [begin, begin + length), whole pages, back: they read as zeros. Nothing
  // where the file system cannot do that.
  virtual void punch(uint64_t begin, uint64_t length) = 0;
  virtual void truncate(uint64_t size) = 0;
};

// What works on `fd`, which it takes over; `path` is for messages.
std::unique_ptr<DiskFile> make_disk_file(int fd, const std::string& path);
// The file that is open as `fd`, under a descriptor of its own for reading and
// writing, without the locks of that one. Throws Error(os).
std::unique_ptr<DiskFile> reopen_disk_file(int fd, const std::string& path);

// Makes a new file, with its name durable; replaces one that is there. Throws Error(os).
std::unique_ptr<DiskFile> create_disk_file(const std::string& path, unsigned mode);
// Null if there is no such file. Throws Error(os).
std::unique_ptr<DiskFile> open_disk_file(const std::string& path, bool writable);
// Tells whoever observes the files that this one, made under another name, has its own now.
void tell_named(const std::string& path);
// Removes the name, durably; nothing if it is absent. Throws Error(os).
void remove_disk_file(const std::string& path);

// Whether it is for want of room: the disk, a quota or the largest size of a file.
bool is_full(const Error& error) noexcept;

#if NVM_CRASH_HOOKS
// While set, all of the above go through it: it wraps what it is given, and is told of names.
class DiskObserver {
 public:
  virtual ~DiskObserver() = default;
  virtual std::unique_ptr<DiskFile> wrap(std::unique_ptr<DiskFile> file) = 0;
  virtual void created(const std::string& path) = 0;
  virtual void removed(const std::string& path) = 0;
};
DiskObserver* set_disk_observer(DiskObserver* observer) noexcept;  // returns the one before
#endif

}  // namespace nvm::backend
