// Every allocation of the core fails in turn, in transactions: committed, undone, nested, in part.
#include "core/no_memory_fixture.h"

namespace nvm::object::testing {
namespace {

class NoMemoryInTransaction : public NoMemory {
 protected:
  void change_much(int blocks) {
    const Offset list = at("list");
    for (int i = 0; i < blocks; ++i) {
      mutate([&](Operation& op) { list::append(op, list, values_.list({text(i)})); });
    }
    const Offset dict = at("dict");
    mutate([&](Operation& op) { dict::clear(op, dict); });
    const Value key = values_.str("bytearray");
    mutate([&](Operation& op) { dict::erase(op, root_dict(), Key(op.pool(), key)); });
    put("born", values_.dict({text(70), values_.list()}));
  }
  void transact(const std::function<void()>& body) {
    pool().begin();
    try {
      body();
    } catch (...) {
      if (pool().in_transaction()) {
        pool().abort();
        pool().end_failed();
      }
      throw;
    }
    pool().commit();
  }
};
INSTANTIATE_TEST_SUITE_P(Backends, NoMemoryInTransaction,
                         ::testing::Values(Kind::memory, Kind::journal), name_of_backend);

TEST_P(NoMemoryInTransaction, Committed) {
  try_all([this] { transact([this] { change_much(3); }); });
}
TEST_P(NoMemoryInTransaction, CommittedWithManyBlocksAndFrees) {
  try_all([this] {
    transact([this] {
      change_much(60);
      const Offset list = at("list");
      mutate([&](Operation& op) { list::clear(op, list); });
    });
  });
}
TEST_P(NoMemoryInTransaction, Aborted) {
  try_all([this] {
    pool().begin();
    try {
      change_much(60);
    } catch (...) {
      pool().abort();
      pool().end_failed();
      throw;
    }
    pool().abort();
    pool().end_failed();
  });
}
TEST_P(NoMemoryInTransaction, Nested) {
  try_all([this] {
    transact([this] {
      put("outer", text(80));
      transact([this] { change_much(2); });
    });
  });
}
TEST_P(NoMemoryInTransaction, AnOperationThatFailsIsUndoneAlone) {
  try_all([this] {
    transact([this] {
      put("before", text(80));
      try {
        const Offset list = at("list");
        mutate([&](Operation& op) {
          for (int i = 0; i < 80; ++i) list::append(op, list, text(i));
          list::reverse(op, list);
          throw Error(ErrorKind::value, "stopped");
        });
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::value) throw;
      }
      put("after", text(81));
    });
  });
}
TEST_P(NoMemoryInTransaction, ObjectsThatAreHeldGoWhenTheyAreLetGo) {
  try_all([this] {
    const Offset list = at("list");
    heap::Handle* const handle = heap::read(pool(), [&] { return pool().handles().pin(list); });
    try {
      const Value key = values_.str("list");
      mutate([&](Operation& op) { dict::erase(op, root_dict(), Key(op.pool(), key)); });
    } catch (...) {
      pool().handles().unpin(handle);
      throw;
    }
    pool().handles().unpin(handle);
  });
}

}  // namespace
}  // namespace nvm::object::testing
