// Steps for scenarios, short enough to be read as sentences:
//   list_step([](Operation& op, Offset list) { list::append(op, list, Value::integer_of(1)); })
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "core/pool_fixture.h"
#include "crash/scenario.h"
#include "heap/access.h"
#include "object/dict/dict.h"
#include "object/key/key.h"
#include "object/list/list.h"
#include "object/record/class_table.h"
#include "object/record/record.h"
#include "object/store.h"

namespace nvm::crash {

using heap::Offset;
using heap::Operation;
using heap::Pool;
using object::Cell;
using object::Value;
using object::testing::Values;

inline Value integer(int64_t value) { return Value::integer_of(value); }
// Texts live as long as the process: steps are run many times.
inline Value text(const std::string& characters) {
  static auto* const kept = new std::deque<std::string>;
  const std::string& text = kept->emplace_back(characters);
  return Value::str(text.data(), text.size(), 1, true);
}
inline const std::string kLong(40, 'x');
inline const std::string kOther(41, 'y');

// The object that pool.root refers to.
inline Offset root_object(Pool& pool) { return Cell(pool.root().root).offset(); }

// pool.root = a value made anew each time.
template <class Make>
Step assign_root(Make make) {
  return [make](Pool& pool) {
    Values values;
    const Value value = make(values);
    heap::mutate(pool, [&](Operation& op) {
      object::forget(values.graph);
      object::replace(op, &op.pool().root().root, value);
    });
  };
}

// One operation on the object that pool.root refers to.
template <class Change>
Step on_root(Change change) {
  return [change](Pool& pool) {
    heap::mutate(pool, [&](Operation& op) { change(op, root_object(op.pool())); });
  };
}

inline Step transaction(std::vector<Step> steps) {
  return [steps = std::move(steps)](Pool& pool) {
    pool.begin();
    for (const Step& step : steps) step(pool);
    pool.commit();
  };
}
inline Step aborted(std::vector<Step> steps) {
  return [steps = std::move(steps)](Pool& pool) {
    pool.begin();
    for (const Step& step : steps) step(pool);
    pool.abort();
    pool.end_failed();
  };
}

inline Step in_another_thread(Step step) {
  return [step = std::move(step)](Pool& pool) { std::thread([&] { step(pool); }).join(); };
}

// ---- Lists
inline Step append(Value value) {
  return on_root([value](Operation& op, Offset list) { object::list::append(op, list, value); });
}
inline Step set_at(uint64_t index, Value value) {
  return on_root([=](Operation& op, Offset list) { object::list::set(op, list, index, value); });
}
inline Step insert_at(uint64_t index, Value value) {
  return on_root([=](Operation& op, Offset list) { object::list::insert(op, list, index, value); });
}
inline Step pop() {
  return on_root([](Operation& op, Offset list) { object::list::pop(op, list); });
}

// ---- Dicts
inline Step put(Value key, Value value) {
  return on_root([=](Operation& op, Offset dict) {
    object::dict::set(op, dict, object::Key(op.pool(), key), value);
  });
}
inline Step erase(Value key) {
  return on_root([=](Operation& op, Offset dict) {
    object::dict::erase(op, dict, object::Key(op.pool(), key));
  });
}

}  // namespace nvm::crash
