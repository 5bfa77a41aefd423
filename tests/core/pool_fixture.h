// A pool with the object layer in it, for tests of the persistent types.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <deque>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "heap/access.h"
#include "heap/layout/heap_walk.h"
#include "heap/pool.h"
#include "object/boxed/boxed.h"
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

// Values, and the memory they point to.
class Values {
 public:
  static Value none() { return Value::of(Cell::none()); }
  static Value boolean(bool value) { return Value::of(Cell::boolean(value)); }
  static Value integer(int64_t value) { return Value::integer_of(value); }
  static Value real(double value) { return Value::real_of(value); }
  // The magnitude's bytes, lowest first.
  Value big(std::string magnitude, bool negative = false) {
    const std::string& kept = keep(std::move(magnitude));
    return Value::big_integer(kept.data(), kept.size(), negative);
  }
  Value str(std::string characters, unsigned width = 1) {  // ASCII if of width 1
    const std::string& kept = keep(std::move(characters));
    return Value::str(kept.data(), kept.size() / width, width, width == 1);
  }
  Value bytes(std::string content) {
    const std::string& kept = keep(std::move(content));
    return Value::bytes_of(kept.data(), kept.size());
  }
  Value node(Type type, std::vector<Value> items = {}) {
    return Value::of(&graph.nodes.emplace_back(Node{type, std::move(items)}));
  }
  Value list(std::vector<Value> items = {}) { return node(Type::list, std::move(items)); }
  Value dict(std::vector<Value> items = {}) { return node(Type::dict, std::move(items)); }
  Value set(std::vector<Value> items = {}) { return node(Type::set, std::move(items)); }
  Value bytearray(std::string content) {
    return node(Type::bytearray, {bytes(std::move(content))});
  }
  Value tuple(std::vector<Value> items = {}) { return node(Type::tuple, std::move(items)); }
  Value frozenset(std::vector<Value> items = {}) { return node(Type::frozenset, std::move(items)); }
  Value named_tuple(std::string class_name, std::vector<Value> items) {
    const Value value = tuple(std::move(items));
    value.node->class_name = keep(std::move(class_name));
    return value;
  }
  // The items: state and key, or the state alone.
  Value boxed(std::string class_name, std::vector<Value> items, uint16_t more_flags = 0) {
    const Value value = node(Type::boxed, std::move(items));
    value.node->class_name = keep(std::move(class_name));
    value.node->flags = static_cast<uint16_t>(boxed::Form::registered) | more_flags;
    return value;
  }
  // One that is equal to its key.
  Value transparent(std::string class_name, Value state, Value key) {
    return boxed(std::move(class_name), {state, key}, boxed::kTransparent);
  }

  Graph graph;

 private:
  const std::string& keep(std::string text) { return kept_.emplace_back(std::move(text)); }
  std::deque<std::string> kept_;
};

class PoolTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern =
        (std::filesystem::exists("/dev/shm") ? "/dev/shm" : "/tmp") + std::string("/nvm-XXXXXX");
    folder_ = mkdtemp(pattern.data());
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
