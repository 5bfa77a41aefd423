#include "heap/file/set_files.h"

#include <fcntl.h>
#include <libpmemobj.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "backend/probe.h"
#include "heap/file/pool_file.h"
#include "heap/layout/part_header.h"

namespace nvm::heap {
namespace {

const poolset::Demands kDemands{.min_pool = kMinPoolSize, .min_part = PMEMOBJ_MIN_PART};

bool is_directory(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

bool exists(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0;
}

[[noreturn]] void unsupported(const std::string& file, const std::string& what) {
  throw_error(ErrorKind::os, file, what, EOPNOTSUPP);
}

// What libpmemobj itself would open, but what is not safe for stores of ours.
void refuse_unsafe(const std::string& file, const poolset::PoolSet& set) {
  for (const poolset::Replica& replica : set.replicas) {
    if (replica.remote())
      unsupported(file,
                  "a replica on another machine is not supported: stores of pynvm do not go "
                  "through libpmemobj, which is what would send them there");
    for (const poolset::Part& part : replica.parts) {
      if (is_directory(part.path))
        unsupported(file, "the part '" + part.path +
                              "' is a directory: pools that grow by new files are not supported");
      if (part.size == poolset::kAutoSize)
        unsupported(file, "the part '" + part.path +
                              "' is to have the size of its device: device DAX is not supported");
    }
  }
}

poolset::PoolSet read_set(const std::string& path) {
  poolset::PoolSet set = poolset::read(path);
  try {
    poolset::check(set, {});
    refuse_unsafe(path, set);
    poolset::check(set, kDemands);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::value) throw;
    throw_error(ErrorKind::corrupt, path, error.what(), EUCLEAN);
  }
  return set;
}

}  // namespace

bool names_pool_set(const std::string& path) noexcept {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  char head[poolset::kSignature.size()];
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
  return ::pread(fd.get(), head, sizeof head, 0) == static_cast<ssize_t>(sizeof head) &&
         poolset::is_pool_set({head, sizeof head});
}

SetFiles::Found SetFiles::look(const std::string& path) {
  std::string present;
  std::string absent;
  for (const poolset::Replica& replica : read_set(path).replicas) {
    for (const poolset::Part& part : replica.parts)
      (exists(part.path) ? present : absent) = part.path;
  }
  if (absent.empty()) return Found::all;
  if (present.empty()) return Found::none;
  throw_error(ErrorKind::corrupt, path,
              "the part '" + absent + "' is missing, and '" + present +
                  "' is there: nvm.pmempool.sync() makes it again if a replica is whole; if the "
                  "set was never complete, remove its parts",
              EUCLEAN);
}

std::unique_ptr<SetFiles> SetFiles::prepare(const Request& request) {
  std::unique_ptr<SetFiles> files(new SetFiles);
  files->path_ = request.path;
  files->set_ = read_set(request.path);
  files->size_ = poolset::pool_size(files->set_) / poolset::kPage * poolset::kPage;
  if (request.limit > files->size_)
    throw Error(ErrorKind::value,
                "size " + std::to_string(request.limit) + " is more than the pool set's " +
                    std::to_string(files->size_) + " bytes, and a pool set does not grow",
                EINVAL, request.path);
  return files;
}

template <class OpenPart>
void SetFiles::open_parts(OpenPart&& open_part) {
  for (const poolset::Replica& replica : set_.replicas) {
    ReplicaFiles& files = replicas_.emplace_back();
    const std::vector<poolset::Extent> extents = poolset::extents(set_, replica);
    for (size_t i = 0; i < extents.size(); ++i) {
      PartFile& part = files.parts.emplace_back();
      part.path = replica.parts[i].path;
      part.size = replica.parts[i].size;
      open_part(part);
      part.plain = Fd(::open(part.lock.path().c_str(), O_RDONLY | O_CLOEXEC));
      if (!part.plain) throw_os(path_, "cannot open '" + part.path + "'", errno);
      files.ranges.push_back(
          {part.plain.get(), extents[i].file_offset, extents[i].pool_offset, extents[i].length});
    }
  }
}

std::unique_ptr<SetFiles> SetFiles::open(const Request& request) {
  std::unique_ptr<SetFiles> files = prepare(request);
  files->open_parts([&](PartFile& part) { files->open_part(part, request); });
  files->choose_backend(request);
  files->check_headers();
  files->describe_for_library();
  return files;
}

std::unique_ptr<SetFiles> SetFiles::create(const Request& request) {
  std::unique_ptr<SetFiles> files = prepare(request);
  files->open_parts([&](PartFile& part) { files->create_part(part, request); });
  files->choose_backend(request);
  files->allocate_all();
  files->describe_for_library();
  return files;
}

SetFiles::~SetFiles() = default;

void SetFiles::open_part(PartFile& part, const Request& request) const {
  part.lock = open_file(part.path, request.mode == LockMode::exclusive ? O_RDWR : O_RDONLY);
  part.status = status_of(part.lock.get(), part.path);
  part.registration = Registration(part.status.st_dev, part.status.st_ino, request.mode, part.path);
  lock_file(part.lock.get(), request.mode, request.timeout, part.path);
  part.status = status_of(part.lock.get(), part.path);
  if (heap::size_of(part.status) != part.size)
    throw_damaged("the part '" + part.path + "' has " + std::to_string(heap::size_of(part.status)) +
                  " bytes, the set gives it " + std::to_string(part.size));
}

void SetFiles::create_part(PartFile& part, const Request& request) const {
  part.new_file = std::make_unique<NewFile>(part.path, request.create_mode);
  part.lock = part.new_file->take_fd();
  part.status = status_of(part.lock.get(), part.path);
  part.registration =
      Registration(part.status.st_dev, part.status.st_ino, LockMode::exclusive, part.path);
}

void SetFiles::choose_backend(const Request& request) {
  if (request.backend == backend::Kind::journal)
    unsupported(path_, "the journal backend is for pools of one file");
  bool first = true;
  for (const ReplicaFiles& replica : replicas_) {
    for (const PartFile& part : replica.parts) {
      const backend::Medium medium = backend::choose(part.lock.get(), part.path, request.backend);
      const backend::Probe probe = backend::probe_file(part.lock.get(), part.path);
      if (medium.kind != backend::Kind::dax && !request.backend &&
          probe.family == backend::Family::disk)
        unsupported(path_, "the part '" + part.path + "' is on a disk (" + medium.fs_name +
                               ") without DAX, where a pool set cannot be made safe against a "
                               "power failure: use one plain file there");
      if (!first && medium.kind != medium_.kind)
        unsupported(path_, "the part '" + part.path + "' is on another kind of medium than '" +
                               replicas_.front().parts.front().path + "'");
      const bool durable = medium.durable && (first || medium_.durable);
      if (first) medium_ = medium;
      medium_.durable = durable;
      first = false;
    }
  }
}

// A nameless file with the set's own options and sizes, and descriptors for paths.
void SetFiles::describe_for_library() {
  poolset::PoolSet set = set_;
  for (size_t r = 0; r < replicas_.size(); ++r) {
    for (size_t p = 0; p < replicas_[r].parts.size(); ++p)
      set.replicas[r].parts[p].path = replicas_[r].parts[p].lock.path();
  }
  const std::string text = poolset::format(set);
  description_ = Fd(::memfd_create("nvm-pool-set", MFD_CLOEXEC));
  if (!description_ ||
      ::write(description_.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    throw_os(path_, "cannot describe the pool set to libpmemobj", errno);
  path_for_library_ = description_.path();
}

void SetFiles::check_headers() const {
  std::vector<std::vector<PartHeader>> headers;
  for (const ReplicaFiles& replica : replicas_) {
    std::vector<PartHeader>& found = headers.emplace_back();
    for (const PartFile& part : replica.parts) {
      if (set_.single_header && !found.empty()) break;
      found.push_back({part.path, read_part_header(part.plain.get(), part.path)});
    }
  }
  const std::string wrong = wrong_in_headers(headers);
  if (!wrong.empty()) throw_damaged(wrong);
}

void SetFiles::throw_damaged(const std::string& what) const {
  const std::string advice = set_.replicas.size() > 1
                                 ? "; nvm.pmempool.sync() repairs it from a replica that is whole"
                                 : "";
  throw_error(ErrorKind::corrupt, path_, what + advice, EUCLEAN);
}

dev_t SetFiles::device() const noexcept { return replicas_[0].parts[0].status.st_dev; }
ino_t SetFiles::inode() const noexcept { return replicas_[0].parts[0].status.st_ino; }

PrivateMapping SetFiles::map_privately(size_t replica) const {
  return {replicas_[replica].ranges, size_, path_};
}

const std::vector<FileRange>& SetFiles::ranges(size_t replica) const noexcept {
  return replicas_[replica].ranges;
}

std::vector<FilePiece> SetFiles::pieces(size_t replica, uint64_t begin, uint64_t size) const {
  std::vector<FilePiece> result;
  const ReplicaFiles& files = replicas_[replica];
  for (size_t i = 0; i < files.ranges.size() && size != 0; ++i) {
    const FileRange& range = files.ranges[i];
    const uint64_t end = range.pool_offset + range.length;
    if (begin >= end) continue;
    const uint64_t length = std::min(size, end - begin);
    result.push_back({Fd(::open(files.parts[i].lock.path().c_str(), O_RDWR | O_CLOEXEC)),
                      range.file_offset + (begin - range.pool_offset), length});
    begin += length;
    size -= length;
  }
  return result;
}

void SetFiles::release_flocks() noexcept {
  for (const ReplicaFiles& replica : replicas_) {
    for (const PartFile& part : replica.parts) release_flock(part.lock.get());
  }
}

void SetFiles::allocate_all() {
  for (const ReplicaFiles& replica : replicas_) {
    for (const PartFile& part : replica.parts) {
      const bool whole =
          heap::size_of(part.status) == part.size && allocated_bytes(part.status) >= part.size;
      const int error = whole ? 0 : allocate(part.lock.get(), part.size);
      if (error != 0)
        throw_os(path_,
                 "no room for the " + std::to_string(part.size) + " bytes of '" + part.path + "'",
                 error);
    }
  }
}

void SetFiles::publish() {
  for (const ReplicaFiles& replica : replicas_) {
    for (const PartFile& part : replica.parts) {
      if (::fsync(part.lock.get()) != 0) throw_os(path_, "cannot create the pool", errno);
    }
  }
  // Backwards: the master's first part comes last.
  for (size_t r = replicas_.size(); r-- > 0;) {
    for (size_t p = replicas_[r].parts.size(); p-- > 0;) {
      PartFile& part = replicas_[r].parts[p];
      part.new_file->publish(false);
      part.new_file.reset();
    }
  }
}

void SetFiles::abandon_in_child(char* base) noexcept {
  for (ReplicaFiles& replica : replicas_) {
    const bool master = &replica == replicas_.data();
    for (size_t p = 0; p < replica.parts.size(); ++p) {
      PartFile& part = replica.parts[p];
      const FileRange& range = replica.ranges[p];
      char* const place = base + range.pool_offset;
      if (master && base != nullptr &&
          !overlay_privately(place, range.length, range.fd, range.file_offset))
        overlay_privately(place, range.length, -1);
      if (part.new_file) part.new_file->forget();
      part.lock.reset();
      part.plain.reset();
      part.registration.reset();
    }
  }
  description_.reset();
}

}  // namespace nvm::heap
