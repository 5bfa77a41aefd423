// Recovery of libpmemobj's logs, against libpmemobj's own; and logs that lead astray.
#include "heap/layout/lane_logs.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "backend/backend.h"
#include "core/file_fixture.h"
#include "heap/file/alloc_classes.h"
#include "heap/layout/checksum.h"
#include "heap/layout/pmdk_layout.h"

namespace nvm::heap::testing {
namespace {

using pmdk::LogHeader;
using pmdk::LogOperation;

// Ends the process at one of the moments when libpmemobj flushes or drains.
class EndingBackend final : public backend::Backend {
 public:
  backend::Kind kind() const noexcept override { return backend::Kind::memory; }
  bool is_pmem(const void*, size_t) noexcept override { return true; }
  void flush(const void*, size_t) noexcept override { passed(); }
  void drain() noexcept override { passed(); }

  static constexpr int kEnded = 42;
  int moments_left = -1;  // negative: never

 private:
  void passed() noexcept {
    if (moments_left == 0) _exit(kEnded);
    if (moments_left > 0) --moments_left;
  }
};

class LaneLogsTest : public FileTest {
 protected:
  void SetUp() override {
    FileTest::SetUp();
    auto file = create();
    root_ = file->root();
    for (Offset& block : old_) block = allocate(*file, 100);
    large_ = allocate(*file, 1'000'000);
  }

  uint64_t* word_at(PMEMobjpool* pool, size_t index) const {
    auto* root = reinterpret_cast<RootObject*>(reinterpret_cast<char*>(pool) + root_);
    return &root->reserved2[index];
  }

  // As libpmemobj itself opens a pool, but with a backend that may end the process.
  PMEMobjpool* open_with(EndingBackend& ending, const std::string& name) const {
    const backend::Opening opening(ending);
    PMEMobjpool* pool = pmemobj_open(path(name).c_str(), kLayoutName);
    backend::attach(ending, pool, kMinPoolSize);
    return pool;
  }

  // In a child: one publish of many kinds of actions, ended at a moment. False: it was not ended.
  bool publish_ended_at(int moment, const std::string& name) const {
    const int code = in_child([&] {
      EndingBackend ending;
      PMEMobjpool* pool = open_with(ending, name);
      AllocClasses classes;
      classes.register_all(pool, name);
      ending.moments_left = moment;  // the first allocations make runs
      std::array<Action, 12> actions;
      size_t count = 0;
      for (const size_t bytes : {20u, 100u, 5'000u, 600'000u}) {
        const auto ids = classes.candidates(bytes, false, false);
        const PMEMoid block =
            pmemobj_xreserve(pool, &actions[count], bytes, 64, POBJ_CLASS_ID(ids.ids[0]));
        if (OID_IS_NULL(block)) return 1;
        pmemobj_set_value(pool, &actions[count + 1], word_at(pool, count), block.off);
        count += 2;
      }
      const uint64_t id = pmemobj_oid(reinterpret_cast<char*>(pool) + root_).pool_uuid_lo;
      for (const Offset block : {old_[1], old_[2], large_})
        pmemobj_defer_free(pool, PMEMoid{id, block}, &actions[count++]);
      return pmemobj_publish(pool, actions.data(), count) == 0 ? 0 : 2;
    });
    EXPECT_TRUE(code == 0 || code == EndingBackend::kEnded) << code;
    return code == EndingBackend::kEnded;
  }

  struct State {
    std::vector<std::pair<Offset, uint64_t>> blocks;
    std::vector<uint64_t> words;
    bool operator==(const State&) const = default;
  };
  static State state_of(const PoolFile& file) {
    State state;
    for (const Block& block : blocks_of(file))
      state.blocks.emplace_back(block.offset, block.usable);
    for (size_t i = 0; i < 16; ++i) state.words.push_back(*word(file, i));
    return state;
  }
  LaneReport recover(const std::string& name = "pool") const {
    const Fd fd(::open(path(name).c_str(), O_RDONLY | O_CLOEXEC));
    const PrivateMapping bytes(fd.get(), kMinPoolSize, name);
    return recover_lanes(bytes.base(), bytes.size(), name);
  }

  std::array<Offset, 4> old_{};
  Offset large_ = 0;
  Offset root_ = 0;
};

TEST_F(LaneLogsTest, RecoveryEndsAsLibpmemobjsOwnAtEveryMoment) {
  copy("pool", "before");
  uint64_t redo_logs = 0;
  bool old_seen = false;
  bool new_seen = false;
  for (int moment = 0;; ++moment) {
    copy("before", "pool");
    const bool ended = publish_ended_at(moment, "pool");
    SCOPED_TRACE("moment " + std::to_string(moment));
    redo_logs += recover().redo_logs;
    const std::string bytes = content();
    const State read = state_of(*PoolFile::open(read_options()));
    EXPECT_TRUE(content() == bytes);
    const State opened = state_of(*open());
    EXPECT_TRUE(read == opened);
    EXPECT_TRUE(state_of(*PoolFile::open(read_options())) == opened);
    (read.words[0] == 0 ? old_seen : new_seen) = true;
    if (!ended) break;
  }
  EXPECT_GT(redo_logs, 0u);
  EXPECT_TRUE(old_seen && new_seen);
}

TEST_F(LaneLogsTest, CleanPoolHasNothingToRecover) {
  const LaneReport report = recover();
  EXPECT_EQ(report.redo_logs + report.undo_logs, 0u);
  EXPECT_FALSE(report.extended);
}

// A publish too large for a lane's own log gets an extension. We make none, but another program
// may, and die.
TEST_F(LaneLogsTest, RunsAreFoundAgainDespiteAnExtendedLog) {
  copy("pool", "before");
  const auto publish_much = [&](int moment) {
    EndingBackend ending;
    PMEMobjpool* pool = open_with(ending, "pool");
    std::vector<Action> actions(100);
    for (Action& action : actions) pmemobj_reserve(pool, &action, 500, 64);
    ending.moments_left = moment;
    return pmemobj_publish(pool, actions.data(), actions.size());
  };
  bool extended = false;
  for (int moment = 0; !extended; ++moment) {
    copy("before", "pool");
    if (in_child([&] { return publish_much(moment); }) != EndingBackend::kEnded) break;
    extended = recover().extended;
  }
  EXPECT_TRUE(extended);
  auto file = open();
  const Offset block = allocate(*file, 100);
  EXPECT_EQ(block_at(file->base(), file->size(), block)->chunk,
            block_at(file->base(), file->size(), old_[0])->chunk);
}

TEST_F(LaneLogsTest, PublishThatWouldNeedAnExtensionIsRefused) {
  auto file = open();
  std::vector<Action> actions(kMaxActions + 1);
  for (Action& action : actions) ASSERT_NE(file->reserve(500, {false, Type::blob}, action), 0u);
  EXPECT_EQ(caught([&] { file->publish(actions.data(), actions.size()); }).kind,
            ErrorKind::internal);
  EXPECT_NO_THROW(file->publish(actions.data(), kMaxActions));
  file->cancel(&actions.back(), 1);
  file.reset();
  EXPECT_FALSE(recover().extended);
}

// ---- Logs made by hand

constexpr uint64_t word_of(LogOperation operation, Offset offset) {
  return static_cast<uint64_t>(operation) << pmdk::kLogOperationShift | offset;
}

class CraftedLogsTest : public LaneLogsTest {
 protected:
  static constexpr uint64_t kLane = 7;
  static constexpr size_t kInternal = offsetof(pmdk::Lane, internal);
  static constexpr size_t kExternal = offsetof(pmdk::Lane, external);
  static constexpr size_t kUndo = offsetof(pmdk::Lane, undo);
  static Offset place_of(size_t log) {
    return pmdk::kLanesOffset + kLane * sizeof(pmdk::Lane) + log;
  }
  Offset word_offset(size_t index) const {
    return root_ + offsetof(RootObject, reserved2) + index * sizeof(uint64_t);
  }

  using Words = std::vector<uint64_t>;
  static uint64_t bytes_of(const Words& words) { return words.size() * sizeof(uint64_t); }

  // A log with these entries, as libpmemobj would leave it.
  void put_log(Offset place, uint64_t capacity, const Words& entries, uint64_t next = 0) const {
    Words log(sizeof(LogHeader) / sizeof(uint64_t), 0);
    log[offsetof(LogHeader, next) / sizeof(uint64_t)] = next;
    log[offsetof(LogHeader, capacity) / sizeof(uint64_t)] = capacity;
    log.insert(log.end(), entries.begin(), entries.end());
    log[0] = fletcher64_around(log.data(), bytes_of(log), 0, bytes_of(log));
    for (size_t i = 0; i < log.size(); ++i) poke(place + i * sizeof(uint64_t), log[i]);
  }
  // A range entry of one word.
  static Words range(LogOperation operation, Offset offset, uint64_t size, uint64_t content) {
    Words entry(pmdk::kCacheLine / sizeof(uint64_t), 0);
    entry[0] = word_of(operation, offset);
    entry[2] = size;
    entry[3] = content;
    const uint64_t generation = 0;
    entry[1] =
        fletcher64(&generation, sizeof generation, fletcher64(entry.data(), bytes_of(entry)));
    return entry;
  }
  void expect_refused(const std::string& log, const std::string& part) const {
    const std::string bytes = content();
    for (const Access access : {Access::write, Access::read}) {
      OpenOptions wanted = options();
      wanted.access = access;
      const Caught error = caught([&] { PoolFile::open(wanted); });
      EXPECT_EQ(error.kind, ErrorKind::corrupt);
      expect_in("lane 7, " + log + " log", error.message);
      expect_in(part, error.message);
      expect_in(path(), error.message);
    }
    EXPECT_TRUE(content() == bytes);
  }
  void expect_words(const std::vector<uint64_t>& expected) const {
    for (const Access access : {Access::read, Access::write}) {
      OpenOptions wanted = options();
      wanted.access = access;
      auto file = PoolFile::open(wanted);
      for (size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(*word(*file, i), expected[i]);
    }
  }
};

TEST_F(CraftedLogsTest, WordsAreSetAndedAndOred) {
  poke(word_offset(1), uint64_t{0xff});
  poke(word_offset(2), uint64_t{0x0f});
  put_log(place_of(kExternal), 64,
          {word_of(LogOperation::set, word_offset(0)), 5,
           word_of(LogOperation::bit_and, word_offset(1)), 0x3c,
           word_of(LogOperation::bit_or, word_offset(2)), 0x30});
  expect_words({5, 0x3c, 0x3f});
}

TEST_F(CraftedLogsTest, InternalLogGoesBeforeTheExternalOne) {
  put_log(place_of(kInternal), 64, {word_of(LogOperation::set, word_offset(0)), 1});
  put_log(place_of(kExternal), 64, {word_of(LogOperation::set, word_offset(0)), 2});
  expect_words({2});
}

TEST_F(CraftedLogsTest, LogWithAWrongChecksumIsNotApplied) {
  put_log(place_of(kExternal), 64, {word_of(LogOperation::set, word_offset(0)), 5});
  poke(place_of(kExternal), uint64_t{1});
  expect_words({0});
}

TEST_F(CraftedLogsTest, UndoRangesAreRestoredUpToTheFirstInvalidOne) {
  Words entries = range(LogOperation::copy, word_offset(0), 8, 11);
  const Words filling = range(LogOperation::fill, word_offset(1), 8, 0x22);
  entries.insert(entries.end(), filling.begin(), filling.end());
  Words invalid = range(LogOperation::copy, word_offset(2), 8, 33);
  invalid[1] ^= 1;
  entries.insert(entries.end(), invalid.begin(), invalid.end());
  put_log(place_of(kUndo), pmdk::kUndoCapacity, entries);
  EXPECT_EQ(recover().undo_logs, 1u);
  expect_words({11, 0x2222222222222222, 0});
}

TEST_F(CraftedLogsTest, LogGoesOnInItsExtension) {
  Offset extension = 0;
  {
    auto file = open();
    extension = allocate(*file, 5000);
    std::memset(file->base() + extension, 0, 5000);
  }
  const Offset place = (extension + 63) / 64 * 64;
  Words entries;
  for (uint64_t i = 0; i < pmdk::kExternalCapacity / sizeof(pmdk::LogWord); ++i) {
    entries.push_back(word_of(LogOperation::set, word_offset(0)));
    entries.push_back(i);
  }
  put_log(place_of(kExternal), pmdk::kExternalCapacity, entries, extension);
  poke(place + offsetof(LogHeader, capacity), uint64_t{640});
  poke(place + sizeof(LogHeader), word_of(LogOperation::set, word_offset(1)));
  poke(place + sizeof(LogHeader) + 8, uint64_t{77});
  EXPECT_TRUE(recover().extended);
  expect_words({39, 77});
}

TEST_F(CraftedLogsTest, EntryForAPlaceThatIsNotTheHeaps) {
  for (const Offset target : {Offset{16}, pmdk::kHeapSizeField, kMinPoolSize, kMinPoolSize - 7,
                              pmdk::kLogOffsetMask - 7, Offset{1} << 40}) {
    put_log(place_of(kExternal), 64, {word_of(LogOperation::set, target), 5});
    expect_refused("external", "an entry for the word at " + std::to_string(target));
  }
}

TEST_F(CraftedLogsTest, EntryForItsOwnLog) {
  const Offset own = place_of(kInternal) + offsetof(LogHeader, next);
  put_log(place_of(kInternal), 64, {word_of(LogOperation::set, own), 5});
  expect_refused("internal", "an entry for the word at");
}

TEST_F(CraftedLogsTest, EntryThatMakesAnotherLogWild) {
  const Offset undo_next = place_of(kUndo) + offsetof(LogHeader, next);
  put_log(place_of(kInternal), 64, {word_of(LogOperation::set, undo_next), 12345});
  expect_refused("undo", "an extension at 12345");
}

TEST_F(CraftedLogsTest, EntryOfNoKnownKind) {
  put_log(place_of(kExternal), 64, {uint64_t{3} << 61 | word_offset(0), 5});
  expect_refused("external", "no known kind");
}

TEST_F(CraftedLogsTest, CapacityBeyondTheLog) {
  put_log(place_of(kInternal), pmdk::kInternalCapacity + 64, {});
  expect_refused("internal", "a capacity of");
  put_log(place_of(kInternal), 8, {});
  expect_refused("internal", "a capacity of");
}

TEST_F(CraftedLogsTest, RangeLargerThanItsLog) {
  for (const uint64_t size : {uint64_t{3000}, uint64_t{1} << 40, ~uint64_t{0}}) {
    put_log(place_of(kUndo), pmdk::kUndoCapacity,
            range(LogOperation::copy, word_offset(0), size, 1));
    expect_refused("undo", "an entry of " + std::to_string(size) + " bytes");
  }
}

TEST_F(CraftedLogsTest, RangeThatEndsBeyondThePool) {
  put_log(place_of(kUndo), pmdk::kUndoCapacity, range(LogOperation::copy, kMinPoolSize - 4, 8, 1));
  expect_refused("undo", "8 bytes at");
}

TEST_F(CraftedLogsTest, ExtensionWhereNoBlockCanBe) {
  for (const Offset next : {Offset{1}, old_[0] + 8, kMinPoolSize, ~Offset{0}}) {
    put_log(place_of(kExternal), 64, {}, next);
    expect_refused("external", "where no block can be");
  }
}

TEST_F(CraftedLogsTest, ExtensionsThatDoNotEnd) {
  const Offset place = (large_ + 63) / 64 * 64;
  poke(place + offsetof(LogHeader, next), large_);
  poke(place + offsetof(LogHeader, capacity), uint64_t{64});
  put_log(place_of(kExternal), 64, {}, large_);
  expect_refused("external", "do not end");
}

TEST_F(CraftedLogsTest, ExtensionThatEndsBeyondThePool) {
  const Offset place = (large_ + 63) / 64 * 64;
  poke(place + offsetof(LogHeader, next), uint64_t{0});
  poke(place + offsetof(LogHeader, capacity), uint64_t{1} << 30);
  put_log(place_of(kExternal), 64, {}, large_);
  expect_refused("external", "ends beyond the pool");
}

}  // namespace
}  // namespace nvm::heap::testing
