// With every flush and fence of ours left out in turn, a power cut is noticed: either by a scenario
// here, or there is an argument why that one is superfluous.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "crash/workload.h"

namespace nvm::crash {
namespace {

Step small_list() {
  return assign_root([](Values& v) { return v.list({integer(1), text(kLong), integer(3)}); });
}
Step dict_of(int entries) {
  return assign_root([entries](Values& v) {
    std::vector<Value> items;
    for (int i = 0; i < entries; ++i) {
      items.push_back(text("key " + std::to_string(i)));
      items.push_back(integer(i));
    }
    return v.dict(std::move(items));
  });
}
Step instance() {
  return [](Pool& pool) {
    heap::mutate(pool, [&](Operation& op) {
      const Offset record = object::record::create(op, object::class_table::ensure(op, "m:C"));
      object::replace(op, &op.pool().root().root, Value::object_at(record));
    });
  };
}
Step attribute(const std::string& name, Value value) {
  return on_root(
      [=](Operation& op, Offset record) { object::record::set(op, record, name, value); });
}

// Short runs that pass, between them, every flush and fence of ours.
std::vector<Scenario> scenarios() {
  std::vector<Step> grow;
  for (int i = 0; i < 34; ++i) grow.push_back(put(text("new " + std::to_string(i)), integer(i)));
  std::vector<Step> batch;
  for (int i = 0; i < 40; ++i) batch.push_back(append(text(kLong)));
  const auto leave_open = [](Pool& pool) {
    pool.begin();
    insert_at(1, text(kOther))(pool);
    set_at(0, integer(5))(pool);
  };
  return {
      {"list",
       {small_list()},
       {append(integer(4)), pop(), append(integer(5)), set_at(0, text(kLong)),
        insert_at(1, integer(6)), append(text(kOther)), append(integer(7))}},
      {"list, bulk",
       {small_list()},
       {on_root([](Operation& op, Offset list) { object::list::repeat(op, list, 4); }),
        on_root([](Operation& op, Offset list) { object::list::reverse(op, list); }),
        on_root([](Operation& op, Offset list) { object::list::erase_strided(op, list, 0, 2, 4); }),
        on_root([](Operation& op, Offset list) { object::list::clear(op, list); })}},
      {"nested",
       {small_list()},
       {assign_root([](Values& v) {
          return v.list({v.dict({text("k"), v.tuple({integer(1), text(kLong)})})});
        }),
        assign_root([](Values&) { return integer(1); })}},
      {"small dict",
       {dict_of(1)},
       {put(text("a"), integer(1)), put(text("a"), integer(2)), erase(text("a")),
        put(text(kLong), text(kOther)), aborted({put(text("b"), integer(3))}),
        put(text("c"), integer(4)), put(text("d"), integer(5))}},
      {"large dict",
       {dict_of(20)},
       {put(text("a"), integer(1)), erase(text("a")), aborted({put(text("b"), integer(3))}),
        put(text("c"), integer(4)), erase(text("key 3"))}},
      {"growing dict", {dict_of(0)}, grow},
      {"record",
       {instance(), attribute("a", integer(1))},
       {attribute("b", integer(2)), attribute("c", text(kLong)), attribute("d", integer(3)),
        attribute("e", integer(4)), attribute("f", integer(5)), attribute("g", integer(6)),
        attribute("h", integer(7))}},
      {"classes", {}, {instance()}},
      {"transaction",
       {small_list()},
       {transaction({insert_at(1, integer(8)), append(integer(9)), set_at(0, integer(4))}),
        aborted({insert_at(0, integer(8)), set_at(2, integer(9))}), append(integer(1)),
        transaction({set_at(0, integer(2)), set_at(1, integer(3))})}},
      {"large transaction",
       {small_list()},
       {transaction(batch), aborted(batch), append(integer(1))}},
      [&] {
        Scenario recovery{
            "recovery", {small_list()}, {append(integer(1)), insert_at(0, integer(2))}};
        recovery.interrupted = leave_open;
        return recovery;
      }(),
  };
}

Options quick() {
  Options options;
  options.stop_at_failure = true;
  options.effort.exhaustive = 64;
  options.effort.samples = 8;
  options.effort.singles = 32;
  return options;
}

// Those that may be left out, and why no cut can tell.
struct Superfluous {
  std::string function;
  SiteSeen::Kind kind;
  std::string why;
};
const std::vector<Superfluous>& superfluous() {
  static const std::vector<Superfluous> list = {};
  return list;
}

bool argued(const SiteSeen& site) {
  return std::any_of(superfluous().begin(), superfluous().end(), [&](const Superfluous& known) {
    return known.kind == site.kind && site.function.find(known.function) != std::string::npos;
  });
}

// Takes minutes: not in the slice of cuts that is always judged.
bool wanted() {
  const char* const effort = std::getenv("NVM_CRASH_EFFORT");
  return effort != nullptr && std::string(effort) != "slice";
}

TEST(Mutants, EveryFlushAndFenceLeftOutIsNoticed) {
  if (!wanted()) GTEST_SKIP() << "set NVM_CRASH_EFFORT=wide to run it";
  struct Pending {
    SiteSeen site;
    bool noticed = false;
  };
  std::vector<Pending> mutants;
  const std::vector<Scenario> all = scenarios();
  uint64_t states = 0;
  for (const Scenario& scenario : all) {
    Options options = quick();
    options.cut_opening = static_cast<bool>(scenario.interrupted);
    const Verdict whole = run(scenario, options);
    ASSERT_TRUE(whole.failures.empty()) << scenario.name << ": " << whole.failures.front();
    for (const SiteSeen& site : whole.sites) {
      auto known = std::find_if(mutants.begin(), mutants.end(),
                                [&](const Pending& m) { return m.site.same_place(site); });
      if (known == mutants.end()) known = mutants.insert(mutants.end(), {site});
      if (known->noticed || argued(site)) continue;
      options.leave_out = &site;
      const Verdict verdict = run(scenario, options);
      states += verdict.summary.states;
      known->noticed = !verdict.failures.empty();
      std::cout << "[   MUTANT ] " << scenario.name << ", without " << to_string(site) << ": "
                << (known->noticed ? "noticed" : "not noticed") << std::endl;
    }
  }
  size_t noticed = 0;
  for (const Pending& mutant : mutants) {
    noticed += mutant.noticed ? 1 : 0;
    EXPECT_TRUE(mutant.noticed || argued(mutant.site))
        << "left out without notice: " << to_string(mutant.site);
  }
  std::cout << "[  MUTANTS ] " << noticed << " of " << mutants.size() << " noticed, in " << states
            << " states\n";
}

}  // namespace
}  // namespace nvm::crash
