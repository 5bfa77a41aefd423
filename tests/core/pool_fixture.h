// A pool with the object layer in it, for tests of the persistent types.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/pool_folder.h"
#include "core/values.h"
#include "heap/access.h"
#include "heap/layout/heap_walk.h"
#include "heap/pool.h"
#include "object/list/list.h"
#include "object/store.h"
#include "object/tuple/tuple.h"

namespace nvm::object::testing {

using heap::Operation;
using heap::Pool;
using heap::Type;

// Runs f, which must throw an Error of this kind; gives its message.
template <class F>
std::string error_of(ErrorKind kind, F&& f) {
  try {
    std::forward<F>(f)();
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(kind)) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

class PoolTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fixture::make_pool_folder();
    open();
  }
  void TearDown() override {
    pool_.reset();
    std::filesystem::remove_all(folder_);
  }

  void open(uint64_t limit = uint64_t{256} << 20) {
    heap::OpenOptions options;
    options.path = folder_ + "/pool";
    options.limit = limit;
    options.initial_size = heap::kMinPoolSize;
    pool_ = Pool::open(options, initialize, destroy);
  }
  void reopen() {
    pool_.reset();
    open();
  }
  // A pool that cannot grow.
  void open_small() {
    pool_.reset();
    std::filesystem::remove(folder_ + "/pool");
    open(heap::kMinPoolSize);
  }
  Pool& pool() { return *pool_; }

  template <class F>
  auto mutate(F&& f) {
    return heap::mutate(*pool_, std::forward<F>(f));
  }
  // As mutate, for what stores nodes of `values`: the operation may run again.
  template <class F>
  auto store(F&& f) {
    return mutate([&](Operation& op) {
      forget(values.graph);
      return f(op);
    });
  }
  void abort() {
    pool_->abort();
    pool_->end_failed();
  }

  // pool.root
  void set_root(const Value& value) {
    store([&](Operation& op) { replace(op, &op.pool().root().root, value); });
  }
  Cell root() const { return Cell(pool_->root().root); }
  Offset root_object() const { return root().offset(); }

  uint64_t count(Offset object) const {
    return heap::count_of(pool_->at<heap::Counted>(object)->word);
  }
  // Blocks in use, but for those of the limbo list and the undo log.
  uint64_t blocks() const {
    heap::HeapWalk walk(pool_->file().base(), pool_->file().size());
    heap::Block block;
    uint64_t result = 0;
    while (walk.next(block)) result += block.internal ? 0 : 1;
    return result;
  }

  Values values;

 private:
  std::string folder_;
  std::shared_ptr<Pool> pool_;
};

}  // namespace nvm::object::testing
