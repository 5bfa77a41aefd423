#include "object/key/compare.h"

#include <cstring>
#include <unordered_set>
#include <vector>

namespace nvm::object {

namespace {

using heap::Pool;

int order_of(uint64_t a, uint64_t b) { return a < b ? -1 : a > b ? 1 : 0; }

int compare_texts(const Text& a, const Text& b) {
  if (a.width != b.width) return order_of(a.width, b.width);
  if (a.length != b.length) return order_of(a.length, b.length);
  return a.bytes() == 0 ? 0 : std::memcmp(a.data, b.data, a.bytes());
}

// REQUIRES: of one kind, no containers.
int compare_leaves(const Term& a, const Term& b) {
  switch (a.kind) {
    case Term::Kind::constant:
      return order_of(a.bits, b.bits);
    case Term::Kind::number:
      return compare(a.number, b.number);
    case Term::Kind::str:
    case Term::Kind::bytes:
      return compare_texts(a.text(), b.text());
    default:
      return order_of(a.identity(), b.identity());
  }
}

bool same_object(const Term& a, const Term& b) { return a.node == b.node && a.offset == b.offset; }

// Two containers whose elements are being compared in turn.
struct Pair {
  Term a;
  Term b;
  uint64_t next = 0;
};

struct PairHash {
  size_t operator()(const std::pair<uint64_t, uint64_t>& names) const {
    return names.first * 31 + names.second;
  }
};

class Comparison {
 public:
  explicit Comparison(const Pool& pool) : pool_(pool) {}

  int run(const Term& a, const Term& b) {
    int order = meet(a, b);
    while (order == 0 && !pairs_.empty()) {
      Pair& pair = pairs_.back();
      if (pair.next == pair.a.length) {
        pairs_.pop_back();
        continue;
      }
      const uint64_t index = pair.next++;
      order = meet(pair.a.element(pool_, index), pair.b.element(pool_, index));
    }
    return order;
  }

 private:
  // Compares what can be at once; leaves containers that may be equal for later.
  int meet(const Term& a, const Term& b) {
    if (a.kind != b.kind)
      return order_of(static_cast<uint64_t>(a.kind), static_cast<uint64_t>(b.kind));
    if (!a.is_container()) return compare_leaves(a, b);
    if (a.length != b.length) return order_of(a.length, b.length);
    if (!same_object(a, b) && !met_before(a, b)) pairs_.push_back({a, b});
    return 0;
  }

  // A pair that was met before has shown no difference, or will: this makes values with shared
  // parts (and damaged ones with cycles) as quick as others.
  bool met_before(const Term& a, const Term& b) {
    if (pairs_.empty()) return false;
    return !met_.insert({a.identity(), b.identity()}).second;
  }

  const Pool& pool_;
  std::vector<Pair> pairs_;
  std::unordered_set<std::pair<uint64_t, uint64_t>, PairHash> met_;
};

}  // namespace

int compare(const Pool& pool, const Term& a, const Term& b) {
  if (a.kind == b.kind && !a.is_container()) return compare_leaves(a, b);
  return Comparison(pool).run(a, b);
}

}  // namespace nvm::object
