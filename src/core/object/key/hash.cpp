#include "object/key/hash.h"

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "object/caches.h"
#include "object/key/compare.h"

namespace nvm::object {

namespace {

using heap::Pool;

// XXH64's primes.
constexpr uint64_t kPrime1 = 0x9E3779B185EBCA87;
constexpr uint64_t kPrime2 = 0xC2B2AE3D27D4EB4F;
constexpr uint64_t kPrime3 = 0x165667B19E3779F9;
constexpr uint64_t kPrime4 = 0x85EBCA77C2B2AE63;
constexpr uint64_t kPrime5 = 0x27D4EB2F165667C5;

// What each kind of value is marked with.
constexpr uint64_t kBytesMark = kPrime1;
constexpr uint64_t kConstantMark = kPrime2;
constexpr uint64_t kIdentityMark = kPrime3;
constexpr uint64_t kFrozensetMark = kPrime5;
constexpr uint64_t kScopedMark = kPrime4;

uint64_t scramble(uint64_t hash) {
  hash ^= hash >> 33;
  hash *= kPrime2;
  hash ^= hash >> 29;
  hash *= kPrime3;
  return hash ^ hash >> 32;
}

[[noreturn]] void throw_unhashable(const Term& term) {
  throw Error(ErrorKind::type, term.why_unhashable());
}

[[noreturn]] void throw_cyclic(const Term& term) {
  if (term.node != nullptr) throw Error(ErrorKind::type, "a tuple that contains itself");
  throw_corrupt("the tuple at offset " + std::to_string(term.offset) + " contains itself");
}

uint64_t hash_leaf(const Term& term) {
  switch (term.kind) {
    case Term::Kind::constant:
      return scramble(term.bits ^ kConstantMark);
    case Term::Kind::number:
      return hash_of(term.number);
    case Term::Kind::str:
      return hash_of_str(term.text());
    case Term::Kind::bytes:
      return hash_of_bytes(term.text());
    case Term::Kind::identity:
      return scramble(term.offset ^ kIdentityMark);
    default:
      throw_unhashable(term);
  }
}

// A container whose elements are being hashed in turn.
struct Frame {
  Term container;
  uint64_t next = 0;
  uint64_t state = kPrime5;
  bool holds_others = false;

  explicit Frame(const Term& term) : container(term) {}

  void add(uint64_t hash) {
    if (container.kind == Term::Kind::frozenset)
      state += scramble(hash);
    else
      state = std::rotl(state + hash * kPrime2, 31) * kPrime1;
  }
  uint64_t result() const {
    if (container.kind == Term::Kind::frozenset) return scramble(state ^ kFrozensetMark);
    if (container.kind == Term::Kind::scoped) return scramble(state ^ kScopedMark);
    return state + (container.length ^ (kPrime5 ^ 3527539));
  }
};

class Hashing {
 public:
  explicit Hashing(const Pool& pool) : pool_(pool) {}

  uint64_t run(const Term& root) {
    if (const auto hash = known(root)) return *hash;
    frames_.emplace_back(root);
    for (;;) {
      Frame& frame = frames_.back();
      if (frame.next < frame.container.length) {
        enter(frame.container.element(pool_, frame.next++));
        continue;
      }
      const uint64_t hash = frame.result();
      leave(frame, hash);
      frames_.pop_back();
      if (frames_.empty()) return hash;
      frames_.back().add(hash);
    }
  }

 private:
  void enter(const Term& element) {
    frames_.back().holds_others |= element.is_container();
    if (const auto hash = known(element)) {
      frames_.back().add(*hash);
      return;
    }
    const bool fresh = nested_.try_emplace(element.identity()).second;
    if (!fresh) throw_cyclic(element);
    frames_.emplace_back(element);
  }

  void leave(const Frame& frame, uint64_t hash) {
    const Term& container = frame.container;
    if (container.node == nullptr) {
      nested_[container.identity()] = hash;
      if (frame.holds_others) caches(pool_).hashes.learn_hash(pool_, container.offset, hash);
      return;
    }
    if (container.kind == Term::Kind::frozenset) order_items(*container.node);
    container.node->hash = hash;
    container.node->hashed = true;
  }

  std::optional<uint64_t> known(const Term& term) const {
    if (!term.is_container()) return hash_leaf(term);
    if (term.node != nullptr) {
      if (term.node->hashed) return term.node->hash;
      return std::nullopt;
    }
    if (const auto found = nested_.find(term.identity()); found != nested_.end())
      return found->second;
    const HashCache::Known cached = caches(pool_).hashes.find(pool_, term.offset);
    return cached.has_hash ? std::optional(cached.hash) : std::nullopt;
  }

  // Puts a frozenset's items, which are hashed, into canonical order.
  void order_items(Node& node) const {
    struct Item {
      uint64_t hash;
      Term term;
      Value value;
    };
    std::vector<Item> items;
    items.reserve(node.items.size());
    for (const Value& value : node.items) {
      const Term term = Term::of(pool_, value);
      items.push_back({hash_again(term), term, value});
    }
    std::sort(items.begin(), items.end(), [this](const Item& a, const Item& b) {
      return a.hash != b.hash ? a.hash < b.hash : compare(pool_, a.term, b.term) < 0;
    });
    for (size_t i = 0; i < items.size(); ++i) node.items[i] = items[i].value;
  }

  uint64_t hash_again(const Term& term) const {
    const auto hash = known(term);
    if (!hash) throw Error(ErrorKind::internal, "an element of a frozenset was not hashed");
    return *hash;
  }

  const Pool& pool_;
  std::vector<Frame> frames_;
  // Stored containers inside others, and nodes that are being hashed: without a value.
  std::unordered_map<uint64_t, std::optional<uint64_t>> nested_;
};

}  // namespace

uint64_t hash_of(const Pool& pool, const Term& term) {
  if (!term.is_container()) return hash_leaf(term);
  return Hashing(pool).run(term);
}

uint64_t hash_of_str(const Text& text) {
  return XXH3_64bits(text.data, text.bytes()) ^ kPrime5 * text.width;
}

uint64_t hash_of_bytes(const Text& text) {
  return XXH3_64bits(text.data, text.bytes()) ^ kBytesMark;
}

uint32_t folded(const Pool& pool, uint64_t hash) {
  const uint64_t mixed = scramble(hash ^ pool.hash_key());
  const auto low = static_cast<uint32_t>(mixed ^ mixed >> 32);
  return low != 0 ? low : 1;
}

}  // namespace nvm::object
