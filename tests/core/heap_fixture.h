// A pool with nothing but the heap in it: root words and plain blocks, for tests of the layers
// below the objects.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/pool_folder.h"
#include "heap/access.h"
#include "heap/layout/heap_walk.h"
#include "heap/pool.h"

namespace nvm::heap::testing {

inline bool destroy_plain(Operation& op, Offset object) {
  op.free(object);
  return true;
}
inline void initialize_plain(Operation& op, RootObject& root) {
  op.set(&root.root, 1);
  op.set(&root.root_dict, 1);
}

class HeapTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fixture::make_pool_folder();
    open();
  }
  void TearDown() override {
    pool_.reset();
    // libpmemobj opens no two copies of a pool at once.
    for (size_t i = 0; i < cuts_.size(); ++i) {
      SCOPED_TRACE("cut " + std::to_string(i));
      cuts_[i](*open_at(path("cut-" + std::to_string(i))));
    }
    std::filesystem::remove_all(folder_);
  }

  std::string path(const std::string& name = "pool") const { return folder_ + "/" + name; }
  static std::shared_ptr<Pool> open_at(const std::string& path,
                                       uint64_t limit = uint64_t{64} << 20) {
    OpenOptions options;
    options.path = path;
    options.limit = limit;
    options.initial_size = kMinPoolSize;
    return Pool::open(options, initialize_plain, destroy_plain);
  }
  void open(uint64_t limit = uint64_t{64} << 20) { pool_ = open_at(path(), limit); }
  void reopen() {
    pool_.reset();
    open();
  }
  // What the death of the process at this very moment would leave is judged at the test's end.
  void cut(std::function<void(Pool&)> judge) {
    std::filesystem::copy_file(path(), path("cut-" + std::to_string(cuts_.size())));
    cuts_.push_back(std::move(judge));
  }

  static uint64_t blocks(const Pool& pool) {
    HeapWalk walk(pool.file().base(), pool.file().size());
    Block block;
    uint64_t count = 0;
    while (walk.next(block)) count += block.internal ? 0 : 1;
    return count;
  }
  uint64_t word() const { return pool_->root().root; }
  void set_word(uint64_t value) {
    mutate(*pool_, [&](Operation& op) { op.set(&op.pool().root().root, value); });
  }

  std::string folder_;
  std::shared_ptr<Pool> pool_;
  std::vector<std::function<void(Pool&)>> cuts_;
};

}  // namespace nvm::heap::testing
