// Every allocation of the core fails in turn, in every operation: the operation has been done, or
// it has not and says so; the pool is sound, goes on or says why not, and holds the same when it is
// opened again, or found as it lies there.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "collect/check.h"
#include "collect/gc.h"
#include "collect/repair.h"
#include "collect/stats.h"
#include "core/failing_memory.h"
#include "core/values.h"
#include "heap/access.h"
#include "object/bytearray/bytearray.h"
#include "object/dict/dict.h"
#include "object/list/list.h"
#include "object/record/class_table.h"
#include "object/record/record.h"
#include "object/set/set.h"
#include "object/store.h"
#include "object/tuple/tuple.h"
#include "object/value/blob.h"

namespace nvm::object::testing {
namespace {

using backend::Kind;
using heap::Operation;
using heap::Pool;
using nvm::testing::FailingMemory;
using Which = FailingMemory::Which;

// ---- What a pool holds, in words

class Description {
 public:
  explicit Description(Pool& pool) : pool_(pool) {}

  std::string of(Cell cell) {
    if (cell.kind() == Cell::Kind::blob) {
      const blob::View view = blob::view(pool_, cell.offset());
      return "'" + std::string(view.data, view.bytes) + "'";
    }
    if (cell.kind() != Cell::Kind::object) return std::to_string(cell.bits());
    return of_object(cell.offset());
  }

 private:
  std::string of_object(Offset object) {
    switch (static_cast<Type>(pool_.type_number(object))) {
      case Type::list:
        return "[" + of_cells(list::cells(pool_, object)) + "]";
      case Type::dict:
        return of_dict(object);
      case Type::set:
        return of_set(object);
      case Type::bytearray: {
        const auto bytes = bytearray::bytes(pool_, object);
        return "b'" + std::string(bytes.begin(), bytes.end()) + "'";
      }
      case Type::record: {
        std::string text = "<";
        for (const auto& [name, value] : record::attributes(pool_, object))
          text += name + "=" + of(value) + ",";
        return text + ">";
      }
      default:
        return "(" + of_cells(tuple::cells(pool_, object)) + ")";
    }
  }
  std::string of_cells(std::span<const uint64_t> cells) {
    std::string text;
    for (const uint64_t bits : cells) text += of(Cell(bits)) + ",";
    return text;
  }
  std::string of(const StoredKey& key) {
    if (key.kind == StoredKey::Kind::cell) return of(key.cell);
    return "'" + std::string(key.data, size_t{key.length} * key.width) + "'";
  }
  std::string of_dict(Offset dict) {
    std::string text = "{";
    dict::Item item{};
    for (uint64_t at = 0; dict::next(pool_, dict, at, item);)
      text += of(dict::key_at(pool_, dict, item.number)) + ":" + of(item.value) + ",";
    return text + "}";
  }
  std::string of_set(Offset set) {
    std::string text = "{";
    StoredKey element;
    for (uint64_t at = 0; set::next(pool_, set, at, element);) text += of(element) + ",";
    return text + "}";
  }

  Pool& pool_;
};

std::string describe(Pool& pool) {
  return heap::read(pool, [&] {
    Description description(pool);
    return description.of(Cell(pool.root().root)) + description.of(Cell(pool.root().root_dict));
  });
}

// What a step came to.
enum class Outcome { done, no_memory, refused };

class NoMemory : public ::testing::TestWithParam<Kind> {
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

  std::string path(const std::string& name = "pool") const { return folder_ + "/" + name; }
  std::shared_ptr<Pool> open_at(const std::string& path) {
    heap::OpenOptions options;
    options.path = path;
    options.limit = uint64_t{64} << 20;
    options.initial_size = heap::kMinPoolSize;
    options.backend = GetParam();
    options.promise = backend::Promise::written;
    return Pool::open(options, initialize, destroy);
  }
  void open() { pool_ = open_at(path()); }
  Pool& pool() { return *pool_; }

  // ---- Content

  Offset at(const std::string& name) {
    const Value key = values_.str(name);
    return heap::read(pool(),
                      [&] { return dict::get(pool(), root_dict(), Key(pool(), key)).offset(); });
  }
  Offset root_dict() { return Cell(pool().root().root_dict).offset(); }
  template <class F>
  auto mutate(F&& f) {
    return heap::mutate(pool(), [&](Operation& op) {
      forget(values_.graph);
      return f(op);
    });
  }
  void put(const std::string& name, const Value& value) {
    const Value key = values_.str(name);
    mutate([&](Operation& op) { dict::set(op, root_dict(), Key(op.pool(), key), value); });
  }
  Value text(int number) {
    return values_.str("a text that fits no cell, number " + std::to_string(number));
  }
  // A list, dict, set, bytearray and record, with large values and references to others.
  virtual void fill() {
    values_ = Values();
    mutate([&](Operation& op) { dict::clear(op, root_dict()); });
    mutate([&](Operation& op) { replace(op, &op.pool().root().root, Values::none()); });
    put("list", values_.list({Values::integer(1), text(1), values_.list({text(2)}),
                              values_.tuple({Values::integer(2), values_.list()})}));
    put("dict", values_.dict({values_.str("a"), Values::integer(1), values_.str("b"),
                              values_.dict({text(3), values_.list({text(4)})})}));
    put("set", values_.set({Values::integer(1), text(5), values_.tuple({text(6)})}));
    put("bytearray", values_.bytearray("some bytes"));
    Offset record = 0;
    const Value key = values_.str("record");
    mutate([&](Operation& op) {
      record = record::create(op, class_table::ensure(op, "m:C"));
      dict::set(op, root_dict(), Key(op.pool(), key), Value::object_at(record));
    });
    mutate([&](Operation& op) { record::set(op, record, "a", text(7)); });
  }

  // ---- Judging

  void expect_sound(Pool& pool) {
    const heap::Surveying surveying(pool, "check()");
    const collect::CheckReport report = collect::check(pool);
    for (const collect::Finding& finding : report.findings) ADD_FAILURE() << finding.what;
    EXPECT_EQ(report.leaks, 0U);
  }
  void expect_usable() {
    const uint64_t before = dict::size(pool(), root_dict());
    const Value key = values_.str("usable");
    mutate([&](Operation& op) { dict::set(op, root_dict(), Key(op.pool(), key), text(9)); });
    EXPECT_EQ(dict::size(pool(), root_dict()), before + 1);
    mutate([&](Operation& op) { dict::erase(op, root_dict(), Key(op.pool(), key)); });
  }
  // The files of this moment, which the death of the process could leave, and the pool opened anew
  // hold what one of these says.
  void expect_kept(const std::string& one, const std::string& other) {
    const std::string journal = ".journal";
    for (const std::string& end : {std::string(), journal}) {
      std::filesystem::remove(path("cut" + end));
      if (std::filesystem::exists(path("pool" + end)))
        std::filesystem::copy_file(path("pool" + end), path("cut" + end));
    }
    pool_.reset();
    {
      const auto cut = open_at(path("cut"));
      expect_sound(*cut);
      const std::string found = describe(*cut);
      EXPECT_TRUE(found == one || found == other) << "after a cut: " << found;
    }
    open();
    expect_sound(pool());
    const std::string found = describe(pool());
    EXPECT_TRUE(found == one || found == other) << "opened again: " << found;
  }

  static Outcome outcome_of(const std::function<void()>& step) {
    try {
      step();
      return Outcome::done;
    } catch (const std::bad_alloc&) {
      return Outcome::no_memory;
    } catch (const Error& error) {
      // Of a commit that could not be recorded, or undone.
      if (error.error_number() != ENOMEM) ADD_FAILURE() << error.what();
      return Outcome::refused;
    }
  }

  // Does the step with each of its allocations failing in turn, alone and with all that follow.
  void try_all(const std::function<void()>& step) {
    fill();
    const std::string before = describe(pool());
    step();
    const std::string after = describe(pool());
    fill();
    step();  // what is made once is made
    for (const Which which : {Which::once, Which::from_then}) {
      uint64_t refused = 0;
      uint64_t number = 1;
      for (;; number += stride(number, which)) {
        fill();
        ASSERT_EQ(describe(pool()), before);
        Outcome outcome;
        {
          const FailingMemory failing(number, which);
          outcome = outcome_of(step);
        }
        const uint64_t failed = FailingMemory::failed();
        SCOPED_TRACE("allocation " + std::to_string(number) +
                     (which == Which::once ? "" : " and later ones"));
        judge(outcome, before, after, number);
        if (outcome == Outcome::refused) ++refused;
        if (failed == 0) {
          EXPECT_EQ(outcome, Outcome::done);
          break;
        }
        if (::testing::Test::HasFailure()) return;
      }
      // Where one allocation fails alone, on no backend does a pool break.
      if (which == Which::once) {
        EXPECT_EQ(refused, 0U);
      }
    }
  }
  // The first ones each, of more a part, and less where what follows fails too.
  static uint64_t stride(uint64_t number, Which which) {
    const uint64_t each = which == Which::once ? 60 : 15;
    return number < each ? 1 : number / (which == Which::once ? 10 : 4);
  }

  void judge(Outcome outcome, const std::string& before, const std::string& after,
             uint64_t number) {
    if (outcome == Outcome::refused) {
      EXPECT_TRUE(pool().broken() || outcome_of([this] { expect_usable(); }) == Outcome::refused);
      return expect_kept(before, after);
    }
    const std::string now = describe(pool());
    if (outcome == Outcome::done) {
      EXPECT_EQ(now, after);
    } else {
      EXPECT_EQ(now, before);
    }
    expect_sound(pool());
    expect_usable();
    EXPECT_EQ(describe(pool()), now);
    if (number % 8 == 0 || ::testing::Test::HasFailure()) expect_kept(now, now);
  }

  std::string folder_;
  std::shared_ptr<Pool> pool_;
  Values values_;
};

std::string name_of_backend(const ::testing::TestParamInfo<Kind>& info) {
  return std::string(backend::name_of(info.param));
}
INSTANTIATE_TEST_SUITE_P(Backends, NoMemory, ::testing::Values(Kind::memory, Kind::journal),
                         name_of_backend);

// ---- Lists

TEST_P(NoMemory, ListAppend) {
  try_all([this] {
    const Offset list = at("list");
    mutate([&](Operation& op) {
      list::append(op, list, values_.list({text(10), values_.dict({text(11), Values::none()})}));
    });
  });
}
TEST_P(NoMemory, ListInsert) {
  try_all([this] {
    const Offset list = at("list");
    mutate([&](Operation& op) { list::insert(op, list, 0, text(10)); });
  });
}
TEST_P(NoMemory, ListExtendSoThatManyBlocksArePublished) {
  try_all([this] {
    const Offset list = at("list");
    std::vector<Value> more;
    for (int i = 0; i < 120; ++i) more.push_back(text(i));
    mutate([&](Operation& op) { list::splice(op, list, 4, 4, more); });
  });
}
TEST_P(NoMemory, ListSliceAssigned) {
  try_all([this] {
    const Offset list = at("list");
    mutate([&](Operation& op) {
      list::splice(op, list, 0, 3, std::vector<Value>{text(20), values_.list({text(21)})});
    });
  });
}
TEST_P(NoMemory, ListStridesReverseAndPermute) {
  try_all([this] {
    const Offset list = at("list");
    mutate([&](Operation& op) {
      list::set_strided(op, list, 0, 2, std::vector<Value>{text(20), values_.set({text(21)})});
    });
  });
  try_all([this] {
    const Offset list = at("list");
    mutate([&](Operation& op) { list::reverse(op, list); });
  });
  try_all([this] {
    const Offset list = at("list");
    mutate([&](Operation& op) { list::permute(op, list, std::vector<uint64_t>{3, 1, 0, 2}); });
  });
}
TEST_P(NoMemory, ListPopAndClear) {
  try_all([this] {
    const Offset list = at("list");
    mutate([&](Operation& op) { list::pop(op, list); });
  });
  try_all([this] {
    const Offset list = at("list");
    mutate([&](Operation& op) { list::clear(op, list); });
  });
}

// ---- Dicts and sets

TEST_P(NoMemory, DictInsertAndOverwrite) {
  try_all([this] {
    const Offset dict = at("dict");
    const Value fresh = text(30);
    mutate([&](Operation& op) {
      dict::set(op, dict, Key(op.pool(), fresh), values_.list({text(31)}));
    });
  });
  try_all([this] {
    const Offset dict = at("dict");
    const Value known = values_.str("b");
    mutate([&](Operation& op) { dict::set(op, dict, Key(op.pool(), known), text(31)); });
  });
}
TEST_P(NoMemory, DictUpdateSoThatItsBodyIsBuiltAnew) {
  try_all([this] {
    const Offset dict = at("dict");
    std::vector<Value> keys;
    for (int i = 0; i < 60; ++i) keys.push_back(text(100 + i));
    mutate([&](Operation& op) {
      dict::reserve(op, dict, keys.size());
      for (const Value& key : keys) dict::set(op, dict, Key(op.pool(), key), text(1));
    });
  });
}
TEST_P(NoMemory, DictEraseAndClear) {
  try_all([this] {
    const Offset dict = at("dict");
    const Value known = values_.str("b");
    mutate([&](Operation& op) { dict::erase(op, dict, Key(op.pool(), known)); });
  });
  try_all([this] {
    const Offset dict = at("dict");
    mutate([&](Operation& op) { dict::clear(op, dict); });
  });
}
TEST_P(NoMemory, SetOperators) {
  const auto keys = [this] {
    return std::vector<Value>{Values::integer(1), text(40), values_.tuple({text(6)})};
  };
  using Operator = void (*)(Operation&, Offset, set::Keys);
  for (const Operator apply :
       {Operator{set::update}, Operator{set::difference_update}, Operator{set::intersection_update},
        Operator{set::symmetric_difference_update}}) {
    try_all([&] {
      const Offset set = at("set");
      const std::vector<Value> plain = keys();
      mutate([&](Operation& op) {
        std::vector<Key> elements;
        for (const Value& value : plain) elements.emplace_back(op.pool(), value);
        apply(op, set, elements);
      });
    });
  }
}

// ---- Others

TEST_P(NoMemory, Bytearray) {
  try_all([this] {
    const Offset array = at("bytearray");
    const std::vector<uint8_t> more(5000, 'x');
    mutate([&](Operation& op) { bytearray::splice(op, array, 2, 4, more); });
  });
  try_all([this] {
    const Offset array = at("bytearray");
    mutate([&](Operation& op) { bytearray::reverse(op, array); });
  });
  try_all([this] {
    const Offset array = at("bytearray");
    mutate([&](Operation& op) { bytearray::clear(op, array); });
  });
}
TEST_P(NoMemory, RecordOfANewClassWithNewShapes) {
  int number = 0;
  try_all([&] {
    ++number;
    const Value key = values_.str("new");
    const std::string name = "m:New" + std::to_string(number);
    mutate([&](Operation& op) {
      const Offset record = record::create(op, class_table::ensure(op, name));
      record::set(op, record, "first", text(50));
      record::set(op, record, "second", values_.list({text(51)}));
      dict::set(op, root_dict(), Key(op.pool(), key), Value::object_at(record));
    });
  });
}
TEST_P(NoMemory, RecordWithMoreAttributesThanAShapeHas) {
  try_all([this] {
    const Offset record = at("record");
    mutate([&](Operation& op) {
      for (int i = 0; i < 140; ++i)
        record::set(op, record, "n" + std::to_string(i), Values::integer(i));
    });
  });
}
TEST_P(NoMemory, RecordEraseAndRootReplaced) {
  try_all([this] {
    const Offset record = at("record");
    mutate([&](Operation& op) { record::erase(op, record, "a"); });
  });
  try_all([this] {
    mutate([&](Operation& op) {
      replace(op, &op.pool().root().root, values_.frozenset({text(60), values_.tuple({text(61)})}));
    });
  });
}

// ---- Transactions

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

// ---- Growth

TEST_P(NoMemory, Growth) {
  try_all([this] { put("large", values_.bytearray(std::string(size_t{20} << 20, 'x'))); });
}

// ---- Checkpoints

// The journal's own thread has no memory, once or for a while: what was committed is in the journal
// or in the pool's file, and stays so.
TEST_P(NoMemory, CheckpointsAreWrittenLater) {
  if (GetParam() != Kind::journal) GTEST_SKIP() << "it writes none";
  for (const Which which : {Which::once, Which::from_then}) {
    for (uint64_t number = 1; number < 60; number += 7) {
      SCOPED_TRACE("allocation " + std::to_string(number));
      fill();
      {
        const FailingMemory failing(number, which, FailingMemory::Whose::others);
        // More than a quarter of a half of the journal, so that a checkpoint is due.
        for (int i = 0; i < 6; ++i)
          put("large", values_.bytearray(std::string(size_t{1} << 20, static_cast<char>('a' + i))));
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
      const std::string now = describe(pool());
      expect_sound(pool());
      put("another", text(1));
      mutate([&](Operation& op) {
        const Value key = values_.str("another");
        dict::erase(op, root_dict(), Key(op.pool(), key));
      });
      expect_kept(now, now);
      if (::testing::Test::HasFailure()) return;
    }
  }
}

// ---- What looks at all of a pool

class NoMemoryToSurvey : public NoMemory {
 protected:
  // Garbage in cycles, too.
  void fill() override {
    NoMemory::fill();
    for (int i = 0; i < 5; ++i) {
      const Value ring = values_.list({text(i)});
      ring.node->items.push_back(ring);
      put("ring", ring);
    }
    put("ring", Values::none());
  }
};
INSTANTIATE_TEST_SUITE_P(Backends, NoMemoryToSurvey, ::testing::Values(Kind::memory, Kind::journal),
                         name_of_backend);

TEST_P(NoMemoryToSurvey, CheckAndStats) {
  try_all([this] {
    const heap::Surveying surveying(pool(), "check()");
    EXPECT_TRUE(collect::check(pool()).findings.empty());
    EXPECT_NE(collect::stats(pool()).objects, 0U);
  });
}
TEST_P(NoMemoryToSurvey, Gc) {
  try_all([this] {
    const heap::Surveying surveying(pool(), "gc()");
    collect::gc(pool(), {}, {}, true);
  });
}
// Counts, an index and leaks, of which each is put right or not.
TEST_P(NoMemoryToSurvey, Repair) {
  const auto spoil = [this] {
    fill();
    const Offset list = at("list");
    mutate([&](Operation& op) { op.set(op.at<uint64_t>(list), 3); });
    mutate([](Operation& op) { op.allocate_blob(100); });
  };
  for (const Which which : {Which::once, Which::from_then}) {
    for (uint64_t number = 1;; number += stride(number, which)) {
      spoil();
      const std::string content = describe(pool());
      const std::function<void()> repair = [this] {
        const heap::Surveying surveying(pool(), "check()");
        collect::CheckReport report = collect::check(pool());
        collect::repair(pool(), report);
        static_cast<void>(pool().cut_commit());
      };
      Outcome outcome;
      {
        const FailingMemory failing(number, which);
        outcome = outcome_of(repair);
      }
      const uint64_t failed = FailingMemory::failed();
      SCOPED_TRACE("allocation " + std::to_string(number));
      if (outcome == Outcome::refused) {
        pool_.reset();
        open();
      }
      EXPECT_EQ(describe(pool()), content);
      if (outcome != Outcome::done) repair();
      expect_sound(pool());
      EXPECT_EQ(describe(pool()), content);
      if (failed == 0 || ::testing::Test::HasFailure()) break;
    }
  }
}
TEST_P(NoMemoryToSurvey, ReadingTogether) {
  try_all([this] {
    pool().begin_reading();
    try {
      describe(pool());
    } catch (...) {
      pool().end_reading();
      throw;
    }
    pool().end_reading();
  });
}
TEST_P(NoMemoryToSurvey, Sync) {
  try_all([this] { pool().sync(); });
}

// ---- Opening and closing

class NoMemoryToOpen : public NoMemory {
 protected:
  // Opens what `prepare` has left with each allocation failing in turn.
  void try_to_open(const std::string& name, const std::function<void()>& prepare,
                   const std::string& expected) {
    for (const Which which : {Which::once, Which::from_then}) {
      for (uint64_t number = 1;; number += stride(number, which)) {
        prepare();
        SCOPED_TRACE("allocation " + std::to_string(number) +
                     (which == Which::once ? "" : " and later ones"));
        std::shared_ptr<Pool> opened;
        const std::function<void()> open_it = [&] { opened = open_at(path(name)); };
        Outcome outcome;
        {
          const FailingMemory failing(number, which);
          outcome = outcome_of(open_it);
        }
        const uint64_t failed = FailingMemory::failed();
        EXPECT_EQ(opened != nullptr, outcome == Outcome::done);
        if (!opened) opened = open_at(path(name));
        expect_sound(*opened);
        EXPECT_EQ(describe(*opened), expected);
        opened.reset();
        if (failed == 0 || ::testing::Test::HasFailure()) break;
      }
    }
  }
  void copy(const std::string& from, const std::string& to) {
    for (const char* const end : {"", ".journal"}) {
      std::filesystem::remove(path(to + end));
      if (std::filesystem::exists(path(from + end)))
        std::filesystem::copy_file(path(from + end), path(to + end));
    }
  }
  size_t files() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder_),
                                             std::filesystem::directory_iterator()));
  }
};
INSTANTIATE_TEST_SUITE_P(Backends, NoMemoryToOpen, ::testing::Values(Kind::memory, Kind::journal),
                         name_of_backend);

TEST_P(NoMemoryToOpen, ANewPool) {
  const std::string empty = describe(pool());
  pool_.reset();
  try_to_open(
      "new",
      [this] {
        std::filesystem::remove(path("new"));
        EXPECT_EQ(files(), 1U);
      },
      empty);
  EXPECT_EQ(files(), 2U);
}
TEST_P(NoMemoryToOpen, APoolThatWasClosed) {
  fill();
  const std::string content = describe(pool());
  pool_.reset();
  try_to_open(
      "pool", [] {}, content);
}
TEST_P(NoMemoryToOpen, APoolThatWasCut) {
  fill();
  const std::string content = describe(pool());
  pool().begin();
  const Offset list = at("list");
  for (int i = 0; i < 60; ++i) mutate([&](Operation& op) { list::append(op, list, text(i)); });
  mutate([&](Operation& op) { list::reverse(op, list); });
  copy("pool", "cut");
  pool().abort();
  pool().end_failed();
  pool_.reset();
  try_to_open(
      "again", [this] { copy("cut", "again"); }, content);
}
TEST_P(NoMemoryToOpen, ClosingKeepsWhatWasCommitted) {
  for (const Which which : {Which::once, Which::from_then}) {
    for (uint64_t number = 1;; number += stride(number, which)) {
      fill();
      const Value key = values_.str("list");
      const Offset list = at("list");
      heap::Handle* const handle = heap::read(pool(), [&] { return pool().handles().pin(list); });
      mutate([&](Operation& op) { dict::erase(op, root_dict(), Key(op.pool(), key)); });
      pool().handles().unpin(handle);
      const std::string content = describe(pool());
      pool().begin();
      put("undone", text(1));
      SCOPED_TRACE("allocation " + std::to_string(number) +
                   (which == Which::once ? "" : " and later ones"));
      {
        const FailingMemory failing(number, which);
        outcome_of([&] { pool().close(); });
      }
      const uint64_t failed = FailingMemory::failed();
      outcome_of([&] { pool().close(); });
      EXPECT_TRUE(pool().closed());
      pool_.reset();
      open();
      expect_sound(pool());
      EXPECT_EQ(describe(pool()), content);
      if (failed == 0 || ::testing::Test::HasFailure()) break;
    }
  }
}

}  // namespace
}  // namespace nvm::object::testing
