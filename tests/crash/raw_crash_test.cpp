// Blocks of a memory manager, cut at every point.
#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "crash/workload.h"
#include "heap/layout/heap_walk.h"
#include "object/raw/raw.h"
#include "pmem/store.h"

namespace nvm::crash {
namespace {

namespace raw = object::raw;

// Where the last one of each type number was made: the heap knows nothing of a block before its
// transaction ends.
std::map<uint64_t, Offset>& made() {
  static auto* const blocks = new std::map<uint64_t, Offset>;
  return *blocks;
}

// The block with a type number of the user's.
Offset block_of(Pool& pool, uint64_t number) {
  heap::HeapWalk walk(pool.file().base(), pool.file().size());
  heap::Block block;
  while (walk.next(block))
    if (block.type == (heap::kRawType | number)) return block.offset;
  return made().at(number);
}

template <class Change>
Step on_block(uint64_t number, Change change) {
  return [=](Pool& pool) {
    heap::mutate(pool, [&](Operation& op) { change(op, block_of(op.pool(), number)); });
  };
}

Step alloc(uint64_t number, uint64_t size) {
  return [=](Pool& pool) {
    heap::mutate(pool,
                 [&](Operation& op) { made()[number] = raw::allocate(op, size, number, true); });
  };
}
Step resize(uint64_t number, uint64_t size, uint64_t other) {
  return on_block(number, [=](Operation& op, Offset block) {
    made()[other] = raw::resize(op, block, size, other, true);
  });
}
Step release(uint64_t number) { return on_block(number, raw::release); }
Step add_reference(uint64_t number) { return on_block(number, raw::add_reference); }
Step drop_reference(uint64_t number) { return on_block(number, raw::drop_reference); }
// The object of pool.root gets a reference that lies in somebody's memory; its length tells that.
Step keep_root() {
  return on_root([](Operation& op, Offset list) {
    raw::add_reference(op, list);
    object::list::append(op, list, integer(1));
  });
}
Step let_root_go() {
  return on_root([](Operation& op, Offset list) {
    raw::drop_reference(op, list);
    object::list::pop(op, list);
  });
}
// As a transaction does that stores to a block, in the order that snapshot_range() asks for.
Step fill(uint64_t number, char with) {
  return on_block(number, [=](Operation& op, Offset block) {
    const raw::View view = raw::view(op.pool(), block);
    raw::snapshot(op, view.begin + 3, view.size - 3);
    auto* const bytes = op.at<char>(view.begin - view.begin % 8, view.size) + view.begin % 8 + 3;
    const std::vector<char> content(view.size - 3, with);
    pmem::copy(bytes, content.data(), content.size());
    op.written(bytes, content.size());
  });
}
// A block becomes the head of an object of a class, which pool.root's list then refers to.
Step adopt(uint64_t number) {
  const Step set_class = on_block(number, [](Operation& op, Offset block) {
    raw::set_class(op, block, object::class_table::ensure(op, "m:Ring"));
  });
  const Step refer = on_block(number, [](Operation& op, Offset block) {
    object::list::append(op, root_object(op.pool()), Value::object_at(block));
  });
  return transaction({set_class, refer});
}

Step a_list() {
  return assign_root([](Values& v) { return v.list({text(kLong)}); });
}

std::vector<Step> changes() {
  return {
      alloc(1, 40),      alloc(2, 100),         alloc(3, 3000),   resize(1, 24, 4),
      resize(2, 500, 2), resize(3, 300'000, 5), add_reference(4), add_reference(4),
      drop_reference(4), keep_root(),           let_root_go(),
      drop_reference(4),  // the last one
      release(2),        alloc(6, 8),           adopt(6),         release(5),
  };
}

TEST(RawCrash, BlocksAreThereOrNot) { expect_whole({"blocks", {a_list()}, changes()}); }

TEST(RawCrash, BlocksAreThereOrNotInsideATransaction) {
  expect_whole(
      {"blocks in a transaction",
       {a_list(), alloc(7, 100), alloc(8, 20)},
       {transaction(changes()), transaction({fill(7, 'x'), fill(8, 'y'), resize(8, 30, 9)}),
        transaction({fill(7, 'z')})}});
}

TEST(RawCrash, AnAbortedTransactionLeavesBlocksAsTheyWere) {
  std::vector<Step> more = changes();
  more.insert(more.begin(), {fill(7, 'x'), fill(7, 'y'), resize(7, 200, 7), add_reference(8)});
  expect_whole(
      {"blocks aborted",
       {a_list(), alloc(7, 100), alloc(8, 20), add_reference(8), transaction({fill(7, 'a')})},
       {aborted(more), transaction({fill(7, 'z'), drop_reference(8)}), release(7)}});
}

}  // namespace
}  // namespace nvm::crash
