// Lets every allocation of the core fail in turn, in an operation: the operation has been done, or
// it has not and says so; the pool is sound, goes on or says why not, and holds the same when it is
// opened again, or found as it lies there.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
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
#include "core/pool_folder.h"
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

inline std::string describe(Pool& pool) {
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
    folder_ = fixture::make_pool_folder();
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

inline std::string name_of_backend(const ::testing::TestParamInfo<Kind>& info) {
  return std::string(backend::name_of(info.param));
}

}  // namespace nvm::object::testing
