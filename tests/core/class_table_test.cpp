#include "object/record/class_table.h"

#include <string>
#include <vector>

#include "collect/check.h"
#include "core/pool_fixture.h"
#include "object/record/record.h"

namespace nvm::object::testing {
namespace {

class ClassTable : public PoolTest {
 protected:
  uint64_t ensure(const std::string& name) {
    return mutate([&](Operation& op) { return class_table::ensure(op, name); });
  }
  void expect_sound() {
    pool().own(-1);
    const collect::CheckReport report = collect::check(pool());
    pool().disown();
    for (const auto& finding : report.findings)
      ADD_FAILURE() << "at " << finding.offset << ": " << finding.what;
  }
};

TEST_F(ClassTable, NumbersClassesInTheOrderTheyCome) {
  EXPECT_EQ(class_table::count(pool()), 0U);
  EXPECT_EQ(class_table::find(pool(), "m:A"), 0U);
  EXPECT_EQ(ensure("m:A"), 1U);
  EXPECT_EQ(ensure("m:B"), 2U);
  EXPECT_EQ(ensure("m:A"), 1U);
  EXPECT_EQ(class_table::find(pool(), "m:B"), 2U);
  EXPECT_EQ(class_table::name_of(pool(), 2), "m:B");
  EXPECT_EQ(class_table::count(pool()), 2U);
  error_of(ErrorKind::corrupt, [&] { class_table::name_of(pool(), 0); });
  error_of(ErrorKind::corrupt, [&] { class_table::name_of(pool(), 3); });
  expect_sound();
}

TEST_F(ClassTable, GrowsAndIsThereAgainAfterOpening) {
  constexpr uint64_t kCount = 200;
  for (uint64_t id = 1; id <= kCount; ++id)
    EXPECT_EQ(ensure("a.module.of.some.length:Class" + std::to_string(id)), id);
  for (const bool reopened : {false, true}) {
    if (reopened) reopen();
    for (uint64_t id = 1; id <= kCount; ++id) {
      const std::string name = "a.module.of.some.length:Class" + std::to_string(id);
      EXPECT_EQ(class_table::name_of(pool(), id), name);
      EXPECT_EQ(class_table::find(pool(), name), id);
    }
    expect_sound();
  }
}

TEST_F(ClassTable, KeepsNamesOfAllOfUnicode) {
  const std::vector<std::string> names{"m:x", "m:\xC3\xA9", "m:\xE2\x82\xAC", "m:\xF0\x9F\x90\x8D",
                                       "m:\xED\xA0\x80"};
  for (const std::string& name : names) ensure(name);
  reopen();
  for (uint64_t id = 1; id <= names.size(); ++id)
    EXPECT_EQ(class_table::name_of(pool(), id), names[id - 1]);
  for (const char* broken :
       {"\x80", "\xC3", "\xC0\x80", "\xE0\x80\x80", "\xF5\x80\x80\x80", "\xC3x"})
    error_of(ErrorKind::value, [&] { ensure(broken); });
  expect_sound();
}

TEST_F(ClassTable, ForgetsWhatAnAbortUndoes) {
  ensure("m:A");
  pool().begin();
  EXPECT_EQ(ensure("m:B"), 2U);
  EXPECT_EQ(class_table::find(pool(), "m:B"), 2U);
  abort();
  EXPECT_EQ(class_table::find(pool(), "m:B"), 0U);
  EXPECT_EQ(ensure("m:C"), 2U);
  EXPECT_EQ(class_table::name_of(pool(), 2), "m:C");
  EXPECT_EQ(class_table::find(pool(), "m:B"), 0U);
  expect_sound();
}

TEST_F(ClassTable, TakesSeveralClassesAndTheirRecordsInOneOperation) {
  const Offset last = mutate([&](Operation& op) {
    Offset record = 0;
    for (uint64_t id = 1; id <= 40; ++id) {
      EXPECT_EQ(class_table::ensure(op, "m:C" + std::to_string(id)), id);
      EXPECT_EQ(class_table::ensure(op, "m:C" + std::to_string(id)), id);
      record = record::create(op, id);
      record::set(op, record, "name", Value::integer_of(1));
    }
    replace(op, &op.pool().root().root, Value::object_at(record));
    return record;
  });
  EXPECT_EQ(record::class_id(pool(), last), 40U);
  EXPECT_EQ(record::get(pool(), last, "name"), Cell::integer(1));
  expect_sound();
}

}  // namespace
}  // namespace nvm::object::testing
