// Every change of a byte array, outside and inside a transaction, cut at every point.
#include <gtest/gtest.h>

#include "crash/workload.h"
#include "object/bytearray/bytearray.h"

namespace nvm::crash {
namespace {

namespace bytearray = object::bytearray;

bytearray::Bytes bytes_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

Step array_of(const std::string& content) {
  return assign_root([content](Values& v) { return v.bytearray(content); });
}
Step set_byte(uint64_t index, char byte) {
  return on_root([=](Operation& op, Offset array) {
    bytearray::set(op, array, index, static_cast<uint8_t>(byte));
  });
}
Step splice(uint64_t begin, uint64_t end, const std::string& content) {
  return on_root([=](Operation& op, Offset array) {
    bytearray::splice(op, array, begin, end, bytes_of(content));
  });
}
Step extend(const std::string& content) {
  return on_root([=](Operation& op, Offset array) {
    const uint64_t size = bytearray::size(op, array);
    bytearray::splice(op, array, size, size, bytes_of(content));
  });
}
Step shorten(uint64_t by) {
  return on_root([=](Operation& op, Offset array) {
    const uint64_t size = bytearray::size(op, array);
    bytearray::splice(op, array, size - by, size, {});
  });
}
Step clear() {
  return on_root([](Operation& op, Offset array) { bytearray::clear(op, array); });
}
Step reverse() {
  return on_root([](Operation& op, Offset array) { bytearray::reverse(op, array); });
}
Step repeat(uint64_t times) {
  return on_root([=](Operation& op, Offset array) { bytearray::repeat(op, array, times); });
}
Step set_strided(uint64_t begin, int64_t step, const std::string& content) {
  return on_root([=](Operation& op, Offset array) {
    bytearray::set_strided(op, array, begin, step, bytes_of(content));
  });
}
Step erase_strided(uint64_t begin, int64_t step, uint64_t count) {
  return on_root([=](Operation& op, Offset array) {
    bytearray::erase_strided(op, array, begin, step, count);
  });
}

const std::string kBeginning =
    "the first bytes of an array, more than a cache line of them: 0123456789";

std::vector<Step> all_changes() {
  return {
      set_byte(5, 'X'),
      extend("a"),  // into spare room or not
      extend("bc"),
      shorten(1),
      extend("d"),  // where one has been
      splice(2, 4, "YZ"),
      splice(0, 40, std::string(40, 'o')),
      splice(10, 10, "inserted"),
      splice(3, 20, ""),
      splice(3, 5, "a longer one"),
      extend(std::string(300, 'l')),
      set_strided(0, 3, "0123456789"),
      erase_strided(40, -4, 8),
      reverse(),
      shorten(200),
      repeat(2),
      clear(),
      extend("again"),
      set_byte(0, 'A'),
  };
}

TEST(ByteArrayCrash, EveryChangeIsThereOrNot) {
  expect_whole({"changes of a byte array", {array_of(kBeginning)}, all_changes()});
}

TEST(ByteArrayCrash, EveryChangeIsThereOrNotInsideATransaction) {
  std::vector<Step> steps;
  for (const Step& change : all_changes()) steps.push_back(transaction({change}));
  expect_whole({"byte array changes, each in a transaction", {array_of(kBeginning)}, steps});
}

TEST(ByteArrayCrash, ATransactionOfEveryChangeIsThereOrNot) {
  expect_whole({"byte array changes in one transaction",
                {array_of(kBeginning)},
                {transaction(all_changes())}});
}

TEST(ByteArrayCrash, AnAbortedTransactionLeavesNothing) {
  expect_whole(
      {"byte array changes aborted",
       {array_of(kBeginning), extend("so that there is room")},
       {aborted(all_changes()), extend("a"), aborted({shorten(3), extend("xyz")}),
        aborted({splice(1, 2, "in the middle")}), set_byte(0, 'T'), splice(4, 9, "second")}});
}

TEST(ByteArrayCrash, AppendingIsThereOrNot) {
  std::vector<Step> steps;
  for (int i = 0; i < 40; ++i)
    steps.push_back(extend(std::string(1, static_cast<char>('a' + i % 26))));
  expect_whole({"appends from nothing", {array_of("")}, steps});
}

TEST(ByteArrayCrash, ShorteningGivesRoomBackOrNot) {
  expect_whole({"a long array shortened",
                {array_of(std::string(3000, 'x'))},
                {shorten(2900), splice(50, 90, ""), extend("end")}});
}

}  // namespace
}  // namespace nvm::crash
