#include <array>
#include <cmath>
#include <cstring>
#include <string>
#include <thread>
#include <utility>

#include "capi/front.h"
#include "core/pool_fixture.h"
#include "object/bytearray/bytearray.h"
#include "object/dict/dict.h"
#include "object/record/class_table.h"
#include "object/record/record.h"

namespace nvm::object::testing {
namespace {

int64_t bits(Cell cell) { return static_cast<int64_t>(cell.bits()); }
int64_t integer(int64_t value) { return bits(Cell::integer(value)); }

// The object at pool.root, pinned as a proxy would.
class CInterface : public PoolTest {
 protected:
  void TearDown() override {
    if (pinned_ != nullptr) pool().handles().unpin(pinned_);
    PoolTest::TearDown();
  }
  int64_t handle() {
    if (pinned_ == nullptr) pinned_ = pool().handles().pin(root_object());
    return reinterpret_cast<int64_t>(pinned_);
  }
  int64_t list(std::vector<Value> items) {
    set_root(values.list(std::move(items)));
    return handle();
  }
  int64_t dict(std::vector<Value> items) {
    set_root(values.dict(std::move(items)));
    return handle();
  }

  heap::Handle* pinned_ = nullptr;
};

int64_t dict_get(int64_t handle, const char* key) {
  return nvm_dict_get(handle, key, static_cast<int64_t>(std::strlen(key)));
}

TEST_F(CInterface, GivesPlainItemsOfLists) {
  const int64_t items = list({Values::integer(-5), Values::none(), Values::real(1.5),
                              values.str("abcde"), values.bytes("too long"), values.list()});
  EXPECT_EQ(nvm_list_size(items), 6);
  EXPECT_EQ(nvm_list_get(items, 0), integer(-5));
  EXPECT_EQ(nvm_list_get(items, -6), integer(-5));
  EXPECT_EQ(nvm_list_get(items, 1), bits(Cell::none()));
  EXPECT_EQ(nvm_real_of_cell(nvm_list_get(items, 2)), 1.5);
  EXPECT_EQ(nvm_list_get(items, 3), bits(Cell::short_str("abcde", 5)));
  for (const int64_t index : {4, 5, 6, -7}) EXPECT_EQ(nvm_list_get(items, index), kNo);
  EXPECT_EQ(nvm_list_get(items, INT64_MIN), kNo);
  EXPECT_EQ(nvm_list_get(items, INT64_MAX), kNo);
}

TEST_F(CInterface, CopiesTextsOut) {
  const std::string longest(kMostText, 'x');
  const int64_t items = list({values.str("six ch"), values.str(longest), values.str(longest + "x"),
                              values.str("\xD0\x14\x01\x00\x02\x00\x03\x00\x04\x00\x05\x00", 2)});
  std::string text(kMostText, ' ');
  EXPECT_EQ(nvm_list_get(items, 0), kText);
  ASSERT_EQ(nvm_list_get_text(items, 0, text.data()), 6);
  EXPECT_EQ(text.substr(0, 6), "six ch");
  EXPECT_EQ(nvm_list_get(items, 1), kText);
  EXPECT_EQ(nvm_list_get_text(items, 1, text.data()), kMostText);
  EXPECT_EQ(text, longest);
  for (const int64_t index : {2, 3, 4}) {
    EXPECT_EQ(nvm_list_get(items, index), kNo);
    EXPECT_EQ(nvm_list_get_text(items, index, text.data()), -1);
  }
}

// What nvm_list_get_ahead gives.
struct AheadOf {
  static constexpr int64_t kMost = 3;
  AheadOf(int64_t list, int64_t index, int64_t most = kMost)
      : item(nvm_list_get_ahead(list, index, most, words.data())) {}
  const capi::Ahead& head() const { return *reinterpret_cast<const capi::Ahead*>(words.data()); }
  std::vector<int64_t> cells() const { return {head().cells, head().cells + head().count}; }
  int64_t word(int64_t place) const {
    return reinterpret_cast<const int64_t*>(head().words)[place];  // NOLINT
  }
  bool stands() const { return word(0) == head().times_locked && word(head().state) == 0; }

  std::array<int64_t, sizeof(capi::Ahead) / sizeof(int64_t) + kMost> words{};
  int64_t item;
};

TEST_F(CInterface, GivesWhatFollowsAnItem) {
  const int64_t items = list({Values::integer(0), Values::integer(1), Values::none(),
                              values.str("six ch"), Values::integer(4), values.list()});
  const AheadOf first(items, 0);
  EXPECT_EQ(first.item, integer(0));
  EXPECT_EQ(first.cells(), (std::vector{integer(0), integer(1), bits(Cell::none())}));
  EXPECT_TRUE(first.stands());
  EXPECT_EQ(AheadOf(items, 0, 2).cells(), (std::vector{integer(0), integer(1)}));
  EXPECT_EQ(AheadOf(items, 0, 0).cells(), std::vector<int64_t>());
  EXPECT_EQ(AheadOf(items, 2).cells(), (std::vector{bits(Cell::none())}));
  for (const int64_t index : {3, 5, 6, -7}) {
    EXPECT_EQ(AheadOf(items, index).item, nvm_list_get(items, index));
    EXPECT_EQ(AheadOf(items, index).head().count, 0);
  }
  EXPECT_EQ(AheadOf(0, 0).item, kNo);
  EXPECT_EQ(AheadOf(0, 0).head().count, 0);
}

TEST_F(CInterface, ReadsAheadOutsideOfTransactionsOnly) {
  const int64_t items = list({Values::integer(0), Values::integer(1)});
  const AheadOf before(items, 0);
  pool().begin();
  EXPECT_FALSE(before.stands());
  EXPECT_EQ(AheadOf(items, 0).item, integer(0));
  EXPECT_EQ(AheadOf(items, 0).head().count, 0);
  pool().commit();
  EXPECT_FALSE(before.stands());
  EXPECT_EQ(AheadOf(items, 0).cells(), (std::vector{integer(0), integer(1)}));
}

TEST_F(CInterface, WhatWasReadAheadStandsUntilAChangeOrTheEnd) {
  const int64_t items = list({Values::integer(0), Values::integer(1)});
  const AheadOf unchanged(items, 0);
  EXPECT_EQ(nvm_list_set(items, 1, integer(2)), 1);
  EXPECT_FALSE(unchanged.stands());
  const AheadOf open(items, 0);
  EXPECT_TRUE(open.stands());
  pool().close();
  EXPECT_FALSE(open.stands());
  EXPECT_EQ(AheadOf(items, 0).head().count, 0);
}

TEST_F(CInterface, GivesSlicesOfPlainItems) {
  const int64_t items = list({Values::integer(0), Values::integer(1), Values::integer(2),
                              values.str("six ch"), Values::none()});
  std::array<int64_t, 4> cells{};
  const auto slice = [&](int64_t start, int64_t stop, int64_t most = 4) {
    return nvm_list_slice(items, start, stop, most, cells.data());
  };
  EXPECT_EQ(slice(0, 3), 3);
  EXPECT_EQ(cells, (std::array{integer(0), integer(1), integer(2), int64_t{0}}));
  EXPECT_EQ(slice(-1, INT64_MAX), 1);
  EXPECT_EQ(cells[0], bits(Cell::none()));
  EXPECT_EQ(slice(INT64_MIN, -4), 1);
  EXPECT_EQ(cells[0], integer(0));
  for (const auto& [start, stop] : {std::pair{2, 2}, {3, 1}, {9, 10}, {-9, -8}})
    EXPECT_EQ(slice(start, stop), 0) << start << ":" << stop;
  EXPECT_EQ(slice(0, 4), -1);  // a text
  EXPECT_EQ(slice(0, 3, 2), -1);
}

TEST_F(CInterface, StepsThroughPlainEntries) {
  const int64_t entries =
      dict({values.str("a longer key"), Values::integer(1), Values::integer(2),
            values.str("a long value"), values.bytes("more bytes"), Values::integer(3)});
  capi::DictCursor cursor{};
  heap::read(pool(), [&] {
    cursor = {dict::size(pool(), root_object()), dict::body_version(pool(), root_object()), 0, 3};
  });
  std::array<int64_t, 4> entry{};
  std::string key(kMostText, ' ');
  std::string value(kMostText, ' ');
  const auto next = [&](int64_t parts) {
    return nvm_dict_next(entries, reinterpret_cast<int64_t>(&cursor), parts, entry.data(),
                         key.data(), value.data());
  };
  ASSERT_EQ(next(capi::kKeys | capi::kValues), 1);
  EXPECT_EQ(entry, (std::array<int64_t, 4>{kText, 12, integer(1), 0}));
  EXPECT_EQ(key.substr(0, 12), "a longer key");
  ASSERT_EQ(next(capi::kValues), 1);
  EXPECT_EQ(entry, (std::array<int64_t, 4>{kAbsent, 0, kText, 12}));
  EXPECT_EQ(value.substr(0, 12), "a long value");
  const uint64_t before = cursor.position;
  EXPECT_EQ(next(capi::kKeys), kNo);  // bytes
  EXPECT_EQ(cursor.position, before);
  EXPECT_EQ(cursor.remaining, 1);
  EXPECT_EQ(next(capi::kValues), 1);
  EXPECT_EQ(next(capi::kValues), kNo);
  cursor.position = 0;
  EXPECT_EQ(nvm_dict_set_at(entries, 9, integer(9)), 1);
  EXPECT_EQ(next(capi::kValues), kNo);  // of another size
}

TEST_F(CInterface, ChangesListsAsTheOperationsDo) {
  const int64_t items = list({values.str("an owned text"), Values::integer(1)});
  EXPECT_EQ(nvm_list_append(items, integer(2)), 1);
  EXPECT_EQ(nvm_list_set(items, 0, integer(3)), 1);
  EXPECT_EQ(nvm_list_set(items, -1, bits(Cell::boolean(true))), 1);
  EXPECT_EQ(nvm_list_set(items, 3, integer(0)), kNo);
  EXPECT_EQ(nvm_list_size(items), 3);
  EXPECT_EQ(nvm_list_get(items, 0), integer(3));
  EXPECT_EQ(nvm_list_get(items, 2), bits(Cell::boolean(true)));
}

TEST_F(CInterface, ReadsAndChangesByteArrays) {
  set_root(values.bytearray("hello"));
  const int64_t array = handle();
  std::array<char, 8> room{};
  const auto slice = [&](int64_t start, int64_t stop, int64_t most = 8) {
    const int64_t count = nvm_bytes_slice(array, start, stop, most, room.data());
    return count < 0 ? std::string("no") : std::string(room.data(), static_cast<size_t>(count));
  };
  EXPECT_EQ(nvm_bytes_size(array), 5);
  EXPECT_EQ(nvm_bytes_get(array, -1), 'o');
  for (const int64_t index : {int64_t{5}, int64_t{-6}, INT64_MIN, INT64_MAX})
    EXPECT_EQ(nvm_bytes_get(array, index), -1) << index;
  EXPECT_EQ(slice(1, -1), "ell");
  EXPECT_EQ(slice(3, 2), "");
  EXPECT_EQ(slice(0, INT64_MAX, 4), "no");
  EXPECT_EQ(nvm_bytes_set(array, 0, 'j'), 1);
  EXPECT_EQ(nvm_bytes_set(array, 5, 'j'), kNo);
  EXPECT_EQ(nvm_bytes_set(array, 0, 256), kNo);
  EXPECT_EQ(nvm_bytes_append(array, '!'), 1);
  EXPECT_EQ(nvm_bytes_splice(array, 1, 3, "u", 1), 1);
  EXPECT_EQ(slice(0, INT64_MAX), "julo!");
  EXPECT_EQ(nvm_bytes_pop(array, 0), 'j');
  EXPECT_EQ(nvm_bytes_pop(array, 4), -1);
  EXPECT_EQ(slice(0, INT64_MAX), "ulo!");
}

TEST_F(CInterface, LeavesTheSizeOfAnExportedByteArray) {
  set_root(values.bytearray("hello"));
  const int64_t array = handle();
  heap::Export* const exported = heap::read(pool(), [&] {
    const bytearray::Place place = bytearray::place(pool(), root_object());
    return pool().exports().open(place.block, place.begin, place.size);
  });
  EXPECT_EQ(nvm_bytes_append(array, '!'), kNo);
  EXPECT_EQ(nvm_bytes_pop(array, -1), -1);
  EXPECT_EQ(nvm_bytes_splice(array, 0, 2, "abc", 3), kNo);
  EXPECT_EQ(nvm_bytes_splice(array, 0, 2, "ab", 2), 1);
  pool().exports().close(exported);
  EXPECT_EQ(nvm_bytes_append(array, '!'), 1);
}

TEST_F(CInterface, ShowsAnExportInMemoryOfTheCallers) {
  set_root(values.bytearray("hello"));
  const int64_t array = handle();
  alignas(4096) static char room[2 * 4096];
  heap::Exports& exports = pool().exports();
  heap::Export* const exported = heap::read(pool(), [&] {
    const bytearray::Place place = bytearray::place(pool(), root_object());
    EXPECT_LE(heap::Exports::room_for(place.begin, place.size), sizeof room);
    return exports.open(place.block, place.begin, place.size, room);
  });
  EXPECT_EQ(exports.at(room), exported);
  EXPECT_EQ(std::string(exported->data(), 5), "hello");
  EXPECT_GE(exported->data(), room);
  EXPECT_LE(exported->data() + 5, room + sizeof room);
  EXPECT_TRUE(exports.place_of(exported->data(), 5).has_value());
  exported->data()[0] = 'j';
  EXPECT_EQ(nvm_bytes_get(array, 0), 'j');
  const char* const shown = exported->data();
  exports.close(exported);
  EXPECT_EQ(exports.at(room), nullptr);
  EXPECT_EQ(nvm_bytes_set(array, 0, 'b'), 1);
  EXPECT_EQ(std::string(shown, 5), "jello");
}

TEST_F(CInterface, ChangesManyItemsOfLists) {
  const int64_t items = list({Values::integer(3), Values::integer(1), values.list()});
  const std::array two{integer(7), bits(Cell::none())};
  EXPECT_EQ(nvm_list_splice(items, 2, INT64_MAX, 2, two.data()), 1);
  EXPECT_EQ(nvm_list_size(items), 4);
  const std::array bad{integer(7), kText};
  EXPECT_EQ(nvm_list_splice(items, 0, 0, 2, bad.data()), kNo);
  EXPECT_EQ(nvm_list_pop(items, -1), bits(Cell::none()));
  EXPECT_EQ(nvm_list_pop(items, 3), kNo);
  const std::array before{integer(3), integer(1), integer(7)};
  const std::array after{integer(1), integer(3), integer(7)};
  EXPECT_EQ(nvm_list_replace(items, 3, before.data(), after.data()), 1);
  EXPECT_EQ(nvm_list_replace(items, 3, before.data(), after.data()), kAbsent);
  EXPECT_EQ(nvm_list_replace(items, 2, after.data(), after.data()), kAbsent);
  EXPECT_EQ(nvm_list_get(items, 0), integer(1));
}

TEST_F(CInterface, GivesAllKeysAtOnce) {
  const int64_t entries = dict({});
  EXPECT_EQ(nvm_dict_set(entries, "abcdefgh", 8, integer(1)), 1);
  EXPECT_EQ(nvm_dict_set_at(entries, 7, integer(2)), 1);
  EXPECT_EQ(nvm_dict_set(entries, "gone", 4, integer(3)), 1);
  EXPECT_EQ(nvm_dict_set(entries, "another text", 12, integer(3)), 1);
  EXPECT_EQ(nvm_dict_delete(entries, "gone", 4), 1);
  std::array<int64_t, 4> cells{};
  std::string texts(2 * kMostText, '.');
  const auto room = static_cast<int64_t>(texts.size());
  EXPECT_EQ(nvm_dict_keys(entries, 3, cells.data(), room, texts.data()), 3);
  EXPECT_EQ(cells, (std::array<int64_t, 4>{kText + 8, integer(7), kText + 12, 20}));
  EXPECT_EQ(texts.substr(0, 21), "abcdefghanother text.");
  EXPECT_EQ(nvm_dict_keys(entries, 2, cells.data(), room, texts.data()), -1);
  EXPECT_EQ(nvm_dict_keys(entries, 3, cells.data(), kMostText + 7, texts.data()), -1);
}

TEST_F(CInterface, GivesNoMoreKeysThanThereIsRoomForWhateverTheDictSays) {
  const int64_t entries = dict({values.str("a"), Values::integer(1), values.str("b"),
                                Values::integer(2), values.str("c"), Values::integer(3)});
  const auto* const header = pool().at<object::dict::Header>(root_object());
  pool().at<object::dict::Body>(header->body)->deleted = uint64_t{2} << 32;
  ASSERT_EQ(nvm_dict_size(entries), 1);
  std::array<int64_t, 3> cells{0, 0, -7};
  std::string texts(3 * kMostText, '.');
  EXPECT_EQ(nvm_dict_keys(entries, 1, cells.data(), 3 * kMostText, texts.data()), -1);
  EXPECT_EQ(cells[2], -7);
}

TEST_F(CInterface, SetsManyEntriesAndDeletesThem) {
  const int64_t entries = dict({values.str("a"), Values::integer(1)});
  const std::array<int64_t, 6> two{6, 0, integer(5), -1, 9, bits(Cell::none())};
  EXPECT_EQ(nvm_dict_update(entries, 2, two.data(), "abcdef"), 1);
  EXPECT_EQ(nvm_dict_size(entries), 3);
  EXPECT_EQ(dict_get(entries, "abcdef"), integer(5));
  EXPECT_EQ(nvm_dict_get_at(entries, 9), bits(Cell::none()));
  const std::array<int64_t, 6> bad{-1, 10, integer(1), -1, 11, kText};
  EXPECT_EQ(nvm_dict_update(entries, 2, bad.data(), ""), kNo);
  EXPECT_EQ(nvm_dict_size(entries), 3);
  EXPECT_EQ(nvm_dict_delete(entries, "abcdef", 6), 1);
  EXPECT_EQ(nvm_dict_delete(entries, "abcdef", 6), kAbsent);
  EXPECT_EQ(nvm_dict_delete_at(entries, 9), 1);
  EXPECT_EQ(nvm_dict_size(entries), 1);
}

TEST_F(CInterface, TakesNoCellThatSomethingWouldOwn) {
  const int64_t items = list({Values::integer(1)});
  for (const Cell cell : {Cell(), Cell::blob(4096), Cell::object(4096), Cell::short_str("a", 1)}) {
    EXPECT_EQ(nvm_list_append(items, bits(cell)), kNo);
    EXPECT_EQ(nvm_list_set(items, 0, bits(cell)), kNo);
  }
  EXPECT_EQ(nvm_list_get(items, 0), integer(1));
  EXPECT_EQ(nvm_list_size(items), 1);
}

TEST_F(CInterface, FindsTextAndIntegersInDicts) {
  const int64_t entries =
      dict({values.str("a"), Values::integer(1), values.str("a longer key than twenty bytes"),
            Values::integer(2), Values::integer(int64_t{1} << 60), Values::integer(3),
            Values::real(7.0), values.str("a long value")});
  EXPECT_EQ(nvm_dict_size(entries), 4);
  EXPECT_EQ(dict_get(entries, "a"), integer(1));
  EXPECT_EQ(dict_get(entries, "a longer key than twenty bytes"), integer(2));
  EXPECT_EQ(nvm_dict_get_at(entries, int64_t{1} << 60), integer(3));
  EXPECT_EQ(dict_get(entries, "b"), kAbsent);
  EXPECT_EQ(nvm_dict_get_at(entries, 5), kAbsent);
  std::string text(kMostText, ' ');
  EXPECT_EQ(nvm_dict_get_at(entries, 7), kText);  // under 7.0
  EXPECT_EQ(nvm_dict_get_at_text(entries, 7, text.data()), 12);
  EXPECT_EQ(text.substr(0, 12), "a long value");
  EXPECT_EQ(nvm_dict_get_text(entries, "a", 1, text.data()), -1);
  EXPECT_EQ(nvm_dict_has_at(entries, 7), 1);
  EXPECT_EQ(nvm_dict_has_at(entries, 8), kAbsent);
  EXPECT_EQ(nvm_dict_has(entries, "a", 1), 1);
  EXPECT_EQ(nvm_dict_has(entries, "a", 0), kAbsent);
}

TEST_F(CInterface, InsertsIntoDicts) {
  const int64_t entries = dict({});
  EXPECT_EQ(nvm_dict_set(entries, "key", 3, integer(1)), 1);
  EXPECT_EQ(nvm_dict_set(entries, "key", 3, integer(2)), 1);
  EXPECT_EQ(nvm_dict_set_at(entries, -1, integer(3)), 1);
  EXPECT_EQ(nvm_dict_size(entries), 2);
  EXPECT_EQ(dict_get(entries, "key"), integer(2));
  EXPECT_EQ(nvm_dict_get_at(entries, -1), integer(3));
}

TEST_F(CInterface, AnswersNoForAHandleOfAnotherType) {
  const int64_t entries = dict({});
  EXPECT_EQ(nvm_list_size(entries), -1);
  EXPECT_EQ(nvm_list_get(entries, 0), kNo);
  EXPECT_EQ(nvm_list_append(entries, integer(1)), kNo);
  EXPECT_EQ(nvm_list_get(0, 0), kNo);
  EXPECT_EQ(nvm_list_append(0, integer(1)), kNo);
}

TEST_F(CInterface, NeverWaitsForAnotherThreadsTransaction) {
  const int64_t items = list({Values::integer(1)});
  pool().begin();
  EXPECT_EQ(nvm_list_append(items, integer(2)), 1);  // this thread's own
  EXPECT_EQ(nvm_list_get(items, 1), integer(2));
  std::thread([&] {
    EXPECT_EQ(nvm_list_get(items, 0), kNo);
    EXPECT_EQ(nvm_list_size(items), -1);
    EXPECT_EQ(nvm_list_append(items, integer(3)), kNo);
  }).join();
  abort();
  std::thread([&] { EXPECT_EQ(nvm_list_get(items, 0), integer(1)); }).join();
  EXPECT_EQ(nvm_list_size(items), 1);
}

TEST_F(CInterface, NeverWritesWhileSomebodyReads) {
  const int64_t items = list({Values::integer(1)});
  pool().begin_reading();
  EXPECT_EQ(nvm_list_get(items, 0), integer(1));
  EXPECT_EQ(nvm_list_append(items, integer(2)), kNo);
  pool().end_reading();
  EXPECT_EQ(nvm_list_append(items, integer(2)), 1);
}

TEST_F(CInterface, LeavesAFullPoolToWhoCanGrowIt) {
  open_small();
  const int64_t items = list({});
  int64_t appended = 0;
  while (nvm_list_append(items, integer(appended)) != kNo) ++appended;
  EXPECT_EQ(nvm_list_size(items), appended);
  EXPECT_EQ(nvm_list_get(items, -1), integer(appended - 1));
}

TEST_F(CInterface, NoticesObjectsThatWereUndoneAndPoolsThatAreClosed) {
  pool().begin();
  const int64_t items = list({Values::integer(1)});
  EXPECT_EQ(nvm_list_get(items, 0), integer(1));
  abort();
  EXPECT_EQ(nvm_list_get(items, 0), kNo);
  EXPECT_EQ(nvm_list_append(items, integer(1)), kNo);
  pool().close();
  EXPECT_EQ(nvm_list_get(items, 0), kNo);
  EXPECT_EQ(nvm_list_append(items, integer(1)), kNo);
}

TEST_F(CInterface, ReadsAttributesByTheirPlace) {
  set_root(values.list());
  const Offset made = mutate([&](Operation& op) {
    const Offset record = record::create(op, class_table::ensure(op, "m:C"));
    record::set(op, record, "x", Values::integer(5));
    list::append(op, root_object(), Value::object_at(record));
    return record;
  });
  pinned_ = pool().handles().pin(made);
  const record::Place found = heap::read(pool(), [&] { return record::find(pool(), made, "x"); });
  const int64_t place = capi::packed_place(found.shape, found.slot);
  const auto epoch = static_cast<int64_t>(pool().undo_epoch());
  EXPECT_EQ(nvm_record_get(handle(), epoch, place), integer(5));
  EXPECT_EQ(nvm_record_set(handle(), epoch, place, integer(6)), 1);
  EXPECT_EQ(nvm_record_get(handle(), epoch, place), integer(6));
  EXPECT_EQ(nvm_record_get(handle(), epoch + 1000, place), kAbsent);
  EXPECT_EQ(nvm_record_set(handle(), epoch + 1000, place, integer(7)), kNo);
  EXPECT_EQ(nvm_record_get(handle(), epoch, place + 8), kAbsent);
  mutate([&](Operation& op) { record::set(op, made, "y", Values::integer(1)); });
  EXPECT_EQ(nvm_record_get(handle(), epoch, place), kAbsent);  // of another shape now
  EXPECT_EQ(capi::packed_place(found.shape, record::Place::kInDict), kNo);
}

TEST_F(CInterface, TurnsFloatsIntoCells) {
  for (const double value : {0.0, -0.0, 1.5, -HUGE_VAL, 5e-324})
    EXPECT_EQ(std::signbit(nvm_real_of_cell(nvm_cell_of_real(value))), std::signbit(value));
  EXPECT_EQ(nvm_real_of_cell(nvm_cell_of_real(1.5)), 1.5);
  EXPECT_EQ(nvm_cell_of_real(std::nan("5")), kNo);
}

}  // namespace
}  // namespace nvm::object::testing
