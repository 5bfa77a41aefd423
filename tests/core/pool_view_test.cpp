#include "tools/pool_view.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "blk/blk_layout.h"
#include "core/file_fixture.h"
#include "heap/layout/checksum.h"
#include "log/log_layout.h"

namespace nvm::tools {
namespace {

using heap::pmdk::PoolHeader;
using heap::testing::caught;
using heap::testing::expect_in;

constexpr uint64_t kMiB = uint64_t{1} << 20;

class PoolViewTest : public heap::testing::FileTest {
 protected:
  static PoolHeader header(const char (&signature)[8]) {
    PoolHeader header{};
    std::memcpy(header.signature, signature, sizeof signature);
    header.major = 1;
    header.checksum = heap::fletcher64_around(&header, sizeof header,
                                              offsetof(PoolHeader, checksum), sizeof header);
    return header;
  }
  template <class T>
  static void set(std::string& bytes, uint64_t at, const T& value) {
    std::memcpy(bytes.data() + at, &value, sizeof value);
  }
  static std::string log_file(log::LogDescriptor log = {log::kStart, 2 * kMiB, 9000}) {
    std::string bytes(2 * kMiB, '\0');
    set(bytes, 0, header("PMEMLOG"));
    set(bytes, log::kDescriptorOffset, log);
    return bytes;
  }
  static blk::BttInfo arena() {
    blk::BttInfo info{};
    std::memcpy(info.signature, blk::kInfoSignature, sizeof info.signature);
    info.external_size = info.internal_size = 512;
    info.internal_blocks = 1000;
    info.free_blocks = 256;
    info.external_blocks = 744;
    info.info_size = 4096;
    info.data = 4096;
    info.map = kMiB;
    info.flog = 2 * kMiB;
    info.copy = 3 * kMiB;
    return info;
  }
  static std::string block_file(blk::BttInfo info = arena()) {
    std::string bytes(blk::kArenas + blk::kMinArena, '\0');
    set(bytes, 0, header("PMEMBLK"));
    set(bytes, blk::kDescriptorOffset, blk::BlkDescriptor{512, 1});
    info.checksum =
        heap::fletcher64_around(&info, sizeof info, offsetof(blk::BttInfo, checksum), sizeof info);
    set(bytes, blk::kArenas, info);
    return bytes;
  }
  void check_log() const { log::check(PoolView(path())); }
  void check_blocks() const { blk::check(PoolView(path())); }
};

TEST_F(PoolViewTest, TellsTheKindOfAPool) {
  put(log_file());
  EXPECT_EQ(kind_of(PoolView(path()).header()), PoolKind::log);
  EXPECT_NO_THROW(check_log());
  put(block_file());
  EXPECT_NO_THROW(check_blocks());
  EXPECT_EQ(caught([&] { check_log(); }).kind, ErrorKind::layout);
  put(std::string(8192, 'x'));
  EXPECT_EQ(kind_of(PoolView(path()).header()), PoolKind::unknown);
  expect_in("signature", caught([&] { check_log(); }).message);
}

TEST_F(PoolViewTest, RefusesHeadersThatAreNotRight) {
  std::string bytes = log_file();
  bytes[30] = 'x';
  put(bytes);
  expect_in("checksum", caught([&] { check_log(); }).message);
  put(bytes.substr(0, 4095));
  expect_in("too short", caught([&] { check_log(); }).message);
}

TEST_F(PoolViewTest, RefusesLogsWhoseOffsetsLeadAstray) {
  for (const log::LogDescriptor& log : {log::LogDescriptor{0, 2 * kMiB, 9000},
                                        {8192, 2 * kMiB + 1, 9000},
                                        {8192, 2 * kMiB, 8191},
                                        {8192, 2 * kMiB, 2 * kMiB + 1},
                                        {8192, ~uint64_t{0}, ~uint64_t{0}}}) {
    put(log_file(log));
    EXPECT_EQ(caught([&] { check_log(); }).kind, ErrorKind::corrupt);
  }
}

TEST_F(PoolViewTest, RefusesArenasWhosePartsLeadAstray) {
  const auto refused = [&](auto change) {
    blk::BttInfo info = arena();
    change(info);
    put(block_file(info));
    EXPECT_EQ(caught([&] { check_blocks(); }).kind, ErrorKind::corrupt);
  };
  refused([](blk::BttInfo& info) { info.map = ~uint64_t{0} - 4095; });
  refused([](blk::BttInfo& info) { info.data = uint64_t{1} << 63; });
  refused([](blk::BttInfo& info) { info.copy = blk::kMinArena; });
  refused([](blk::BttInfo& info) { info.flog = info.map; });
  refused([](blk::BttInfo& info) { info.next = 4096; });
  refused([](blk::BttInfo& info) { info.next = blk::kMinArena; });
  refused([](blk::BttInfo& info) { info.internal_size = 1U << 31; });
  refused([](blk::BttInfo& info) { info.external_size = 0; });
  refused([](blk::BttInfo& info) { info.free_blocks = 0; });
}

TEST_F(PoolViewTest, RefusesPlacesThatThereAreNot) {
  std::string bytes = block_file();
  set(bytes, blk::kArenas + kMiB + 4 * 743, uint32_t{0xc0000000 | 1000});
  put(bytes);
  expect_in("block 743", caught([&] { check_blocks(); }).message);
  bytes = block_file();
  set(bytes, blk::kArenas + 2 * kMiB + 64 * 255, blk::FlogEntry{744, 0, 0, 1});
  put(bytes);
  expect_in("entry 255", caught([&] { check_blocks(); }).message);
}

TEST_F(PoolViewTest, HasTheBytesOfAPoolSet) {
  const std::string whole = log_file({log::kStart, 2 * kMiB, 9000});
  put(whole.substr(0, kMiB), "a");
  put(std::string(4096, 'h') + whole.substr(kMiB), "b");
  put("PMEMPOOLSET\n1M " + path("a") + "\n1052672B " + path("b") + "\n");
  EXPECT_EQ(PoolView(path()).size(), 2 * kMiB);
  EXPECT_NO_THROW(check_log());
  put("short", "b");
  expect_in("not of the size", caught([&] { check_log(); }).message);
}

TEST_F(PoolViewTest, SaysThatAFileWasCutShort) {
  put(log_file());
  const PoolView view(path());
  const auto look = [&] { return static_cast<const volatile char*>(view.base())[kMiB]; };
  EXPECT_EQ(view.read(look), '\0');
  std::filesystem::resize_file(path(), 4096);
  const auto found = caught([&] { view.read(look); });
  EXPECT_EQ(found.kind, ErrorKind::os);
  expect_in("cut it short", found.message);
  const auto fail = []() -> int { throw Error(ErrorKind::corrupt, "zeros", EUCLEAN); };
  expect_in("cut it short", caught([&] { view.read(fail); }).message);
}

}  // namespace
}  // namespace nvm::tools
