#include "object/list/list.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "heap/file/alloc_classes.h"
#include "heap/layout/pmdk_layout.h"
#include "object/list/list_body.h"
#include "object/store.h"

namespace nvm::object::list {

namespace {

using heap::Type;

// ---- Bodies and their capacity

constexpr uint64_t kSmallest = 7;       // cells; a body of one cache line
constexpr uint64_t kFewCells = 8192;    // a longer list grows by a quarter, not by half
constexpr uint64_t kNeverShrink = 128;  // cells
constexpr uint64_t kMiddleStep = 128;   // bytes; what blocks between units and chunks are cut to

constexpr uint64_t bytes_for(uint64_t capacity) {
  return sizeof(Body) + capacity * sizeof(uint64_t);
}

constexpr uint64_t capacity_in(uint64_t bytes) { return (bytes - sizeof(Body)) / sizeof(uint64_t); }

constexpr uint64_t round_up(uint64_t value, uint64_t step) {
  return (value + step - 1) / step * step;
}

constexpr uint64_t kMostCells = capacity_in(heap::kMaxBlock - heap::kBlockHeader);

// The room that a block for so many cells has anyway.
uint64_t rounded(uint64_t capacity) {
  if (capacity > kMostCells)
    throw Error(ErrorKind::value,
                "a list cannot have more than " + std::to_string(kMostCells) + " elements");
  const uint64_t bytes = bytes_for(capacity);
  for (const uint64_t unit : heap::kBlobUnits)
    if (bytes <= unit) return capacity_in(unit);
  const uint64_t block = bytes + heap::kBlockHeader;
  const uint64_t chunk = heap::pmdk::kChunkSize;
  const uint64_t whole = round_up(block, block > chunk ? chunk : kMiddleStep);
  return std::min(capacity_in(whole - heap::kBlockHeader), kMostCells);
}

// With room to append to, so that appending copies each cell a constant number of times.
uint64_t grown(uint64_t size) {
  const uint64_t spare = size < kFewCells ? size / 2 : size / 4;
  const uint64_t most = std::max(size, kMostCells);
  return rounded(std::clamp(size + spare, kSmallest, most));
}

bool wasteful(uint64_t capacity, uint64_t size) {
  return capacity > kNeverShrink && size < capacity / 4;
}

// Out of the way of those who read.
[[noreturn]] [[gnu::cold]] void throw_damaged(Offset list, const char* what) {
  throw_corrupt("the list at offset " + std::to_string(list) + what);
}

Body* body_at(const Pool& pool, Offset list, Offset body) {
  const uint64_t capacity = pool.at<Body>(body)->capacity;
  if (capacity > kMostCells) throw_damaged(list, " has a body without end");
  return pool.at<Body>(body, bytes_for(capacity));
}

inline Contents contents_of(const Pool& pool, Offset list, Header* header, uint64_t size,
                            Offset body) {
  if (body == 0 && size == 0) return {header, 0, 0, 0, nullptr};
  Body* const block = body_at(pool, list, body);
  if (size > block->capacity) throw_damaged(list, " is longer than its body");
  return {header, size, block->capacity, body, block->cells};
}

// A body that holds these parts one after the other.
Offset make_body(Operation& op, uint64_t capacity,
                 std::initializer_list<std::span<const uint64_t>> parts) {
  const Offset offset = op.allocate_blob(bytes_for(capacity));
  Body* const body = op.at<Body>(offset, bytes_for(capacity));
  pmem::store(&body->capacity, capacity);
  uint64_t* end = body->cells;
  for (const auto part : parts) {
    pmem::copy(end, part.data(), part.size_bytes());
    end += part.size();
  }
  pmem::zero(end, static_cast<size_t>(body->cells + capacity - end) * sizeof(uint64_t));
  op.written(body, bytes_for(capacity));
  return offset;
}

// ---- Changes of a range; what the cells own is the caller's business

void move_to_new_body(Operation& op, const Contents& list, uint64_t begin, uint64_t end,
                      std::span<const uint64_t> cells) {
  const uint64_t size = list.size - (end - begin) + cells.size();
  const Offset body =
      make_body(op, grown(size), {list.part(0, begin), cells, list.part(end, list.size)});
  op.set(&list.header->body, body);
  op.set(&list.header->size, size);
  if (list.body != 0) op.free(list.body);
}

// What earlier appends of this operation have yet to store must not be missed.
void append_to_new_body(Operation& op, const Contents& list, uint64_t cell) {
  std::vector<uint64_t> added;
  const uint64_t stored = std::min(list.size, pmem::load(&list.header->size));
  for (uint64_t i = stored; i < list.size; ++i) added.push_back(op.get(&list.cells[i]));
  added.push_back(cell);
  move_to_new_body(op, list, stored, list.size, added);
}

// Removing must be possible in a full pool: it does without a new body then.
bool shrink(Operation& op, const Contents& list, uint64_t begin, uint64_t end) {
  if (!wasteful(list.capacity, list.size - (end - begin))) return false;
  try {
    move_to_new_body(op, list, begin, end, {});
    return true;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::full) throw;
    return false;
  }
}

bool all_blank(std::span<const uint64_t> cells) {
  return std::all_of(cells.begin(), cells.end(), [](uint64_t cell) { return cell == 0; });
}

// Moves what is behind the range and fills the gap; everything that is stored to is logged.
void shift(Operation& op, const Contents& list, uint64_t begin, uint64_t end,
           std::span<const uint64_t> cells) {
  const uint64_t behind = begin + cells.size();
  const bool moves = behind != end;
  const uint64_t changed = moves ? behind + (list.size - end) : behind;
  if (changed == begin) return;
  uint64_t* const place = list.cells + begin;
  op.change(place, (changed - begin) * sizeof(uint64_t));
  if (moves)
    pmem::move(list.cells + behind, list.cells + end, (list.size - end) * sizeof(uint64_t));
  pmem::copy(place, cells.data(), cells.size_bytes());
  op.written(place, (changed - begin) * sizeof(uint64_t));
}

std::vector<uint64_t> make_cells(Operation& op, std::span<const Value> values) {
  std::vector<uint64_t> cells;
  cells.reserve(values.size());
  for (const Value& value : values) cells.push_back(make_cell(op, value).bits());
  return cells;
}

}  // namespace

// ---- Reaching a list

void throw_bad_index() { throw Error(ErrorKind::index, "list index out of range"); }

namespace {

[[gnu::noinline]] void settle(Pool& pool, Offset list, Header* header) {
  const uint64_t size = pmem::load(&header->size);
  const Contents found = contents_of(pool, list, header, size, pmem::load(&header->body));
  if (size > 0 && pmem::load(&found.cells[size - 1]) == 0) {
    pmem::store(&header->size, size - 1);
    pool.flush(&header->size, sizeof header->size);
    pool.drain();
  }
  pmem::store(&header->session, pool.session());
}

}  // namespace

Header* settled(Pool& pool, Offset list) {
  Header* const header = pool.object<Header>(list, Type::list);
  if (pmem::load(&header->session) != pool.session()) [[unlikely]]
    settle(pool, list, header);
  return header;
}

Contents contents(Pool& pool, Offset list) {
  Header* const header = settled(pool, list);
  return contents_of(pool, list, header, pmem::load(&header->size), pmem::load(&header->body));
}

Contents contents(Operation& op, Offset list) {
  Header* const header = settled(op.pool(), list);
  return contents_of(op.pool(), list, header, op.get(&header->size), op.get(&header->body));
}

uint64_t filled(const Contents& list) {
  uint64_t filled = list.size;
  while (filled > 0 && pmem::load(&list.cells[filled - 1]) == 0) --filled;
  return filled;
}

void drop_blank_end(Operation& op, Offset list) {
  const Contents found = contents(op, list);
  op.set(&found.header->size, filled(found));
}

// ---- Reading

uint64_t size(Pool& pool, Offset list) { return pmem::load(&settled(pool, list)->size); }

Cell get(Pool& pool, Offset list, uint64_t index) {
  const Contents found = contents(pool, list);
  if (index >= found.size) throw_bad_index();
  return Cell(pmem::load(&found.cells[index]));
}

std::span<const uint64_t> cells(Pool& pool, Offset list) {
  const Contents found = contents(pool, list);
  return found.part(0, found.size);
}

// ---- Making

void write_fresh(Operation& op, Offset list, uint64_t size, Offset body) {
  Header* const header = op.at<Header>(list);
  pmem::store(&header->size, size);
  pmem::store(&header->body, body);
  pmem::store(&header->session, op.pool().session());
  pmem::store(&header->reserved0, 0U);
  pmem::zero(header->reserved1, sizeof header->reserved1);
  op.written(&header->size, sizeof(Header) - offsetof(Header, size));
}

Offset create(Operation& op, uint64_t capacity) {
  const Offset body = capacity == 0 ? 0 : make_body(op, rounded(capacity), {});
  const Offset list = op.allocate_object(Type::list, sizeof(Header));
  write_fresh(op, list, 0, body);
  return list;
}

void fill_fresh(Operation& op, Offset list, std::span<const uint64_t> cells) {
  if (cells.empty()) return;
  const Offset body = make_body(op, rounded(cells.size()), {cells});
  write_fresh(op, list, cells.size(), body);
}

// ---- Changing

void append(Operation& op, Offset list, const Value& value) {
  const Contents old = contents(op, list);
  const uint64_t cell = make_cell(op, value).bits();
  if (old.size == old.capacity) return append_to_new_body(op, old, cell);
  uint64_t* const place = old.cells + old.size;
  const bool was_blank = *place == 0;
  if (!was_blank && op.pool().in_transaction())
    op.set(place, cell);  // as in fill_spare()
  else
    fill_spare(op, old, {&cell, 1});
  if (was_blank) op.one_fence();  // settled() would see that the cell is missing
  op.set(&old.header->size, old.size + 1);
}

void set(Operation& op, Offset list, uint64_t index, const Value& value) {
  const Contents found = contents(op, list);
  if (index >= found.size) throw_bad_index();
  replace(op, &found.cells[index], value);
}

void insert(Operation& op, Offset list, uint64_t index, const Value& value) {
  if (index == contents(op, list).size) return append(op, list, value);
  splice(op, list, index, index, {&value, 1});
}

void pop(Operation& op, Offset list) {
  const Contents old = contents(op, list);
  if (old.size == 0) throw_bad_index();
  splice(op, list, old.size - 1, old.size, {});
}

void splice(Operation& op, Offset list, uint64_t begin, uint64_t end,
            std::span<const Value> values) {
  const Contents old = contents(op, list);
  if (begin > end || end > old.size) throw_bad_index();
  if (end - begin == old.size && values.empty()) return clear(op, list);
  const std::vector<uint64_t> cells = make_cells(op, values);
  for (const uint64_t cell : old.part(begin, end)) release(op, Cell(cell));
  replace_range(op, old, begin, end, cells);
}

// Within a transaction, what is not blank there may have been in the list when it began, and must
// come back if it is aborted.
void fill_spare(Operation& op, const Contents& list, std::span<const uint64_t> cells) {
  const auto room = list.part(list.size, list.size + cells.size());
  uint64_t* const place = list.cells + list.size;
  if (op.pool().in_transaction() && !all_blank(room)) op.change(place, cells.size_bytes());
  pmem::copy(place, cells.data(), cells.size_bytes());
  op.written(place, cells.size_bytes());
}

Contents with_room(Operation& op, const Contents& list, uint64_t size) {
  if (size <= list.capacity) return list;
  const Offset body = make_body(op, grown(size), {list.part(0, list.size)});
  op.set(&list.header->body, body);
  if (list.body != 0) op.free(list.body);
  return contents_of(op.pool(), op.pool().offset_of(list.header), list.header, list.size, body);
}

void replace_range(Operation& op, const Contents& list, uint64_t begin, uint64_t end,
                   std::span<const uint64_t> cells) {
  const uint64_t size = list.size - (end - begin) + cells.size();
  if (size > list.capacity) return move_to_new_body(op, list, begin, end, cells);
  if (cells.empty() && shrink(op, list, begin, end)) return;
  if (size != list.size) op.set(&list.header->size, size);  // first: one fence logs both
  if (begin == list.size)
    fill_spare(op, list, cells);
  else
    shift(op, list, begin, end, cells);
}

void rewrite(Operation& op, const Contents& list, std::span<const uint64_t> cells) {
  op.change(list.cells, cells.size_bytes());
  pmem::copy(list.cells, cells.data(), cells.size_bytes());
  op.written(list.cells, cells.size_bytes());
}

}  // namespace nvm::object::list
