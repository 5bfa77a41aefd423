// Mapped files that are cut short.
#include "heap/file/bus_guard.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <thread>

#include "file_fixture.h"
#include "heap/file/private_mapping.h"

namespace nvm::heap::testing {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kSize = 16 * kPage;

class BusGuardTest : public FileTest {
 protected:
  void SetUp() override {
    FileTest::SetUp();
    std::ofstream(path()) << std::string(kSize, 'x');
    file_ = Fd(::open(path().c_str(), O_RDWR | O_CLOEXEC));
    mapping_ = PrivateMapping(file_.get(), kSize, path());
  }

  char at(uint64_t page) const {
    return *static_cast<volatile char*>(mapping_.base() + page * kPage);
  }
  void cut_at(uint64_t page) const { ASSERT_EQ(::ftruncate(file_.get(), page * kPage), 0); }

  Fd file_;
  PrivateMapping mapping_;
  std::shared_ptr<BusGuard::Flag> lost_ = std::make_shared<BusGuard::Flag>(false);
};

TEST_F(BusGuardTest, WhatIsCutOffIsZerosAndKnownToBeLost) {
  const BusGuard guard(mapping_.base(), kSize, lost_);
  EXPECT_EQ(at(15), 'x');
  cut_at(8);
  EXPECT_EQ(at(7), 'x');
  EXPECT_FALSE(lost_->load());
  EXPECT_EQ(at(8), 0);
  EXPECT_TRUE(lost_->load());
  std::memset(mapping_.base() + 12 * kPage, 'y', kPage);
  EXPECT_EQ(at(12), 'y');
  EXPECT_EQ(std::filesystem::file_size(path()), 8 * kPage);
}

TEST_F(BusGuardTest, OtherThreadsAreServedToo) {
  const BusGuard guard(mapping_.base(), kSize, lost_);
  cut_at(0);
  std::vector<std::thread> threads;
  for (uint64_t i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (uint64_t page = 0; page < 16; ++page) EXPECT_EQ(at(page), 0);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(lost_->load());
}

TEST_F(BusGuardTest, EachMappingHasItsOwn) {
  const PrivateMapping other(file_.get(), kSize, path());
  const auto others = std::make_shared<BusGuard::Flag>(false);
  const BusGuard guard(mapping_.base(), kSize, lost_);
  BusGuard moved;
  moved = BusGuard(other.base(), kSize, others);
  cut_at(4);
  EXPECT_EQ(*static_cast<volatile char*>(other.base() + 5 * kPage), 0);
  EXPECT_TRUE(others->load());
  EXPECT_FALSE(lost_->load());
}

TEST_F(BusGuardTest, WhatIsNotGuardedEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto touch = [this] {
    {
      const BusGuard guard(mapping_.base(), kSize, lost_);
      EXPECT_EQ(at(0), 'x');
    }
    cut_at(0);
    std::exit(at(3));
  };
  // By the signal, or as the handler of a sanitizer wants it.
  EXPECT_EXIT(
      touch(), [](int status) { return status != 0; }, "");
}

}  // namespace
}  // namespace nvm::heap::testing
