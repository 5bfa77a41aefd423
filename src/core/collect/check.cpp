#include "collect/check.h"

#include "collect/census.h"
#include "object/trace.h"

namespace nvm::collect {

namespace {

using heap::Offset;
using heap::Pool;
using object::Cell;
using object::Slot;

constexpr size_t kMostFindings = 1000;

class Checker : public object::Tracer {
 public:
  Checker(Pool& pool, const Progress& progress) : pool_(pool), pace_(progress) {}

  CheckReport run() {
    take_census();
    pace_.begin(census_.entries().size());
    report_.blocks = census_.entries().size();
    roots();
    follow();
    mark_cycles();
    judge();
    pace_.end();
    return std::move(report_);
  }

  // ---- Tracer
  bool block(Offset offset, uint64_t bytes) override {
    Entry* const entry = census_.find(offset);
    if (entry == nullptr) return refuse(offset, "is no allocated block");
    if (entry->object()) return refuse(offset, "is an object where a plain block is expected");
    if (entry->reached()) return refuse(offset, "belongs to two owners");
    entry->set_reached();
    if (entry->usable() < bytes) return refuse(offset, "is too short");
    return true;
  }
  void cell(Cell cell, Slot) override {
    pace_.poll();
    if (cell.kind() == Cell::Kind::blob) {
      block(cell.offset(), 0);
    } else if (cell.kind() == Cell::Kind::object) {
      refer(cell.offset());
    } else if (cell.kind() == Cell::Kind::invalid) {
      report(Finding::Kind::damage, current_, "holds a cell that is no value");
    }
  }
  void damage(const std::string& what, Slot) override {
    report(Finding::Kind::damage, current_, what);
  }

 private:
  void take_census() {
    heap::HeapWalk walk(pool_.file().base(), pool_.file().size());
    heap::Block block;
    while (walk.next(block)) {
      pace_.poll();
      if (!block.internal) census_.add(block);
    }
    census_.seal(pool_.file().size());
  }
  bool refuse(Offset offset, const std::string& what) {
    report(Finding::Kind::damage, offset, what);
    return false;
  }
  void report(Finding::Kind kind, Offset offset, const std::string& what) {
    if (report_.findings.size() >= kMostFindings) return;
    report_.findings.push_back({kind, offset, "offset " + std::to_string(offset) + ": " + what});
  }

  void refer(Offset offset) {
    Entry* const entry = census_.find(offset);
    if (entry == nullptr || !entry->object())
      return report(Finding::Kind::damage, offset, "is referred to, and is no object");
    entry->add_reference();
    reach(*entry);
  }
  void reach(Entry& entry) {
    if (entry.reached()) return;
    entry.set_reached();
    ++report_.objects;
    open_.push_back(entry.offset());
  }

  template <class Step>
  void guarded(const char* what, Step step) {
    try {
      step();
    } catch (const Error& error) {
      report(Finding::Kind::damage, current_, std::string(what) + ": " + error.what());
    }
  }

  void roots() {
    heap::RootObject& root = pool_.root();
    cell(Cell(root.root), {});
    cell(Cell(root.root_dict), {});
    guarded("the class table", [&] { object::trace_classes(pool_, *this); });
    guarded("the undo log", [&] {
      for (const Offset offset : pool_.log().blocks()) block(offset, 0);
    });
    guarded("the limbo list", [&] { limbo(); });
    for (const Offset held : pool_.handles().all())
      if (Entry* const entry = census_.find(held); entry != nullptr && entry->object())
        reach(*entry);
  }

  void limbo() {
    for (const Offset segment : pool_.limbo().segments()) block(segment, 0);
    for (const Offset object : pool_.limbo().objects()) {
      Entry* const entry = census_.find(object);
      if (entry == nullptr || !entry->object()) {
        report(Finding::Kind::limbo, object, "is on limbo, and is no object");
        continue;
      }
      reach(*entry);
    }
  }

  void follow() {
    while (!open_.empty()) {
      current_ = open_.back();
      open_.pop_back();
      guarded("cannot be read", [&] { object::trace(pool_, current_, *this); });
      pace_.advance(1);
    }
  }

  // Objects that nothing has reached but that have a count: a cycle without a root.
  void mark_cycles() {
    for (Entry& entry : census_.entries()) {
      if (entry.reached() || !entry.object()) continue;
      if (heap::count_of(pool_.at<heap::Counted>(entry.offset())->word) == 0) continue;
      ++report_.cyclic_garbage;
      reach(entry);
      --report_.objects;
      follow();
    }
  }

  void judge() {
    for (const Entry& entry : census_.entries()) {
      if (entry.object()) {
        judge_object(entry);
      } else if (!entry.reached()) {
        report(Finding::Kind::leak, entry.offset(),
               "a block of " + std::to_string(entry.usable()) + " bytes that nothing owns");
      }
    }
  }

  void judge_object(const Entry& entry) {
    const uint64_t count = heap::count_of(pool_.at<heap::Counted>(entry.offset())->word);
    const bool on_limbo = pool_.limbo().contains(entry.offset());
    if (count != entry.references()) {
      report(Finding::Kind::count, entry.offset(),
             "its reference count is " + std::to_string(count) + ", found " +
                 std::to_string(entry.references()));
    } else if (count == 0 && !on_limbo) {
      report(Finding::Kind::leak, entry.offset(), "an object without references is not on limbo");
    } else if (count != 0 && on_limbo) {
      report(Finding::Kind::limbo, entry.offset(), "an object with references is on limbo");
    }
  }

  Pool& pool_;
  Pace pace_;
  Census census_;
  CheckReport report_;
  std::vector<Offset> open_;
  Offset current_ = 0;
};

}  // namespace

CheckReport check(Pool& pool, const Progress& progress) { return Checker(pool, progress).run(); }

}  // namespace nvm::collect
