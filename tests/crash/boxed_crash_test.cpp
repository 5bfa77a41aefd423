// Values of the library's and the user's classes, and named tuples: stored in every place, cut at
// every point, together with the classes that the pool meets for the first time.
#include <gtest/gtest.h>

#include "crash/workload.h"

namespace nvm::crash {
namespace {

Value date(Values& v, int64_t day) {
  return v.boxed("datetime:date", {integer(day), v.tuple({text("date"), integer(day)})});
}
Value color(Values& v) { return v.transparent("m:Color", text("RED"), integer(1)); }
Value moment(Values& v) { return v.boxed("m:Moment", {v.tuple({text(kLong), v.list({})})}); }
Value point(Values& v, const std::string& name = "m:Point") {
  return v.named_tuple(name, {integer(1), text(kLong)});
}

// One operation on the object of pool.root with a value made anew each time.
template <class Make, class Change>
Step with(Make make, Change change) {
  return [=](Pool& pool) {
    Values values;
    const Value value = make(values);
    heap::mutate(pool, [&](Operation& op) {
      object::forget(values.graph);
      change(op, root_object(op.pool()), value);
    });
  };
}
template <class Make>
Step append_made(Make make) {
  return with(make, [](Operation& op, Offset list, const Value& value) {
    object::list::append(op, list, value);
  });
}
template <class Make>
Step set_first(Make make) {
  return with(make, [](Operation& op, Offset list, const Value& value) {
    object::list::set(op, list, 0, value);
  });
}
template <class Make>
Step put_made(Make make) {
  return with(make, [](Operation& op, Offset dict, const Value& value) {
    object::dict::set(op, dict, object::Key(op.pool(), value), value);
  });
}
template <class Make>
Step erase_made(Make make) {
  return with(make, [](Operation& op, Offset dict, const Value& value) {
    object::dict::erase(op, dict, object::Key(op.pool(), value));
  });
}

Step a_list() {
  return assign_root([](Values& v) { return v.list({integer(1)}); });
}
Step a_dict() {
  return assign_root([](Values& v) { return v.dict({integer(1), integer(2)}); });
}

std::vector<Step> list_changes() {
  return {
      append_made([](Values& v) { return date(v, 1); }),
      append_made(color),
      append_made(moment),
      append_made([](Values& v) { return point(v); }),
      set_first([](Values& v) { return date(v, 3); }),
      set_first([](Values& v) {
        return v.dict({date(v, 4), moment(v), color(v), point(v)});
      }),
      set_first([](Values& v) {
        return v.frozenset({date(v, 5), color(v), point(v)});
      }),
      set_at(0, integer(2)),
      pop(),
      pop(),
  };
}

std::vector<Step> dict_changes() {
  return {
      put_made([](Values& v) { return date(v, 1); }),
      put_made(color),  // over the value of 1
      put_made([](Values& v) { return point(v); }),
      put_made([](Values& v) {
        return v.tuple({date(v, 2), color(v)});
      }),
      erase_made([](Values& v) { return date(v, 1); }),
      erase_made(color),
      erase_made([](Values& v) {
        return v.tuple({date(v, 2), integer(1)});
      }),
  };
}

// Each step stores or frees several blocks, whose cuts are much alike.
void hold(const Scenario& scenario) {
  Options options;
  options.effort.samples /= 8;
  expect_whole(scenario, options);
}

TEST(BoxedCrash, ValuesInAListAreThereOrNot) {
  hold({"values in a list", {a_list()}, list_changes()});
}

TEST(BoxedCrash, ValuesInADictAreThereOrNot) {
  hold({"values in a dict", {a_dict()}, dict_changes()});
}

TEST(BoxedCrash, ValuesAreThereOrNotInsideATransaction) {
  hold({"values in a transaction", {a_list()}, {transaction(list_changes())}});
  hold({"keys in a transaction", {a_dict()}, {transaction(dict_changes())}});
}

TEST(BoxedCrash, AnAbortedTransactionLeavesNoValueAndNoClass) {
  hold({"values aborted", {a_list()}, {aborted(list_changes()), append_made([](Values& v) {
                                         return point(v, "m:New");
                                       })}});
  hold({"keys aborted", {a_dict()}, {aborted(dict_changes()), put_made(color)}});
}

TEST(BoxedCrash, NewClassesAreThereWithTheirValuesOrNot) {
  const auto of_class = [](int number) {
    return set_first([=](Values& v) { return point(v, "m:C" + std::to_string(number)); });
  };
  std::vector<Step> known{a_list()};
  for (int i = 0; i < 14; ++i) known.push_back(of_class(i));
  hold({"named tuples of new classes", known, {of_class(14), of_class(15), of_class(16)}});
}

}  // namespace
}  // namespace nvm::crash
