// What a power cut can leave of the last insert or delete, made by hand, and what it cannot:
// damage.
#include <functional>
#include <string>

#include "core/dict_fixture.h"

namespace nvm::object::testing {
namespace {

class DictDamage : public DictTest {
 protected:
  void fill(int64_t count) {
    for (int64_t i = 0; i < count; ++i) set(i, i);
  }
  dict::Body& body() { return *pool().at<dict::Body>(table().body()); }
  // The next touch is the first of an opening.
  void unsettle() { pool().at<dict::Header>(dict())->session = 0; }
  uint64_t* slot_of(uint64_t number) {
    const dict::Table table = this->table();
    const uint32_t hash = dict::hash_of_mark(table.entry(number)->mark);
    uint64_t* slot = table.slots().first(hash);
    while (*slot != dict::slot_word(hash, number)) slot = table.slots().next(slot);
    return slot;
  }
};

TEST_F(DictDamage, AnUnmarkedLastEntryIsDropped) {
  for (const int64_t count : {2, 20, 2000}) {
    set_root(values.dict());
    fill(count);
    table().entry(static_cast<uint64_t>(count) - 1)->mark = 0;
    unsettle();
    EXPECT_EQ(size(), static_cast<uint64_t>(count) - 1);
    EXPECT_EQ(get(count - 1), -1);
    set(count - 1, 5);
    EXPECT_EQ(get(count - 1), 5);
    expect_sound();
  }
}

TEST_F(DictDamage, AMissingSlotOfTheLastEntryIsAdded) {
  fill(20);
  *slot_of(19) = 0;
  unsettle();
  EXPECT_EQ(get(19), 19);
  expect_sound();
}

TEST_F(DictDamage, ASlotOfAnotherEntryInItsPlaceIsPassedOver) {
  fill(20);
  uint64_t* const slot = slot_of(19);
  *slot = dict::slot_word(static_cast<uint32_t>(*slot) + 1, 19);  // of an aborted insert
  unsettle();
  EXPECT_EQ(get(19), 19);
  expect_sound();
}

TEST_F(DictDamage, ADeletionThatWasBegunIsCompleted) {
  for (const int64_t count : {3, 20}) {
    set_root(values.dict());
    fill(count);
    body().deleted = uint64_t{1} << 32 | 2;
    unsettle();
    EXPECT_EQ(get(1), -1);
    EXPECT_EQ(size(), static_cast<uint64_t>(count) - 1);
    expect_sound();
  }
}

TEST_F(DictDamage, ADeletionThatIsNotedDeletesNothingLater) {
  fill(20);
  erase(18);                  // noted
  EXPECT_EQ(pop_last(), 19);  // and dropped with the last entry
  set(100, 100);              // has its number now
  set(101, 101);
  unsettle();
  EXPECT_EQ(get(100), 100);
  EXPECT_EQ(get(101), 101);
  EXPECT_EQ(size(), 20U);
  expect_sound();
}

TEST_F(DictDamage, IsToldAndHarmsNothing) {
  const auto damaged = [&](const std::function<void()>& damage) {
    set_root(values.dict());
    fill(20);
    auto& header = *pool().at<dict::Header>(dict());
    const dict::Header whole_header = header;
    dict::Body& whole = body();
    const dict::Body before = whole;
    damage();
    error_of(ErrorKind::corrupt, [&] {
      get(0);
      items();
    });
    header = whole_header;
    whole = before;
    expect_sound();
  };
  damaged([&] { pool().at<dict::Header>(dict())->body = 8; });
  damaged([&] { pool().at<dict::Header>(dict())->body = uint64_t{1} << 60; });
  damaged([&] { pool().at<dict::Header>(dict())->body += 4; });
  damaged([&] { body().used = uint64_t{1} << 40; });
  damaged([&] { body().used = 2000; });
  damaged([&] { body().deleted = uint64_t{21} << 32; });
  damaged([&] { body().room = 1; });
  damaged([&] { body().room = dict::kLarge | 1000; });
  damaged([&] { body().index = 0; });
  damaged([&] { body().index |= uint64_t{63} << 48; });
  damaged([&] { body().index = (body().index & heap::kMaxOffset) | uint64_t{30} << 48; });
}

TEST_F(DictDamage, OfAnEntryIsTold) {
  fill(20);
  dict::Entry& entry = *table().entry(3);
  const dict::Entry before = entry;
  entry.mark |= uint64_t{7} << 32;
  error_of(ErrorKind::corrupt, [&] { items(); });
  entry = before;
  set(values.str("abcdefgh"), Values::none());
  dict::Entry& text = *table().entry(20);
  const dict::Entry whole = text;
  text.mark |= uint64_t{0xFF} << 32;  // a length that does not fit
  error_of(ErrorKind::corrupt, [&] { dict::key_at(pool(), dict(), 20); });
  text = whole;
  expect_sound();
}

}  // namespace
}  // namespace nvm::object::testing
