// A pool that tests damage on purpose, and what check() says of it.
#pragma once

#include <functional>
#include <string>

#include "collect/check.h"
#include "core/pool_fixture.h"
#include "heap/layout/pmdk_layout.h"
#include "object/dict/dict.h"
#include "object/dict/dict_table.h"
#include "object/record/class_table.h"
#include "object/record/record.h"

namespace nvm::object::testing {

using collect::Finding;
using heap::pmdk::ChunkHeader;
using heap::pmdk::ChunkType;

class Check : public PoolTest {
 protected:
  collect::CheckReport check(const collect::Progress& progress = {}) {
    const heap::Surveying surveying(pool(), "check()");
    return collect::check(pool(), {}, progress);
  }
  void expect_sound() {
    for (const Finding& finding : check().findings) ADD_FAILURE() << finding.what;
  }
  // There is a finding of this kind and path, and with this in its words.
  void expect_finding(Finding::Kind kind, const std::string& path, const std::string& what) {
    std::string all;
    for (const Finding& finding : check().findings) {
      if (finding.kind == kind && finding.path == path &&
          finding.what.find(what) != std::string::npos)
        return;
      all += "\n  " + finding.what;
    }
    ADD_FAILURE() << "nothing says that " << path << " " << what << ", but" << all;
  }
  void expect_damage(const std::string& path, const std::string& what) {
    expect_finding(Finding::Kind::damage, path, what);
  }
  // Stores a value where it should not be, for as long as `then` takes.
  template <class T>
  void with(T& place, T value, const std::function<void()>& then) {
    const T before = place;
    place = value;
    then();
    place = before;
    expect_sound();
  }

  Offset pool_dict() { return Cell(pool().root().root_dict).offset(); }
  void put(const std::string& name, const Value& value) {
    const Value key = values.str(name);
    store([&](Operation& op) { dict::set(op, pool_dict(), Key(op.pool(), key), value); });
  }
  Offset at(const std::string& name) {
    return dict::get(pool(), pool_dict(), Key(pool(), values.str(name))).offset();
  }
  uint64_t& cell(Offset list, uint64_t index) {
    return const_cast<uint64_t&>(list::cells(pool(), list)[index]);
  }
  dict::Table table(Offset dict) { return {pool(), dict::settled(pool(), dict)}; }

  Value numbers(int64_t count) {
    const Value dict = values.dict();
    for (int64_t i = 0; i < count; ++i) {
      dict.node->items.push_back(Values::integer(i));
      dict.node->items.push_back(Values::integer(i));
    }
    return dict;
  }
  // pool["thing"], with the attributes a and b.
  Offset put_record() {
    Offset record = 0;
    const Value key = values.str("thing");
    mutate([&](Operation& op) {
      record = record::create(op, class_table::ensure(op, "m:Thing"));
      dict::set(op, pool_dict(), Key(op.pool(), key), Value::object_at(record));
    });
    mutate([&](Operation& op) { record::set(op, record, "a", Values::integer(1)); });
    mutate([&](Operation& op) { record::set(op, record, "b", values.str("a long text")); });
    return record;
  }
};

// And the heap below it.
class CheckHeap : public Check {
 protected:
  ChunkHeader* chunks() {
    return reinterpret_cast<ChunkHeader*>(const_cast<char*>(pool().file().base()) +
                                          heap::pmdk::kFirstZone + sizeof(heap::pmdk::ZoneHeader));
  }
  char* chunk(uint32_t index) {
    return const_cast<char*>(pool().file().base()) +
           heap::HeapView(pool().file().base(), pool().file().size()).chunk_offset(0, index);
  }
  uint32_t first(ChunkType type, uint16_t flag = 0) {
    uint32_t index = 0;
    while (chunks()[index].type != type || (chunks()[index].flags & flag) != flag)
      index += chunks()[index].chunks;
    return index;
  }
};

}  // namespace nvm::object::testing
