// How a pool that lies in the files of a pool set is opened and created.
#include <algorithm>
#include <cerrno>

#include "backend/replicated.h"
#include "heap/file/pool_file.h"
#include "heap/file/set_copies.h"
#include "heap/file/steps.h"
#include "heap/layout/validate.h"

namespace nvm::heap {
namespace {

// Every replica but the master, which libpmemobj trusts as well.
void validate_copies(const SetFiles& files, const std::shared_ptr<BusGuard::Flag>& lost,
                     const std::string& path) {
  for (size_t r = 1; r < files.replicas(); ++r) {
    try {
      const PrivateMapping view = files.map_privately(r);
      const BusGuard guard(view.base(), view.size(), lost);
      validate(view.base(), files.size(), path);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::corrupt) throw;
      files.throw_damaged("replica " + std::to_string(r) + " is damaged (" + error.what() + ")");
    }
  }
}

}  // namespace

void PoolFile::open_set(const OpenOptions& options) {
  SetFiles::Request request;
  request.path = path_;
  request.timeout = options.lock_timeout;
  request.create_mode = options.mode;
  request.backend = options.backend;
  request.limit = std::max(options.limit.value_or(0), options.initial_size.value_or(0));
  const bool exists = SetFiles::look(path_) == SetFiles::Found::all;
  if (exists && options.access == Access::read) return open_set_for_reading(std::move(request));
  if (exists && options.if_exists == IfExists::open) return open_existing_set(request);
  if (exists && options.if_exists == IfExists::fail)
    throw_os(path_, "cannot create the pool: the set's parts are there", EEXIST);
  if (exists)
    throw_error(ErrorKind::os, path_,
                "a pool set is not replaced, for that takes more than one step: remove its parts "
                "first (nvm.pmempool.rm())",
                EEXIST);
  if (options.if_missing == IfMissing::fail || options.access == Access::read)
    throw_os(path_, "cannot open the pool: none of the set's parts is there", ENOENT);
  create_set(request);
}

void PoolFile::hold(std::unique_ptr<SetFiles> files) {
  set_ = std::move(files);
  device_ = set_->device();
  inode_ = set_->inode();
  size_ = set_->size();
  limit_ = size_;
  medium_ = set_->medium();
  backend_ = backend::make(medium_.kind);
}

void PoolFile::open_existing_set(const SetFiles::Request& request) {
  hold(SetFiles::open(request));
  Validated found;
  {
    const PrivateMapping view = set_->map_privately();
    const BusGuard guard(view.base(), view.size(), lost_);
    found = validate(view.base(), size_, path_);
    check_whole();
  }
  root_ = found.root;
  set_->allocate_all();
  if (set_->replicas() > 1 && copies_may_differ(*set_)) make_copies_equal(*set_, *backend_, path_);
  validate_copies(*set_, lost_, path_);
  check_whole();
  set_->release_flocks();
  start_existing(found.lanes.extended);
}

void PoolFile::open_set_for_reading(SetFiles::Request request) {
  request.mode = LockMode::shared;
  hold(SetFiles::open(request));
  backend_ = backend::make(backend::Kind::memory);
  mapping_ = set_->map_privately();
  guard(mapping_.base(), mapping_.size());
  root_ = validate(mapping_.base(), size_, path_).root;
  check_whole();
  base_ = mapping_.base();
}

void PoolFile::create_set(const SetFiles::Request& request) {
  hold(SetFiles::create(request));
  passed(Step::space_allocated);
  make_heap(request.create_mode);
  created_ = true;
}

// Once libpmemobj has the set open: stores of ours are to reach the replicas too.
void PoolFile::keep_copies() {
  std::vector<char*> copies = find_copies(*set_, path_);
  if (copies.empty()) return;
  for (char* const copy : copies) mapped_copies_.push_back({copy, BusGuard(copy, size_, lost_)});
  copies_ = std::make_unique<backend::Replicated>(*backend_, base_, size_, std::move(copies));
}

}  // namespace nvm::heap
