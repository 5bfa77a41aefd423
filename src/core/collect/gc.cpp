#include "collect/gc.h"

#include <array>
#include <optional>
#include <unordered_map>

#include "collect/census.h"
#include "heap/access.h"
#include "object/store.h"
#include "object/trace.h"
#include "object/value/blob.h"

namespace nvm::collect {

namespace {

using heap::Offset;
using heap::Pool;
using object::Cell;
using object::Slot;
using object::blob::BlobType;

const char* value_name(BlobType type) {
  switch (type) {
    case BlobType::str:
      return "str";
    case BlobType::bytes:
      return "bytes";
    case BlobType::integer:
      return "int";
    case BlobType::real:
      return "float";
    case BlobType::complex:
      return "complex";
  }
  return "unknown";
}

// How many objects and values of each kind there are.
class Tally {
 public:
  void count_object(Pool& pool, Offset offset) {
    ++objects_[type_key(pool, offset)];
    ++objects;
    ++(pool.type_number(offset) == static_cast<uint64_t>(heap::Type::bytearray) ? others
                                                                                : containers);
  }
  void count_value(BlobType type) {
    ++values_[static_cast<size_t>(type) % values_.size()];
    ++others;
  }
  std::map<std::string, uint64_t> by_name(Pool& pool) const {
    std::map<std::string, uint64_t> names;
    for (const auto& [key, count] : objects_) names[type_name(pool, key)] += count;
    for (size_t type = 0; type < values_.size(); ++type)
      if (values_[type] != 0) names[value_name(static_cast<BlobType>(type))] = values_[type];
    return names;
  }

  uint64_t objects = 0;
  uint64_t containers = 0;
  uint64_t others = 0;

 private:
  std::unordered_map<uint64_t, uint64_t> objects_;  // by type and class
  std::array<uint64_t, 8> values_{};                // by BlobType
};

class Collector : public object::Tracer {
 public:
  Collector(Pool& pool, const object::HeldBy& held, const Progress& progress, bool list_garbage)
      : pool_(pool), held_(held), pace_(progress), list_garbage_(list_garbage) {}

  GcReport run() {
    pool_.collect_garbage([this] { pace_.poll(); });
    take_census();
    if (!report_.untold.empty()) return std::move(report_);
    pace_.begin(census_.entries().size());
    mark();
    examine_garbage();
    pool_.check_whole();
    repair();
    sweep();
    note_heads();
    pace_.end();
    report_.types = live_.by_name(pool_);
    report_.containers_total = live_.containers + garbage_.containers;
    report_.containers_live = live_.containers;
    report_.other_total = live_.others + garbage_.others;
    report_.other_live = live_.others;
    return std::move(report_);
  }

  // ---- Tracer
  bool block(Offset, uint64_t) override { return true; }
  void cell(Cell cell, Slot) override {
    pace_.poll();
    switch (cell.kind()) {
      case Cell::Kind::object:
        return refer(cell.offset());
      case Cell::Kind::blob:
        return tally_->count_value(object::blob::view(pool_, cell.offset()).type);
      case Cell::Kind::blank:
      case Cell::Kind::invalid:
        refuse("holds a cell that is no value");
      default:
        return;
    }
  }
  void damage(const std::string& what, Slot, object::Flaw) override { refuse(what); }
  const object::Held* held(Offset head) override {
    const auto found = held_.find(head);
    if (found == held_.end()) refuse("is of a class whose code nobody has asked");
    return &found->second;
  }
  bool examines() const override { return false; }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    throw_corrupt(
        "nothing is collected in a damaged pool, check() tells more: the object at offset " +
        std::to_string(current_) + " " + what);
  }

  void take_census() {
    heap::HeapWalk walk(pool_.file().base(), pool_.file().size());
    heap::Block block;
    while (walk.next(block)) {
      pace_.poll();
      if (block.internal) continue;
      current_ = block.offset;
      const BlockClass kind = class_of_block(pool_, block);
      // It may refer to anything.
      if (kind == BlockClass::unknown) refuse("is of an unknown type");
      if (kind == BlockClass::object) census_.add(block, kind);
      if (kind == BlockClass::object && heap::is_raw(block.type) && held_.count(block.offset) == 0)
        report_.untold.push_back(block.offset);
    }
    census_.seal(pool_.file().size());
  }

  // ---- Mark

  void refer(Offset offset) {
    Entry* const entry = census_.find(offset);
    if (entry == nullptr) refuse("refers to " + std::to_string(offset) + ", where no object is");
    entry->add_reference();
    if (tally_ == &live_) reach(*entry);
  }
  void reach(Entry& entry) {
    if (entry.reached()) return;
    entry.set_reached();
    open_.push_back(entry.offset());
  }
  void reach_root(Offset offset) {
    Entry* const entry = census_.find(offset);
    if (entry == nullptr) refuse("is in use, and is no object");
    reach(*entry);
  }

  void mark() {
    tally_ = &live_;
    cell(Cell(pool_.root().root), {});
    cell(Cell(pool_.root().root_dict), {});
    for (const Offset object : pool_.limbo().objects()) reach_root(current_ = object);
    for (const Offset object : pool_.handles().all()) reach_root(current_ = object);
    while (!open_.empty()) {
      current_ = open_.back();
      open_.pop_back();
      live_.count_object(pool_, current_);
      object::trace(pool_, current_, *this);
      pace_.advance(1);
    }
  }

  // ---- Garbage

  template <class Visit>
  void for_each_garbage(Visit visit) {
    if (garbage_count_ == 0) return;
    for (Entry& entry : census_.entries())
      if (!entry.reached()) visit(entry);
  }

  void examine_garbage() {
    tally_ = &garbage_;
    garbage_count_ = census_.entries().size() - live_.objects;
    for_each_garbage([this](const Entry& entry) {
      current_ = entry.offset();
      garbage_.count_object(pool_, current_);
      object::trace(pool_, current_, *this);
      if (list_garbage_ && report_.met.size() < GcReport::kMostMet)
        report_.met.push_back({current_, type_name(pool_, type_key(pool_, current_))});
    });
  }

  // The count of an object is changed by the sweep only where it is right.
  void repair() {
    for_each_garbage([this](const Entry& entry) {
      const uint64_t count = count_of(entry.offset());
      if (count == entry.references() && count != 0) {
        ++report_.collections;
        return;
      }
      ++(count == 0 && entry.references() == 0 ? report_.orphans_uncounted
                                               : report_.orphans_miscounted);
      heap::mutate_owned(
          pool_, [&](heap::Operation& op) { op.recount(entry.offset(), entry.references()); });
      pace_.poll();
    });
  }

  uint64_t count_of(Offset offset) const {
    return heap::count_of(pool_.at<heap::Counted>(offset)->word);
  }

  // A full pool may have room to clear one container and not another, and gets more by each.
  void sweep() {
    free_what_was_let_go();
    uint64_t left = garbage_count_;
    while (const std::optional<Error> full = clear_all()) {
      const uint64_t before = left;
      left = count_left();
      if (left >= before) throw Error(*full);
    }
  }

  // The last Error(full), if one has kept something from being cleared.
  std::optional<Error> clear_all() {
    std::optional<Error> full;
    for_each_garbage([&](const Entry& entry) {
      try {
        clear(entry.offset());
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::full) throw;
        full = error;
      }
      pace_.advance(1);
    });
    return full;
  }

  void clear(Offset offset) {
    for (bool done = false; !done && is_garbage_still(offset);) {
      done = heap::mutate_owned(
          pool_, [&](heap::Operation& op) { return object::clear_step(op, offset); });
      free_what_was_let_go();
    }
  }

  uint64_t count_left() {
    uint64_t left = 0;
    for_each_garbage([&](const Entry& entry) { left += is_garbage_still(entry.offset()) ? 1 : 0; });
    return left;
  }

  void note_heads() {
    for_each_garbage([this](const Entry& entry) {
      if (held_.count(entry.offset()) != 0 && is_garbage_still(entry.offset()))
        report_.heads.push_back(entry.offset());
    });
  }

  bool is_garbage_still(Offset offset) const {
    const heap::PoolFile& file = pool_.file();
    const auto block = heap::quick_block_at(file.base(), file.size(), offset);
    return block && heap::is_counted(block->type) && count_of(offset) != 0;
  }

  void free_what_was_let_go() {
    pool_.collect_garbage([this] { pace_.poll(); });
  }

  Pool& pool_;
  const object::HeldBy& held_;
  Pace pace_;
  const bool list_garbage_;
  Census census_;
  std::vector<Offset> open_;  // reached, still to be looked at
  Offset current_ = 0;
  Tally live_;
  Tally garbage_;
  Tally* tally_ = &live_;
  uint64_t garbage_count_ = 0;
  GcReport report_;
};

}  // namespace

GcReport gc(Pool& pool, const object::HeldBy& held, const Progress& progress, bool list_garbage) {
  return heap::whole(pool, [&] { return Collector(pool, held, progress, list_garbage).run(); });
}

}  // namespace nvm::collect
