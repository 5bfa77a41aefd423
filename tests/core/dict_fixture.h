// A dict in a pool, for the tests of the dict.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "collect/check.h"
#include "core/pool_fixture.h"
#include "object/dict/dict.h"
#include "object/dict/dict_table.h"

namespace nvm::object::testing {

class DictTest : public PoolTest {
 protected:
  void SetUp() override {
    PoolTest::SetUp();
    set_root(values.dict());
  }

  Offset dict() const { return root_object(); }
  Key key(const Value& value) { return {pool(), value}; }
  bool set(const Value& name, const Value& value) {
    return store([&](Operation& op) { return dict::set(op, dict(), key(name), value); });
  }
  bool set(int64_t name, int64_t value) {
    return set(Values::integer(name), Values::integer(value));
  }
  bool erase(const Value& name) {
    return mutate([&](Operation& op) { return dict::erase(op, dict(), key(name)); });
  }
  bool erase(int64_t name) { return erase(Values::integer(name)); }
  Cell get(const Value& name) { return dict::get(pool(), dict(), key(name)); }
  int64_t get(int64_t name) {
    const Cell cell = get(Values::integer(name));
    return cell.blank() ? -1 : cell.as_integer();
  }
  uint64_t size() { return dict::size(pool(), dict()); }
  dict::Table table() { return {pool(), dict::settled(pool(), dict())}; }

  // Keys and values that are small integers, in order.
  using Items = std::vector<std::pair<int64_t, int64_t>>;
  Items items() {
    Items result;
    dict::Item item{};
    for (uint64_t position = 0; dict::next(pool(), dict(), position, item);)
      result.emplace_back(dict::key_at(pool(), dict(), item.number).cell.as_integer(),
                          item.value.as_integer());
    return result;
  }
  int64_t pop_last() {
    uint64_t position = dict::used(pool(), dict());
    dict::Item item{};
    if (!dict::previous(pool(), dict(), position, item)) return -1;
    const int64_t name = dict::key_at(pool(), dict(), item.number).cell.as_integer();
    mutate([&](Operation& op) { dict::erase_entry(op, dict(), item.number); });
    return name;
  }

  void expect_sound() {
    pool().own(-1);
    const collect::CheckReport report = collect::check(pool());
    pool().disown();
    for (const auto& finding : report.findings)
      ADD_FAILURE() << "at " << finding.offset << ": " << finding.what;
  }
};

}  // namespace nvm::object::testing
