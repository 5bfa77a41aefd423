#include "collect/check.h"

#include <unordered_set>

#include "collect/census.h"
#include "collect/paths.h"
#include "collect/value_cycles.h"
#include "heap/access.h"
#include "heap/layout/heap_survey.h"
#include "heap/layout/pool_header.h"
#include "object/raw/raw.h"
#include "object/trace.h"
#include "object/value/blob.h"

namespace nvm::collect {

namespace {

using heap::Offset;
using heap::Pool;
using object::Cell;
using object::Flaw;
using object::Slot;
namespace blob = object::blob;

class Checker : public object::Tracer, public heap::HeapVisitor {
 public:
  Checker(Pool& pool, const object::HeldBy& held, const Progress& progress)
      : pool_(pool), held_(held), pace_(progress) {}

  CheckReport run() {
    take_census();
    pace_.begin(census_.entries().size());
    report_.blocks = census_.entries().size();
    roots();
    follow();
    mark_cycles();
    find_endless_values();
    judge();
    name_places();
    pace_.end();
    return std::move(report_);
  }

  // ---- HeapVisitor
  void block(const heap::Block& block) override {
    pace_.poll();
    if (block.internal) return;
    const BlockClass kind = class_of_block(pool_, block);
    census_.add(block, kind);
    if (kind == BlockClass::unknown)
      damage(block.offset, "a block of the unknown type " + std::to_string(block.type));
  }
  void damage(Offset at, const std::string& what) override {
    report(Finding::Kind::damage, at, what, {0, {}});
  }
  void footer(Offset begin, const heap::WrongFooter& wrong) override {
    if (!pool_.writable()) return;
    report(Finding::Kind::damage, begin, "whole chunks whose footer does not say how many", {0, {}},
           mend(Mend::Kind::footer, wrong.at, wrong.right));
  }

  // ---- Tracer
  bool block(Offset offset, uint64_t bytes) override { return own(offset, bytes, {}); }
  bool extent(uint64_t bytes) override {
    const Entry* const entry = census_.find(current_);
    if (entry != nullptr && bytes <= Census::usable(pool_, *entry)) return true;
    damage("is longer than its block", Slot{});
    return false;
  }
  void cell(Cell cell, Slot slot) override {
    pace_.poll();
    switch (cell.kind()) {
      case Cell::Kind::blank:
        return damage("a place that is blank", slot);
      case Cell::Kind::invalid:
        return damage("a cell that is no value", slot);
      case Cell::Kind::str:
      case Cell::Kind::bytes:
        if (!cell.short_is_sound()) damage("a short text that is none", slot);
        return;
      case Cell::Kind::blob:
        return value(cell.offset(), slot);
      case Cell::Kind::object:
        return refer(cell.offset(), slot);
      case Cell::Kind::constant:
      case Cell::Kind::integer:
      case Cell::Kind::real:
        return;
    }
  }
  void damage(const std::string& what, Slot slot, Flaw flaw = Flaw::other) override {
    report(Finding::Kind::damage, current_, what, {current_, slot}, mend_of(flaw));
  }
  const object::Held* held(Offset head) override {
    const auto found = held_.find(head);
    if (found != held_.end()) return &found->second;
    report_.untold.push_back(head);
    hidden_ = true;
    return nullptr;
  }

 private:
  // Where a finding is, for its path: in an object, or object 0: nowhere.
  struct Place {
    Offset object;
    Slot slot;
  };

  void report(Finding::Kind kind, Offset offset, const std::string& what, Place place,
              size_t mend = Finding::kNoMend) {
    if (kind == Finding::Kind::damage && hides_references(mend)) report_.whole = false;
    if (report_.findings.size() >= CheckReport::kMostFindings) return;
    const bool named = place.object == 0 && !context_.empty();
    report_.findings.push_back(
        {kind, offset, named ? context_ + ": " + what : what, {}, {}, {}, mend});
    places_.push_back(place);
  }

  // A mend's number. Findings of one object that share one follow one another.
  size_t mend(Mend::Kind kind, Offset place, uint64_t value = 0) {
    std::vector<Mend>& mends = report_.mends;
    if (mends.empty() || mends.back().kind != kind || mends.back().place != place)
      mends.push_back({kind, place, value});
    return mends.size() - 1;
  }
  size_t mend_of(Flaw flaw) {
    switch (flaw) {
      case Flaw::index:
        return mend(Mend::Kind::index, current_);
      case Flaw::length:
        return mend(Mend::Kind::length, current_);
      case Flaw::other:
        break;
    }
    return Finding::kNoMend;
  }
  // A place that is blank and counted may have held a reference.
  bool hides_references(size_t mend) const {
    if (mend == Finding::kNoMend) return true;
    const Mend::Kind kind = report_.mends[mend].kind;
    return kind != Mend::Kind::footer && kind != Mend::Kind::index;
  }

  // `context` names what is looked at where that is no object.
  template <class Step>
  void guarded(const char* context, Step step) {
    context_ = context;
    try {
      step();
    } catch (const Error& error) {
      damage(error.what(), Slot{});
    }
    context_.clear();
  }

  void take_census() {
    const heap::PoolFile& file = pool_.file();
    guarded("the header", [&] { heap::check_pool_header(file.base(), file.size(), file.path()); });
    heap::survey(file.base(), file.size(), *this);
    census_.seal(file.size());
  }

  // ---- What is owned and referred to

  bool own(Offset offset, uint64_t bytes, Slot slot) {
    Entry* const entry = census_.find(offset);
    const auto refuse = [&](const std::string& what) {
      report(Finding::Kind::damage, offset, what, {current_, slot});
      return false;
    };
    if (entry == nullptr) return refuse("owns what is no allocated block");
    if (entry->kind() != BlockClass::plain && entry->kind() != BlockClass::memory)
      return refuse("owns what is no plain block");
    if (entry->reached()) return refuse("owns a block that belongs to another owner too");
    entry->set_reached();
    if (entry->usable() < bytes) return refuse("owns a block that is too short");
    return true;
  }

  void value(Offset offset, Slot slot) {
    if (!own(offset, 0, slot)) return;
    try {
      const blob::View view = blob::view(pool_, offset);
      if (blob::size_of(view) > census_.find(offset)->usable())
        return damage("a large value that is longer than its block", slot);
      if (const char* const flaw = blob::flaw_of(pool_, offset)) damage(flaw, slot);
    } catch (const Error& error) {
      damage(error.what(), slot);
    }
  }

  void refer(Offset offset, Slot slot) {
    Entry* const entry = census_.find(offset);
    if (entry == nullptr || !entry->object())
      return report(Finding::Kind::damage, offset, "refers to what is no object", {current_, slot});
    entry->add_reference();
    if (in_value_ && is_value(pool_.type_number(offset))) values_.add(current_, offset);
    reach(*entry);
  }
  void reach(Entry& entry) {
    if (entry.reached()) return;
    entry.set_reached();
    ++report_.objects;
    open_.push_back(entry.offset());
  }

  // ---- Roots

  void roots() {
    const heap::RootObject& root = pool_.root();
    guarded("pool.root", [&] { cell(Cell(root.root), {}); });
    guarded("the pool's own dict", [&] {
      const Cell dict(root.root_dict);
      if (dict.kind() != Cell::Kind::object) throw_corrupt("no reference");
      pool_.object<heap::Counted>(dict.offset(), heap::Type::dict);
      cell(dict, {});
    });
    guarded("the class table", [&] { object::trace_classes(pool_, *this); });
    guarded("the undo log", [&] {
      for (const Offset offset : pool_.log().blocks()) block(offset, 0);
      if (!pool_.log().idle()) throw_corrupt("a transaction is neither open nor over");
    });
    guarded("the limbo list", [&] { limbo(); });
    for (const Offset held : pool_.handles().all())
      if (Entry* const entry = census_.find(held); entry != nullptr && entry->object())
        reach(*entry);
  }

  // The list as it lies there; that it has an end is seen by its blocks' having one owner.
  void limbo() {
    constexpr uint64_t slots = heap::Limbo::kSegmentSlots;
    constexpr uint64_t bytes = sizeof(heap::LimboSegment) + slots * sizeof(Offset);
    for (Offset at = pool_.root().limbo; at != 0 && block(at, bytes);) {
      const auto* const segment = pool_.at<heap::LimboSegment>(at, bytes);
      if (segment->capacity != slots) throw_corrupt("a segment of another size");
      for (uint64_t i = 0; i < slots; ++i)
        if (segment->slots[i] != 0) waiting(segment->slots[i], pool_.offset_of(segment->slots + i));
      at = segment->next;
    }
  }
  void waiting(Offset object, Offset slot) {
    Entry* const entry = census_.find(object);
    if (entry == nullptr || !entry->object())
      return report(Finding::Kind::limbo, object, "what is on limbo is no object", {0, {}},
                    mend(Mend::Kind::lost_slot, slot));
    if (!waiting_.insert(object).second)
      return report(Finding::Kind::limbo, object, "is on limbo twice", {object, {}},
                    mend(Mend::Kind::second_slot, slot));
    reach(*entry);
  }

  // ---- Objects

  void follow() {
    while (!open_.empty()) {
      current_ = open_.back();
      open_.pop_back();
      in_value_ = is_value(pool_.type_number(current_));
      try {
        object::trace(pool_, current_, *this);
      } catch (const Error& error) {
        damage(std::string("cannot be read: ") + error.what(), Slot{});
      }
      pace_.advance(1);
    }
    current_ = 0;
    in_value_ = false;
  }

  void find_endless_values() {
    for (const Offset object : values_.find())
      report(Finding::Kind::damage, object, "a value that holds itself", {object, {}});
  }

  uint64_t count_of(const Entry& entry) const {
    return heap::count_of(pool_.at<heap::Counted>(entry.offset())->word);
  }

  // Objects that nothing has reached but that have a count: a cycle without a root.
  void mark_cycles() {
    for (Entry& entry : census_.entries()) {
      if (entry.reached() || !entry.object() || count_of(entry) == 0) continue;
      const uint64_t before = report_.objects;
      reach(entry);
      follow();
      report_.cyclic_garbage += report_.objects - before;
      report_.objects = before;
    }
  }

  // ---- The verdict

  // What is in it only its user knows; how much, it says itself.
  void judge_memory(const Entry& entry) {
    const uint64_t size = pool_.at<object::raw::Raw>(entry.offset())->size;
    const uint64_t room = entry.usable();
    if (size <= room && room - size >= sizeof(object::raw::Raw)) return;
    report(Finding::Kind::damage, entry.offset(),
           "memory that says it has " + std::to_string(size) + " bytes, in a block of " +
               std::to_string(room),
           {0, {}});
  }

  void judge() {
    for (const Entry& entry : census_.entries())
      hidden_ = hidden_ || (entry.kind() == BlockClass::memory && !entry.reached());
    report_.whole = report_.whole && !hidden_;
    report_.hidden = hidden_;
    for (const Entry& entry : census_.entries()) {
      pace_.poll();
      if (entry.kind() == BlockClass::memory) judge_memory(entry);
      if (entry.object()) {
        judge_object(entry);
      } else if (entry.reached()) {
        continue;
      } else if (entry.kind() == BlockClass::memory) {
        ++report_.memory;
      } else {
        ++report_.leaks;
        report_.leaked_bytes += entry.usable();
        if (entry.kind() == BlockClass::plain)
          report(Finding::Kind::leak, entry.offset(),
                 "a block of " + std::to_string(entry.usable()) + " bytes that nothing owns",
                 {0, {}}, mend(Mend::Kind::leak, entry.offset()));
      }
    }
  }

  void judge_object(const Entry& entry) {
    const uint64_t count = count_of(entry);
    const bool on_limbo = waiting_.count(entry.offset()) != 0;
    const auto tell = [&](Finding::Kind kind, Mend::Kind how, const std::string& what) {
      report(kind, entry.offset(), what, {entry.offset(), {}},
             mend(how, entry.offset(), entry.references()));
    };
    if (count > entry.references() && hidden_) return;
    if (count != entry.references()) {
      tell(Finding::Kind::count, count < entry.references() ? Mend::Kind::raise : Mend::Kind::lower,
           "the reference count is " + std::to_string(count) + ", found " +
               std::to_string(entry.references()));
    } else if (count == 0 && !on_limbo) {
      ++report_.leaks;
      report_.leaked_bytes += Census::usable(pool_, entry);
      // A Python object may hold it.
      tell(Finding::Kind::leak, entry.reached() ? Mend::Kind::lower : Mend::Kind::leak,
           "an object without references that is not on limbo");
    } else if (count != 0 && on_limbo) {
      tell(Finding::Kind::limbo, Mend::Kind::raise, "an object with references that is on limbo");
    }
  }

  void name_places() {
    if (report_.findings.empty()) return;
    Paths paths(pool_, census_, pace_);
    for (size_t i = 0; i < report_.findings.size(); ++i) {
      Finding& finding = report_.findings[i];
      finding.path = paths.of(places_[i].object, places_[i].slot);
      finding.what =
          (finding.path.empty() ? "" : finding.path + ": ") + finding.what +
          (finding.offset == 0 ? "" : " (at offset " + std::to_string(finding.offset) + ")");
    }
  }

  Pool& pool_;
  const object::HeldBy& held_;
  Pace pace_;
  Census census_;
  CheckReport report_;
  bool hidden_ = false;        // references may lie where nobody can see them
  std::vector<Place> places_;  // of the findings
  std::vector<Offset> open_;   // reached, still to be looked at
  std::unordered_set<Offset> waiting_;
  std::string context_;
  Offset current_ = 0;     // the object that is being looked at; 0: none
  bool in_value_ = false;  // it is a value
  ValueCycles values_;
};

}  // namespace

CheckReport check(Pool& pool, const object::HeldBy& held, const Progress& progress) {
  return heap::whole(pool, [&] { return Checker(pool, held, progress).run(); });
}

}  // namespace nvm::collect
