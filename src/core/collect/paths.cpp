#include "collect/paths.h"

#include <algorithm>
#include <charconv>

#include "object/dict/dict.h"
#include "object/record/record.h"
#include "object/value/name.h"

namespace nvm::collect {

namespace {

using heap::Offset;
using heap::Pool;
using heap::Type;
using object::Cell;
using object::Slot;
using object::StoredKey;

constexpr size_t kMostSteps = 24;  // of a path; what is between its ends is left out
constexpr size_t kMostOfKey = 60;  // bytes of a key that are shown

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char character : text.substr(0, kMostOfKey)) {
    if (character == '"' || character == '\\') result += '\\';
    if (character == '\n') {
      result += "\\n";
    } else {
      result += character;
    }
  }
  return result + (text.size() > kMostOfKey ? "...\"" : "\"");
}

std::string of_number(double number) {
  char text[32];
  const auto end = std::to_chars(std::begin(text), std::end(text), number);
  return {std::begin(text), end.ptr};
}

std::string of_constant(Cell cell) {
  static constexpr const char* kNames[] = {"None", "False", "True", "..."};
  return kNames[cell.bits() - 1];
}

// A dict's key as Python writes it, if that is short.
std::string of_key(const Pool& pool, const StoredKey& key, uint64_t number) {
  const Cell cell = key.cell;
  const bool in_cell = key.kind == StoredKey::Kind::cell;
  if (in_cell && cell.kind() == Cell::Kind::integer) return std::to_string(cell.as_integer());
  if (in_cell && cell.kind() == Cell::Kind::real) return of_number(cell.as_real());
  if (in_cell && cell.kind() == Cell::Kind::constant) return of_constant(cell);
  if (key.kind == StoredKey::Kind::bytes) return "b" + quoted({key.data, key.length});
  try {
    return quoted(object::utf8_of(pool, key));
  } catch (const Error&) {
    return "<key of entry " + std::to_string(number) + ">";
  }
}

}  // namespace

Paths::Paths(Pool& pool, Census& census, Pace& pace)
    : pool_(pool), census_(census), pace_(pace), links_(census.entries().size()) {
  start(pool.root().root_dict, kPool);
  start(pool.root().root, kPoolRoot);
  walk();
}

uint64_t Paths::number_of(Offset offset) {
  const Entry* const entry = census_.find(offset);
  if (entry == nullptr || !entry->object()) return kNothing;
  return static_cast<uint64_t>(entry - census_.entries().data());
}

void Paths::start(uint64_t cell, uint64_t from) {
  current_ = from;
  this->cell(Cell(cell), {});
}

void Paths::cell(Cell cell, Slot slot) {
  pace_.poll();
  if (cell.kind() != Cell::Kind::object) return;
  const uint64_t number = number_of(cell.offset());
  if (number == kNothing || links_[number].from != kNothing) return;
  links_[number] = {current_, slot};
  queue_.push_back(number);
}

// What has another owner already, or is too short, is not gone into: so the walk ends on any bytes.
bool Paths::block(Offset offset, uint64_t bytes) {
  const Entry* const entry = census_.find(offset);
  if (entry == nullptr || entry->kind() != BlockClass::plain || entry->usable() < bytes)
    return false;
  Link& link = links_[static_cast<size_t>(entry - census_.entries().data())];
  if (link.from != kNothing) return false;
  link.from = current_;
  return true;
}

bool Paths::extent(uint64_t bytes) {
  return bytes <= Census::usable(pool_, census_.entries()[current_]);
}

void Paths::walk() {
  // NOLINTNEXTLINE(modernize-loop-convert): the queue grows meanwhile
  for (size_t next = 0; next < queue_.size(); ++next) {
    current_ = queue_[next];
    try {
      object::trace(pool_, census_.entries()[current_].offset(), *this);
    } catch (const Error&) {
      // Damaged: check() has said so. What lies behind it has no path.
    }
  }
}

std::string Paths::of(Offset object, Slot slot) {
  uint64_t number = number_of(object);
  if (number == kNothing || links_[number].from == kNothing) return {};
  std::vector<std::string> steps{label(number, slot)};
  size_t left_out = 0;
  for (; number < kPoolRoot; number = links_[number].from) {
    const Link& link = links_[number];
    if (link.from >= kPoolRoot) {
      steps.emplace_back(link.from == kPool ? "pool" : "pool.root");
    } else if (steps.size() < kMostSteps) {
      steps.push_back(label(link.from, link.slot));
    } else {
      ++left_out;
    }
  }
  std::string path = std::move(steps.back());
  steps.pop_back();
  if (left_out != 0) path += "<" + std::to_string(left_out) + " steps>";
  for (; !steps.empty(); steps.pop_back()) path += steps.back();
  return path;
}

std::string Paths::label(uint64_t from, Slot slot) {
  try {
    return label_unguarded(census_.entries()[from].offset(), slot);
  } catch (const Error&) {
    return "<slot " + std::to_string(slot.number) + ">";
  }
}

std::string Paths::label_unguarded(Offset object, Slot slot) {
  const std::string number = std::to_string(slot.number);
  const bool set = pool_.type_number(object) == static_cast<uint64_t>(Type::set);
  switch (slot.kind) {
    case Slot::Kind::none:
      return {};
    case Slot::Kind::item:
      return "[" + number + "]";
    case Slot::Kind::element:
      return "{" + number + "}";
    case Slot::Kind::key:
      return set ? "{" + number + "}" : "<key of entry " + number + ">";
    case Slot::Kind::value:
      if (set) return "{" + number + "}";
      return "[" + of_key(pool_, object::dict::key_at(pool_, object, slot.number), slot.number) +
             "]";
    case Slot::Kind::attribute:
      return object::record::name_of_slot(pool_, object, slot.number);
  }
  return {};
}

}  // namespace nvm::collect
