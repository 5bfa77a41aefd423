#include "object/bytearray/bytearray.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "collect/check.h"
#include "core/pool_fixture.h"
#include "object/key/key.h"

namespace nvm::object::testing {
namespace {

using bytearray::Bytes;

Bytes bytes_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

class ByteArrayTest : public PoolTest {
 protected:
  void SetUp() override {
    PoolTest::SetUp();
    set_root(values.bytearray("hello world"));
  }

  Offset array() const { return root_object(); }
  std::string content() {
    const Bytes found = bytearray::bytes(pool(), array());
    return {found.begin(), found.end()};
  }
  void splice(uint64_t begin, uint64_t end, const std::string& text) {
    mutate([&](Operation& op) { bytearray::splice(op, array(), begin, end, bytes_of(text)); });
  }
  void append(const std::string& text) {
    const uint64_t size = bytearray::size(pool(), array());
    splice(size, size, text);
  }
  void expect_sound() {
    pool().own(-1);
    const collect::CheckReport report = collect::check(pool());
    pool().disown();
    for (const auto& finding : report.findings)
      ADD_FAILURE() << "at " << finding.offset << ": " << finding.what;
  }
};

TEST_F(ByteArrayTest, IsThereAfterReopening) {
  reopen();
  EXPECT_EQ(content(), "hello world");
  EXPECT_EQ(pool().type_number(array()), static_cast<uint64_t>(Type::bytearray));
  set_root(values.bytearray(""));
  EXPECT_EQ(content(), "");
  set_root(values.bytearray("abc"));  // what fits a cell, and what does not
  EXPECT_EQ(content(), "abc");
  set_root(values.bytearray(std::string(100'000, 'x')));
  reopen();
  EXPECT_EQ(content(), std::string(100'000, 'x'));
  expect_sound();
}

TEST_F(ByteArrayTest, SetsOneByte) {
  for (uint64_t i = 0; i < 11; ++i)
    mutate([&](Operation& op) { bytearray::set(op, array(), i, static_cast<uint8_t>('a' + i)); });
  EXPECT_EQ(content(), "abcdefghijk");
  error_of(ErrorKind::index,
           [&] { mutate([&](Operation& op) { bytearray::set(op, array(), 11, 0); }); });
}

TEST_F(ByteArrayTest, Splices) {
  splice(5, 5, ",");
  EXPECT_EQ(content(), "hello, world");
  splice(0, 5, "goodbye");
  EXPECT_EQ(content(), "goodbye, world");
  splice(7, 9, "");
  EXPECT_EQ(content(), "goodbyeworld");
  splice(12, 12, " and all that is in it");
  EXPECT_EQ(content(), "goodbyeworld and all that is in it");
  splice(7, 34, "");
  EXPECT_EQ(content(), "goodbye");
  splice(0, 7, "");
  EXPECT_EQ(content(), "");
  splice(0, 0, "again");
  EXPECT_EQ(content(), "again");
  error_of(ErrorKind::index, [&] { splice(3, 6, ""); });
  error_of(ErrorKind::index, [&] { splice(3, 2, ""); });
  expect_sound();
}

TEST_F(ByteArrayTest, ExtendedSlices) {
  mutate([&](Operation& op) { bytearray::set_strided(op, array(), 0, 2, bytes_of("HLOWRD")); });
  EXPECT_EQ(content(), "HeLlO WoRlD");
  mutate([&](Operation& op) { bytearray::set_strided(op, array(), 10, -5, bytes_of("123")); });
  EXPECT_EQ(content(), "3eLlO2WoRl1");
  mutate([&](Operation& op) { bytearray::erase_strided(op, array(), 9, -3, 3); });
  EXPECT_EQ(content(), "3eLO2oR1");
  error_of(ErrorKind::index,
           [&] { mutate([&](Operation& op) { bytearray::erase_strided(op, array(), 0, 4, 3); }); });
  mutate([&](Operation& op) { bytearray::erase_strided(op, array(), 0, 1, 8); });
  EXPECT_EQ(content(), "");
  expect_sound();
}

TEST_F(ByteArrayTest, ReversesRepeatsAndClears) {
  mutate([&](Operation& op) { bytearray::reverse(op, array()); });
  EXPECT_EQ(content(), "dlrow olleh");
  mutate([&](Operation& op) { bytearray::repeat(op, array(), 3); });
  EXPECT_EQ(content(), "dlrow ollehdlrow ollehdlrow olleh");
  error_of(ErrorKind::value, [&] {
    mutate([&](Operation& op) { bytearray::repeat(op, array(), uint64_t{1} << 60); });
  });
  mutate([&](Operation& op) { bytearray::clear(op, array()); });
  EXPECT_EQ(content(), "");
  mutate([&](Operation& op) { bytearray::repeat(op, array(), 5); });
  EXPECT_EQ(content(), "");
  append("x");
  mutate([&](Operation& op) { bytearray::repeat(op, array(), 0); });
  EXPECT_EQ(content(), "");
  expect_sound();
}

TEST_F(ByteArrayTest, GivesRoomBackWhenItShrinks) {
  const auto capacity = [&] {
    return pool().at<bytearray::Body>(bytearray::place(pool(), array()).block)->capacity;
  };
  append(std::string(100'000, 'x'));
  splice(11, 100'000, "");
  EXPECT_LT(capacity(), 100U);
  EXPECT_EQ(content(), "hello world" + std::string(11, 'x'));
  expect_sound();
}

TEST_F(ByteArrayTest, AppendsSeldomMove) {
  uint64_t moves = 0;
  Offset body = 0;
  for (int i = 0; i < 10'000; ++i) {
    append("x");
    const Offset now = bytearray::place(pool(), array()).block;
    moves += now != body ? 1 : 0;
    body = now;
  }
  EXPECT_LT(moves, 30U);
  EXPECT_EQ(content(), "hello world" + std::string(10'000, 'x'));
}

TEST_F(ByteArrayTest, IsUnhashable) {
  const Value stored = Value::object_at(array());
  EXPECT_EQ(error_of(ErrorKind::type, [&] { Key(pool(), stored); }),
            "unhashable type: 'PersistentByteArray'");
  EXPECT_EQ(error_of(ErrorKind::type, [&] { Key(pool(), values.tuple({values.bytearray("x")})); }),
            "unhashable type: 'bytearray'");
}

TEST_F(ByteArrayTest, DamageIsNoticed) {
  auto* const header = pool().at<bytearray::Header>(array());
  const uint64_t size = header->size;
  const Offset body = header->body;
  for (const uint64_t bad : {uint64_t{1000}, ~uint64_t{0}}) {
    header->size = bad;
    error_of(ErrorKind::corrupt, [&] { content(); });
  }
  header->size = size;
  for (const uint64_t bad : {uint64_t{0}, body + 1, heap::kMaxOffset, ~uint64_t{7}}) {
    header->body = bad;
    error_of(ErrorKind::corrupt, [&] { content(); });
  }
  header->body = body;
  auto* const block = pool().at<bytearray::Body>(body);
  const uint64_t capacity = block->capacity;
  for (const uint64_t bad : {capacity + 1, pool().file().size(), ~uint64_t{7}}) {
    block->capacity = bad;
    error_of(ErrorKind::corrupt, [&] { content(); });
  }
  block->capacity = capacity;
  EXPECT_EQ(content(), "hello world");
}

// Random changes, in and out of transactions, against std::string.
TEST_F(ByteArrayTest, HoldsWhatTheModelHolds) {
  std::mt19937 random{20260103};
  std::string model = content();
  const auto text = [&](size_t most) {
    std::string made(random() % (most + 1), ' ');
    for (char& character : made) character = static_cast<char>(random() % 256);
    return made;
  };
  for (int round = 0; round < 400; ++round) {
    const std::string before = model;
    const uint64_t how = random() % 3;
    if (how != 0) pool().begin();
    for (int i = 0; i < 6; ++i) {
      const uint64_t begin = random() % (model.size() + 1);
      const uint64_t end = begin + random() % (model.size() + 1 - begin);
      switch (random() % 8) {
        case 0:
          if (begin == model.size()) break;
          model[begin] = static_cast<char>(round);
          mutate([&](Operation& op) {
            bytearray::set(op, array(), begin, static_cast<uint8_t>(round));
          });
          break;
        case 1:
          std::reverse(model.begin(), model.end());
          mutate([&](Operation& op) { bytearray::reverse(op, array()); });
          break;
        case 2: {
          const std::string more = text(30);
          model += more;
          append(more);
          break;
        }
        case 3:
          if (random() % 10 != 0) break;
          model.clear();
          mutate([&](Operation& op) { bytearray::clear(op, array()); });
          break;
        case 4: {
          const std::string same = text(20);
          if (begin + same.size() > model.size()) break;
          model.replace(begin, same.size(), same);
          splice(begin, begin + same.size(), same);
          break;
        }
        default: {
          const std::string other = text(random() % 20 == 0 ? 3000 : 40);
          model.replace(begin, end - begin, other);
          splice(begin, end, other);
        }
      }
      ASSERT_EQ(content(), model);
    }
    if (how == 1) pool().commit();
    if (how == 2) {
      abort();
      model = before;
    }
    if (round % 20 == 0) reopen();
    ASSERT_EQ(content(), model) << round;
  }
  expect_sound();
}

}  // namespace
}  // namespace nvm::object::testing
