// Changes that give a list another body, cut at every point.
#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "crash/workload.h"

namespace nvm::crash {
namespace {

Step integers(int64_t count) {
  return assign_root([count](Values& v) {
    std::vector<Value> items;
    for (int64_t i = 0; i < count; ++i) items.push_back(integer(i));
    return v.list(std::move(items));
  });
}
Step texts(int count) {
  return assign_root([count](Values& v) {
    return v.list(std::vector<Value>(static_cast<size_t>(count), text(kLong)));
  });
}
Step erase_all_but(uint64_t first, uint64_t last) {
  return on_root([=](Operation& op, Offset list) {
    const uint64_t size = object::list::size(op.pool(), list);
    object::list::splice(op, list, first, size - last, {});
  });
}
Step clear() {
  return on_root([](Operation& op, Offset list) { object::list::clear(op, list); });
}

TEST(ListBodyCrash, AShrinkingListHasOneBodyOrTheOther) {
  expect_whole({"a list of 200 shrinks",
                {integers(200)},
                {erase_all_but(2, 3), append(integer(1)), pop(), insert_at(1, integer(2))}});
}

TEST(ListBodyCrash, AShrinkingListInATransaction) {
  expect_whole(
      {"a list of 200 shrinks in transactions",
       {integers(200)},
       {aborted({erase_all_but(2, 3), append(integer(1))}),
        transaction({pop(), erase_all_but(2, 3), append(integer(1))}), append(integer(2))}});
}

TEST(ListBodyCrash, AClearedListIsFreedInSteps) {
  Options options;
  options.effort.samples /= 4;
  expect_whole({"a list of 25 texts is cleared", {texts(25)}, {clear(), append(text(kOther))}},
               options);
}

TEST(ListBodyCrash, AListIsClearedInATransaction) {
  Options options;
  options.effort.samples /= 4;
  expect_whole({"a list of 12 texts is cleared in transactions",
                {texts(12)},
                {aborted({clear(), append(text(kOther))}),
                 transaction({clear(), append(integer(1))}), append(integer(2))}},
               options);
}

TEST(ListBodyCrash, ARepeatedListGrows) {
  expect_whole(
      {"a list is repeated",
       {assign_root([](Values& v) {
         return v.list({integer(1), text(kLong)});
       })},
       {on_root([](Operation& op, Offset list) { object::list::repeat(op, list, 3); }),
        on_root([](Operation& op, Offset list) { object::list::repeat(op, list, 2); }), pop()}});
}

}  // namespace
}  // namespace nvm::crash
