// Values as an interpreter would hand them over, for tests that store some of every type.
#pragma once

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "object/boxed/boxed.h"
#include "object/value/value.h"

namespace nvm::object::testing {

using heap::Type;

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

}  // namespace nvm::object::testing
