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

std::vector<Step> many_puts(const std::string& name, int count) {
  std::vector<Step> puts;
  for (int i = 0; i < count; ++i)
    puts.push_back(put(text(name + " " + std::to_string(i)), integer(i)));
  return puts;
}
// Of several cache lines.
Value long_tuple(Values& v) {
  std::vector<Value> items(20, integer(1));
  items.push_back(text(kLong));
  return v.tuple(std::move(items));
}
Value old_dict(Values& v, int entries) {
  std::vector<Value> items;
  for (int i = 0; i < entries; ++i) {
    items.push_back(text("old " + std::to_string(i)));
    items.push_back(integer(i));
  }
  return v.dict(std::move(items));
}
Value old_tuple(Values& v) { return v.tuple(std::vector<Value>(8, integer(9))); }
// Blocks full of what looks like entries, cells and headers.
Step used_memory() {
  return assign_root([](Values& v) {
    std::vector<Value> items;
    for (int i = 0; i < 6; ++i) {
      items.push_back(old_tuple(v));
      items.push_back(old_dict(v, 3));
      items.push_back(old_dict(v, 7));
    }
    return v.list(std::move(items));
  });
}
// Frees them. One block of each size lies behind them, so that they are the first to be taken:
// libpmemobj takes what it needs from the smallest range of free units.
Step freed() {
  return assign_root([](Values& v) {
    return v.list({old_tuple(v), old_dict(v, 3), old_dict(v, 7)});
  });
}
Step freed_for_dict(int entries) {
  return assign_root([entries](Values& v) {
    std::vector<Value> items{text("kept"), old_dict(v, 3), text("kept too"), old_dict(v, 7)};
    for (int i = 2; i < entries; ++i) {
      items.push_back(text("key " + std::to_string(i)));
      items.push_back(integer(i));
    }
    return v.dict(std::move(items));
  });
}
Step empty_list() {
  return assign_root([](Values& v) { return v.list({}); });
}
// An instance of class `name` at the end of the list.
Step append_instance(const std::string& name) {
  return on_root([name](Operation& op, Offset list) {
    const Offset record = object::record::create(op, object::class_table::ensure(op, name));
    object::list::append(op, list, Value::object_at(record));
  });
}
std::vector<Step> some_classes(int from, int count) {
  std::vector<Step> steps;
  for (int i = from; i < from + count; ++i)
    steps.push_back(append_instance("m:C" + std::to_string(i)));
  return steps;
}
std::vector<Step> many_attributes(int from, int count) {
  std::vector<Step> steps;
  for (int i = from; i < from + count; ++i)
    steps.push_back(attribute("a" + std::to_string(i), integer(i)));
  return steps;
}
std::vector<Step> operator+(std::vector<Step> steps, const std::vector<Step>& more) {
  steps.insert(steps.end(), more.begin(), more.end());
  return steps;
}

// The process has died inside a transaction of `steps`: their recovery is cut too.
Scenario interrupted(Scenario scenario, std::vector<Step> steps) {
  scenario.interrupted = [steps = std::move(steps)](Pool& pool) {
    if (!steps.empty()) pool.begin();
    for (const Step& step : steps) step(pool);
  };
  return scenario;
}

// The opening is cut too.
Scenario opened(Scenario scenario) { return interrupted(std::move(scenario), {}); }
// Short runs that pass, between them, every flush and fence of ours.
std::vector<Scenario> scenarios() {
  std::vector<Step> batch;
  for (int i = 0; i < 38; ++i) batch.push_back(append(text(kLong)));
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
          return v.list({v.dict({text("k"), long_tuple(v)})});
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
      {"growing dict", {dict_of(14)}, many_puts("new", 4)},
      {"growing index", {dict_of(19)}, many_puts("new", 2)},
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
      {"large transaction", {small_list()}, {transaction(batch), append(integer(1))}},
      {"two threads",
       {small_list()},
       {in_another_thread(aborted({set_at(0, integer(5)), append(integer(6))})),
        set_at(0, integer(7)), append(integer(8))}},
      {"memory in use before",
       {used_memory(), freed()},
       {assign_root([](Values& v) {
          return v.dict({text("k"), integer(1)});
        }),
        put(text("l"), integer(2)), put(text("m"), integer(3)), put(text("n"), integer(4))}},
      {"growing dict in memory in use before",
       {used_memory(), freed_for_dict(14)},
       many_puts("new", 6)},
      {"records in memory in use before",
       std::vector<Step>{instance()} + many_attributes(0, 6) +
           std::vector<Step>{used_memory(), freed()},
       {append_instance("m:C"), append_instance("m:C"), append_instance("m:C")}},
      {"growing record", std::vector<Step>{instance()} + many_attributes(0, 13),
       many_attributes(13, 3)},
      {"growing class table", std::vector<Step>{empty_list()} + some_classes(0, 15),
       some_classes(15, 2)},
      opened({"opening", {small_list(), append(integer(4))}, {append(integer(5))}}),
      opened({"opening a dict",
              {dict_of(20)},
              {put(text("a"), integer(5)), put(text("b"), integer(6))}}),
      interrupted({"recovery", {small_list()}, {append(integer(1)), insert_at(0, integer(2))}},
                  {insert_at(1, text(kOther)), set_at(0, integer(5))}),
      interrupted({"recovery of batches", {small_list()}, {append(integer(1))}}, batch),
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
  const std::string same_line = "lies in the line of the count, which settle_counts() flushes";
  static const std::vector<Superfluous> list = {
      {"list::write_fresh", SiteSeen::Kind::flush, "a list's header " + same_line},
      {"dict::create", SiteSeen::Kind::flush, "a dict's header " + same_line},
      {"make_index", SiteSeen::Kind::flush,
       "a slot that is no zero counts only if it is right (the rule of slots)"},
      {"tuple::create", SiteSeen::Kind::flush, "a tuple's length " + same_line},
  };
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

struct Mutant {
  SiteSeen site;
  std::vector<size_t> scenarios;  // that pass it
};

Options options_for(const Scenario& scenario) {
  Options options = quick();
  options.cut_opening = static_cast<bool>(scenario.interrupted);
  return options;
}

// What the scenarios pass, all of them right as they are.
std::vector<Mutant> mutants_of(const std::vector<Scenario>& all) {
  std::vector<Mutant> mutants;
  for (size_t i = 0; i < all.size(); ++i) {
    const Verdict whole = run(all[i], options_for(all[i]));
    std::cout << "[   STATES ] " << all[i].name << ": " << whole.summary.states << std::endl;
    for (const std::string& failure : whole.failures)
      ADD_FAILURE() << all[i].name << ": " << failure;
    for (const SiteSeen& site : whole.sites) {
      auto known = std::find_if(mutants.begin(), mutants.end(),
                                [&](const Mutant& m) { return m.site.same_place(site); });
      if (known == mutants.end()) known = mutants.insert(mutants.end(), {site, {}});
      known->scenarios.push_back(i);
    }
  }
  return mutants;
}

TEST(Mutants, EveryFlushAndFenceLeftOutIsNoticed) {
  if (!wanted()) GTEST_SKIP() << "set NVM_CRASH_EFFORT=wide to run it";
  const std::vector<Scenario> all = scenarios();
  const std::vector<Mutant> mutants = mutants_of(all);
  size_t noticed = 0;
  uint64_t states = 0;
  for (const Mutant& mutant : mutants) {
    std::string by;
    for (size_t i = 0; i < mutant.scenarios.size() && by.empty(); ++i) {
      const Scenario& scenario = all[mutant.scenarios[i]];
      Options options = options_for(scenario);
      options.leave_out = &mutant.site;
      const Verdict verdict = run(scenario, options);
      states += verdict.summary.states;
      if (!verdict.failures.empty()) by = scenario.name;
    }
    noticed += by.empty() ? 0 : 1;
    std::cout << "[   MUTANT ] without " << to_string(mutant.site) << ": "
              << (by.empty() ? "not noticed" : "noticed by " + by) << std::endl;
    // An argument that no longer holds goes.
    EXPECT_NE(by.empty(), !argued(mutant.site)) << to_string(mutant.site);
  }
  std::cout << "[  MUTANTS ] " << noticed << " of " << mutants.size() << " noticed, "
            << mutants.size() - noticed << " argued, in " << states << " states" << std::endl;
}

}  // namespace
}  // namespace nvm::crash
