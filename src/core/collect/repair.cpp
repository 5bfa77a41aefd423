#include "collect/repair.h"

#include <algorithm>
#include <mutex>
#include <numeric>

#include "heap/access.h"

namespace nvm::collect {

namespace {

using heap::Offset;
using heap::Operation;
using heap::Pool;

bool frees(const Mend& mend) {
  return mend.kind == Mend::Kind::lost_slot || mend.kind == Mend::Kind::lower ||
         mend.kind == Mend::Kind::leak;
}

class Repair {
 public:
  Repair(Pool& pool, CheckReport& report, const Progress& progress)
      : pool_(pool), report_(report), pace_(progress), kept_(report.mends.size()) {}

  void run() {
    if (report_.mends.empty()) return tell();
    pace_.begin(report_.mends.size());
    read_limbo();
    for (const size_t number : in_order()) {
      const Mend& mend = report_.mends[number];
      kept_[number] = report_.whole || !frees(mend) ? try_to(mend) : why_not_free();
      pace_.advance(1);
    }
    pool_.collect_garbage([this] { pace_.poll(); });
    tell();
    pace_.end();
  }

 private:
  // As it lies there: check() has read it so.
  void read_limbo() try {
    const std::lock_guard latch(pool_.latch());
    pool_.limbo().rescan();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::corrupt) throw;  // a finding says so
  }

  std::vector<size_t> in_order() const {
    std::vector<size_t> order(report_.mends.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [this](size_t a, size_t b) {
      return report_.mends[a].kind < report_.mends[b].kind;
    });
    return order;
  }

  // Why it could not be done; empty: it has been.
  std::string try_to(const Mend& mend) try {
    heap::mutate_owned(pool_, [&](Operation& op) { carry_out(op, mend); });
    return {};
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::full) return std::string("there is no room: ") + error.what();
    if (error.kind() == ErrorKind::corrupt) return error.what();
    throw;
  }

  std::string why_not_free() const {
    return report_.hidden ? "what a class whose code is not here keeps may refer to it"
                          : "what is damaged may have referred to it";
  }

  static std::string why_unknown(const Finding& finding) {
    return finding.offset == 0 && finding.path.empty()
               ? "what should be there is not known"
               : "what was there is not known, and to take it away could lose more";
  }

  void carry_out(Operation& op, const Mend& mend) const {
    switch (mend.kind) {
      case Mend::Kind::footer:
        return op.set(op.at<uint64_t>(mend.place), mend.value);
      case Mend::Kind::index:
        return object::mend(op, mend.place, object::Flaw::index);
      case Mend::Kind::length:
        return object::mend(op, mend.place, object::Flaw::length);
      case Mend::Kind::raise:
      case Mend::Kind::lower:
        return op.recount(mend.place, mend.value);
      case Mend::Kind::second_slot:
      case Mend::Kind::lost_slot:
        return op.clear_limbo_slot(mend.place);
      case Mend::Kind::leak:
        if (pool_.handles().is_pinned(mend.place)) throw_corrupt("the program holds it");
        return op.free(mend.place);
    }
  }

  static std::string words(const Mend& mend) {
    switch (mend.kind) {
      case Mend::Kind::footer:
        return "the footer has been written anew";
      case Mend::Kind::index:
        return "the index has been built anew from the entries";
      case Mend::Kind::length:
        return "the number has been counted anew";
      case Mend::Kind::raise:
        return "the reference count is " + std::to_string(mend.value);
      case Mend::Kind::lower:
        return mend.value != 0 ? "the reference count is " + std::to_string(mend.value)
                               : "the reference count is 0, and the object is let go";
      case Mend::Kind::second_slot:
      case Mend::Kind::lost_slot:
        return "it is off limbo";
      case Mend::Kind::leak:
        return "freed";
    }
    return {};
  }

  void tell() {
    for (Finding& finding : report_.findings) {
      finding.kept = finding.mend == Finding::kNoMend ? why_unknown(finding) : kept_[finding.mend];
      if (finding.kept.empty()) finding.repaired = words(report_.mends[finding.mend]);
    }
  }

  Pool& pool_;
  CheckReport& report_;
  Pace pace_;
  std::vector<std::string> kept_;  // of each mend: why it was not done
};

}  // namespace

void repair(Pool& pool, CheckReport& report, const Progress& progress) {
  Repair(pool, report, progress).run();
}

}  // namespace nvm::collect
