#include "object/key/hash_cache.h"

#include "heap/pool.h"

namespace nvm::object {

using heap::Pool;

HashCache::Known HashCache::find(const Pool& pool, Offset object) {
  std::lock_guard lock(mutex_);
  forget_what_was_undone(pool);
  const auto found = known_.find(object);
  return found == known_.end() ? Known{} : found->second;
}

void HashCache::learn_hash(const Pool& pool, Offset object, uint64_t hash) {
  std::lock_guard lock(mutex_);
  Known& known = at(pool, object);
  known.hash = hash;
  known.has_hash = true;
}

void HashCache::learn_interpreters(const Pool& pool, Offset object, int64_t hash) {
  std::lock_guard lock(mutex_);
  at(pool, object).interpreters = hash;
}

void HashCache::learn_fit(const Pool& pool, Offset object) {
  std::lock_guard lock(mutex_);
  at(pool, object).fit = true;
}

void HashCache::forget(Offset object) {
  std::lock_guard lock(mutex_);
  known_.erase(object);
}

HashCache::Known& HashCache::at(const Pool& pool, Offset object) {
  forget_what_was_undone(pool);
  if (known_.size() >= kMost && known_.count(object) == 0) known_.clear();
  return known_[object];
}

// Nothing is undone while the latch is held.
void HashCache::forget_what_was_undone(const Pool& pool) {
  if (epoch_ == pool.undo_epoch()) return;
  known_.clear();
  epoch_ = pool.undo_epoch();
}

}  // namespace nvm::object
