#include "poolset/pool_set.h"

#include <gtest/gtest.h>

#include <fstream>

#include "core/file_fixture.h"

namespace nvm::poolset {
namespace {

using heap::testing::caught;
using heap::testing::Caught;
using heap::testing::expect_in;

constexpr uint64_t kMiB = uint64_t{1} << 20;

std::string refusal(std::string_view text) {
  const Caught error = caught([&] { parse(text); });
  EXPECT_EQ(error.kind, ErrorKind::value);
  return error.message;
}

std::string objection(const PoolSet& set, const Demands& demands = {}) {
  const Caught error = caught([&] { check(set, demands); });
  EXPECT_EQ(error.kind, ErrorKind::value);
  return error.message;
}

PoolSet of(std::vector<Part> parts) {
  PoolSet set;
  set.replicas.push_back({std::move(parts), {}, {}});
  return set;
}

TEST(PoolSet, HasPartsReplicasAndOptions) {
  const PoolSet set = parse(
      "PMEMPOOLSET\n"
      "OPTION SINGLEHDR\n"
      "# a comment\n"
      "32M /a/part0   # and one behind a part\n"
      "\n"
      " 2GiB\t/a/part1\n"
      "REPLICA\n"
      "3GB /b/copy\n"
      "REPLICA user@host far.set");
  EXPECT_TRUE(set.single_header);
  EXPECT_FALSE(set.no_headers);
  ASSERT_EQ(set.replicas.size(), 3U);
  EXPECT_EQ(set.replicas[0].parts,
            (std::vector<Part>{{32 * kMiB, "/a/part0"}, {2048 * kMiB, "/a/part1"}}));
  EXPECT_EQ(set.replicas[1].parts, (std::vector<Part>{{3000000000, "/b/copy"}}));
  EXPECT_TRUE(set.replicas[2].remote());
  EXPECT_EQ(set.replicas[2].node, "user@host");
  EXPECT_EQ(set.replicas[2].pool, "far.set");
}

TEST(PoolSet, IsWrittenAsItIsRead) {
  const std::string text =
      "PMEMPOOLSET\nOPTION SINGLEHDR\n32M /a\n4097B /b\nAUTO /dev/dax0.0\nREPLICA\n1G /c\n"
      "REPLICA host far.set\n";
  EXPECT_EQ(format(parse(text)), text);
}

TEST(PoolSet, TellsTheLineThatIsWrong) {
  expect_in("line 1: a pool set begins with", refusal(""));
  expect_in("line 1: a pool set begins with", refusal("PMEMPOOLSETS\n"));
  expect_in("there is no part", refusal("PMEMPOOLSET"));
  expect_in("there is no part", refusal("PMEMPOOLSET\n"));
  expect_in("line 2: 'x' is not a size", refusal("PMEMPOOLSET\nx /a\n"));
  expect_in("line 2: '-1' is not a size", refusal("PMEMPOOLSET\n-1 /a\n"));
  expect_in("line 2: '5Q' is not a size", refusal("PMEMPOOLSET\n5Q /a\n"));
  expect_in("line 2: a part cannot have no bytes", refusal("PMEMPOOLSET\n0 /a\n"));
  expect_in("larger than any file", refusal("PMEMPOOLSET\n9000P /a\n"));
  expect_in("is not a size", refusal("PMEMPOOLSET\n99999999999999999999 /a\n"));
  expect_in("line 2: a size without a path", refusal("PMEMPOOLSET\n32M\n"));
  expect_in("line 2: the path 'a' is not absolute", refusal("PMEMPOOLSET\n32M a\n"));
  expect_in("line 2: more than a size and a path", refusal("PMEMPOOLSET\n32M /a b\n"));
  expect_in("line 2: there is no option 'X'", refusal("PMEMPOOLSET\nOPTION X\n32M /a\n"));
  expect_in("line 2: OPTION wants the name", refusal("PMEMPOOLSET\nOPTION\n32M /a\n"));
  expect_in("line 2: what is before this REPLICA", refusal("PMEMPOOLSET\nREPLICA\n32M /a\n"));
  expect_in("the last REPLICA has no part", refusal("PMEMPOOLSET\n32M /a\nREPLICA\n"));
  expect_in("line 3: a REPLICA on another machine", refusal("PMEMPOOLSET\n32M /a\nREPLICA host\n"));
  expect_in("has no parts here", refusal("PMEMPOOLSET\n32M /a\nREPLICA h s\n32M /b\n"));
}

TEST(PoolSet, TellsWhatPmdkWouldRefuse) {
  EXPECT_NO_THROW(check(of({{2 * kMiB, "/a"}}), {.min_pool = 2 * kMiB, .min_part = 2 * kMiB}));
  expect_in("there is no part", objection({}));
  expect_in("named more than once", objection(of({{kMiB, "/a"}, {kMiB, "/a"}})));
  expect_in("not absolute", objection(of({{kMiB, "a"}})));
  expect_in("has a blank", objection(of({{kMiB, "/a b"}})));
  expect_in("has a blank", objection(of({{kMiB, "/a#b"}})));
  expect_in("the least is 2097152", objection(of({{kMiB, "/a"}}), {.min_part = 2 * kMiB}));
  expect_in("a pool of 2097152 bytes", objection(of({{2 * kMiB, "/a"}}), {.min_pool = 8 * kMiB}));
  expect_in("larger than any file",
            objection(of({{uint64_t{1} << 62, "/a"}, {uint64_t{1} << 62, "/b"}})));
  PoolSet mirrored = of({{kMiB, "/a"}});
  mirrored.replicas.push_back({{{kMiB, "/b"}}, {}, {}});
  expect_in("only pools of objects", objection(mirrored, {.replicas = false}));
  mirrored.single_header = mirrored.no_headers = true;
  expect_in("exclude each other", objection(mirrored));
  mirrored.single_header = false;
  expect_in("NOHDRS is for", objection(mirrored));
}

TEST(PoolSet, LaysPartsOneAfterTheOtherWithoutTheirHeaders) {
  PoolSet set = of({{kMiB + 5, "/a"}, {2 * kMiB, "/b"}, {3 * kMiB, "/c"}});
  const std::vector<Extent> places = extents(set, set.replicas[0]);
  ASSERT_EQ(places.size(), 3U);
  EXPECT_EQ(places[0].length, kMiB);
  EXPECT_EQ(places[1].file_offset, kPage);
  EXPECT_EQ(places[1].pool_offset, kMiB);
  EXPECT_EQ(places[2].pool_offset, 3 * kMiB - kPage);
  EXPECT_EQ(size_of(set, set.replicas[0]), 6 * kMiB - 2 * kPage);
  set.single_header = true;
  EXPECT_EQ(size_of(set, set.replicas[0]), 6 * kMiB);
  set.replicas.push_back({{{4 * kMiB, "/d"}}, {}, {}});
  set.replicas.push_back({{}, "host", "far.set"});
  EXPECT_EQ(pool_size(set), 4 * kMiB);
}

class PoolSetFile : public heap::testing::FileTest {};

TEST_F(PoolSetFile, IsReadAndWritten) {
  const PoolSet set = of({{32 * kMiB, "/a/part0"}, {16 * kMiB, "/a/part1"}});
  write(path(), set, 0644);
  EXPECT_EQ(content(), "PMEMPOOLSET\n32M /a/part0\n16M /a/part1\n");
  EXPECT_EQ(read(path()), set);
  write(path(), of({{8 * kMiB, "/b"}}), 0644);
  EXPECT_EQ(read(path()).replicas[0].parts[0].path, "/b");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(PoolSetFile, ThatIsNoneIsCorrupt) {
  put("PMEMPOOLSET\n32M nowhere\n");
  const Caught error = caught([&] { read(path()); });
  EXPECT_EQ(error.kind, ErrorKind::corrupt);
  expect_in("line 2", error.message);
  EXPECT_EQ(caught([&] { read(path("absent")); }).error_number, ENOENT);
  put(std::string(2 * kMiB, 'x'));
  EXPECT_EQ(caught([&] { read(path()); }).kind, ErrorKind::corrupt);
}

TEST_F(PoolSetFile, ThatCannotBeWrittenLeavesWhatWasThere) {
  put("before");
  EXPECT_EQ(caught([&] {
              write(path(), of({{kMiB, "/with blank"}}), 0644);
            }).kind,
            ErrorKind::value);
  EXPECT_EQ(content(), "before");
}

}  // namespace
}  // namespace nvm::poolset
