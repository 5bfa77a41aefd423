#include "values/taken.h"

namespace nvm::bindings {

namespace {

// Whether making an object's value can run code that is not ours.
bool needs_code(const heap::Pool& pool, Offset offset) {
  switch (static_cast<heap::Type>(pool.type_number(offset))) {
    case heap::Type::list:
    case heap::Type::dict:
    case heap::Type::set:
    case heap::Type::bytearray:
    case heap::Type::persistent_tuple:
    case heap::Type::persistent_frozenset:
      return false;
    default:
      return true;
  }
}

}  // namespace

Taken::~Taken() { pin(nullptr); }

void Taken::pin(heap::Handle* handle) noexcept {
  if (pinned_ != nullptr) unpin(pinned_->pool(), pinned_);
  pinned_ = handle;
  made_of_pinned_ = false;
}

bool Taken::fetch(heap::Pool& pool, Cell cell, bool hashed) {
  const bool wanted = cell.kind() == Cell::Kind::object && needs_code(pool, cell.offset());
  if (wanted && made_of_pinned_ && pinned_->offset() == cell.offset()) {
    state_ = State::made;
    return true;
  }
  decoded_ = Decoded::fetch(pool, cell, hashed);
  state_ = wanted ? State::wanted : State::fetched;
  if (wanted) pin(pool.handles().pin(cell.offset()));
  return !wanted;
}

bool Taken::fetch(heap::Pool& pool, const object::StoredKey& key) {
  if (key.kind == object::StoredKey::Kind::cell) return fetch(pool, key.cell, true);
  decoded_ = fetch_key(pool, key);
  state_ = State::fetched;
  return true;
}

bool Taken::make() {
  if (state_ != State::wanted) return true;
  made_ = decoded_.build(pool_);
  made_of_pinned_ = true;
  return false;
}

Ref Taken::release() { return state_ == State::made ? std::move(made_) : decoded_.build(pool_); }

}  // namespace nvm::bindings
