// The recorder: what it sees, finds and counts.
#include "crash/recorder.h"

#include <gtest/gtest.h>
#include <libpmem.h>
#include <libpmemobj.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "crash/media.h"
#include "crash/tiny_model.h"
#include "pmem/store.h"

namespace nvm::crash::tiny {
namespace {

TEST(Recorder, FindsPlainStoresWhenTheirLinesAreFlushed) {
  Model model(Scan::never);
  *model.line(0) = 1;
  *model.line(1) = 1;
  model.flush(model.line(0));
  EXPECT_EQ(media_of(model.recorder.finish()).states.size(), 2U);
}

TEST(Recorder, FindsPlainStoresThatNobodyFlushes) {
  Model model(Scan::at_fences);
  *model.line(0) = 1;
  model.fence();
  *model.line(1) = 1;
  EXPECT_EQ(media_of(model.recorder.finish()).states.size(), 4U);
}

TEST(Recorder, SeesLibpmemsCopies) {
  Model model(Scan::never);
  const uint64_t value = 5;
  pmem_memcpy(model.line(0), &value, sizeof(value), PMEM_F_MEM_NOFLUSH);
  pmem_memmove(model.line(1), &value, sizeof(value), PMEM_F_MEM_NODRAIN);
  pmem_memset(model.line(2), 0xff, sizeof(value), 0);
  pmem::store(model.line(3), uint64_t{1});
  const Media media = media_of(model.recorder.finish());
  // Eight before the fence of the last; then only the first, which is not flushed, is uncertain.
  EXPECT_EQ(media.states.size(), 8U + 2U);
  EXPECT_EQ(media.summary.duplicates, 2U);
}

TEST(Recorder, GetsLibpmemobjsDrainForAFlushOfOurs) {
  Model model;
  pmem::store(model.line(0), uint64_t{1});
  model.flush(model.line(0));
  pmem_drain();
  EXPECT_EQ(model.recorder.counts().fences, 1U);
}

TEST(Recorder, IgnoresWhatItIsTold) {
  Model model;
  model.recorder.ignore(kLineSize, kLineSize);
  pmem::store(model.line(0), uint64_t{1});
  pmem::store(model.line(1), uint64_t{1});
  const Media media = media_of(model.recorder.finish());
  EXPECT_EQ(media.states.size(), 2U);
  for (const Words& words : media.states) EXPECT_EQ(words[kWordsOfLine], 0U);
}

TEST(Recorder, LeavesOutStoresThatChangeNothing) {
  Model model;
  pmem::store(model.line(0), uint64_t{0});
  pmem::zero(model.line(1), 10 * kLineSize);
  EXPECT_EQ(model.recorder.counts().stores, 2U);
  EXPECT_TRUE(model.recorder.finish().events.empty());
}

TEST(Recorder, CountsWhatAnOperationCosts) {
  Model model;
  write_record(model);
  const Counts cost = model.recorder.cost_of([&] {
    pmem::store(model.line(0), uint64_t{1});
    pmem::store(model.line(1), uint64_t{1});
    model.flush(model.line(0), 2 * kLineSize);
    model.fence();
    pmem::hook_publish();
  });
  EXPECT_EQ(cost, (Counts{.stores = 2, .flushes = 1, .lines = 2, .fences = 1, .publishes = 1}));
  EXPECT_EQ(to_string(cost), "2 stores, 1 flushes of 2 lines, 1 fences, 1 publishes");
}

TEST(Recorder, StopsWhenFinishedThoughTheBackendLivesOn) {
  auto model = std::make_unique<Model>();
  pmem::store(model->line(0), uint64_t{1});
  const Recording recording = model->recorder.finish();
  pmem::store(model->line(1), uint64_t{1});
  model->flush(model->line(1));
  model->fence();
  EXPECT_EQ(recording.events.size(), 1U);
  EXPECT_TRUE(model->recorder.finish().events.empty());
  EXPECT_NO_THROW(Recorder{std::vector<char>()});
}

TEST(Recorder, RecordsOnePoolOfThoseThatAreOpened) {
  Model model;
  const auto second = backend::make(backend::Kind::dax);
  EXPECT_EQ(second->kind(), backend::Kind::memory);
  EXPECT_THROW(Recorder{std::vector<char>()}, std::logic_error);
}

TEST(Recorder, FollowsAPoolThatGrowsAndMoves) {
  constexpr size_t kSmall = 4 * kLineSize;
  alignas(kLineSize) std::array<char, kSmall> small{};
  alignas(kLineSize) std::array<char, 2 * kSmall> large{};
  Recorder recorder(std::vector<char>{});
  const auto backend = recorder.make_backend();
  backend::attach(*backend, small.data(), small.size());
  pmem::store(&small[0], 'a');
  backend->flush(&small[0], 1);
  backend->drain();
  backend::detach(small.data());
  large[0] = small[0];
  backend::attach(*backend, large.data(), large.size());
  pmem::store(&large[kSmall], 'b');
  backend::detach(large.data());
  std::set<std::string> contents;
  judge_media(recorder.finish(), [&](const std::string& path, const Cut&) {
    std::ifstream stream(path, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(stream), {}};
    std::string short_form = std::to_string(bytes.size());
    for (const char byte : bytes) {
      if (byte != 0) short_form += byte;
    }
    contents.insert(short_form);
    return true;
  });
  EXPECT_EQ(contents, (std::set<std::string>{"0", "256", "256a", "512a", "512ab"}));
}

// A pool of libpmemobj itself.
struct LibraryRoot {
  uint64_t object;
};

class LibraryPool {
 public:
  LibraryPool() : path_("/dev/shm/nvm-library-XXXXXX") {
    close(mkstemp(path_.data()));
    unlink(path_.c_str());
    PMEMobjpool* made = pmemobj_create(path_.c_str(), kLayout, PMEMOBJ_MIN_POOL, S_IRUSR | S_IWUSR);
    pmemobj_root(made, sizeof(LibraryRoot));
    pmemobj_close(made);
  }
  ~LibraryPool() { unlink(path_.c_str()); }
  LibraryPool(const LibraryPool&) = delete;
  LibraryPool& operator=(const LibraryPool&) = delete;

  const std::string& path() const { return path_; }

  static constexpr const char* kLayout = "library";

 private:
  std::string path_;
};

LibraryRoot* root_of(PMEMobjpool* pool) {
  return static_cast<LibraryRoot*>(pmemobj_direct(pmemobj_root(pool, sizeof(LibraryRoot))));
}

void allocate_into_root(PMEMobjpool* pool) {
  constexpr size_t kBytes = 100;
  std::array<pobj_action, 2> actions{};
  const PMEMoid object = pmemobj_reserve(pool, &actions[0], kBytes, 1);
  pmemobj_set_value(pool, &actions[1], &root_of(pool)->object, object.off);
  pmem::hook_publish();
  pmemobj_publish(pool, actions.data(), actions.size());
}

TEST(RecorderOfLibpmemobj, FindsEveryMediumOfAPublishWhole) {
  const LibraryPool file;
  Recorder recorder(file.path());
  const auto backend = backend::make(backend::Kind::dax);
  PMEMobjpool* pool = nullptr;
  {
    const backend::Opening opening(*backend);
    pool = pmemobj_open(file.path().c_str(), LibraryPool::kLayout);
    ASSERT_NE(pool, nullptr) << pmemobj_errormsg();
    backend::attach(*backend, pool, PMEMOBJ_MIN_POOL);
  }
  const Counts opened = recorder.counts();
  EXPECT_GT(opened.fences, 0U);
  recorder.operation(1, [&] { allocate_into_root(pool); });
  EXPECT_EQ((recorder.counts() - opened).publishes, 1U);
  EXPECT_GT((recorder.counts() - opened).fences, 2U);
  pmemobj_close(pool);
  backend::detach(pool);

  std::set<bool> seen;
  const Effort effort{.exhaustive = 64, .samples = 8, .singles = 32};
  const auto judge = [&](const std::string& path, const Cut& cut) {
    PMEMobjpool* left = pmemobj_open(path.c_str(), LibraryPool::kLayout);
    EXPECT_NE(left, nullptr) << pmemobj_errormsg() << cut.describe();
    if (left == nullptr) return false;
    const uint64_t referred = root_of(left)->object;
    const uint64_t allocated = pmemobj_first(left).off;
    EXPECT_EQ(referred, allocated) << cut.describe();
    EXPECT_TRUE(cut.returned.empty() || referred != 0) << cut.describe();
    seen.insert(referred != 0);
    pmemobj_close(left);
    return true;
  };
  const Summary summary = judge_media(recorder.finish(), judge, effort);
  EXPECT_GT(summary.states, 10U);
  EXPECT_EQ(seen.size(), 2U);
}

}  // namespace
}  // namespace nvm::crash::tiny
