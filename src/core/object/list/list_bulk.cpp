// Changes of many cells at once: extended slices, reverse, sort, repeat, clear, and destruction.
#include <algorithm>
#include <string>
#include <vector>

#include "heap/file/alloc_classes.h"
#include "object/list/list.h"
#include "object/list/list_body.h"
#include "object/store.h"
#include "object/stride.h"

namespace nvm::object::list {

namespace {

constexpr uint64_t kFewWords = 4;  // as many cells are set one by one
constexpr uint64_t kChunk = 8192;  // cells that are copied at once
constexpr uint64_t kFewOwned = 8;  // as many blobs and references are released at once

// Throws Error(index) unless all of its places are in a list of this size.
Stride checked(uint64_t size, uint64_t begin, int64_t step, uint64_t count) {
  const std::optional<Stride> stride = Stride::within(size, begin, step, count);
  if (!stride) throw_bad_index();
  return *stride;
}

void set_words(Operation& op, const Contents& list, const Stride& stride,
               std::span<const uint64_t> cells) {
  for (uint64_t k = 0; k < stride.count; ++k) op.set(&list.cells[stride.at(k)], cells[k]);
}

void store_logged(Operation& op, const Contents& list, const Stride& stride,
                  std::span<const uint64_t> cells) {
  uint64_t* const begin = list.cells + stride.first;
  const uint64_t bytes = (stride.last() - stride.first + 1) * sizeof(uint64_t);
  op.change(begin, bytes);
  for (uint64_t k = 0; k < stride.count; ++k) pmem::store(&list.cells[stride.at(k)], cells[k]);
  op.written(begin, bytes);
}

bool owns_more_than(std::span<const uint64_t> cells, uint64_t few) {
  uint64_t owned = 0;
  for (const uint64_t cell : cells) {
    if (plain(Cell(cell))) continue;
    if (++owned > few) return true;
  }
  return false;
}

void release_all(Operation& op, std::span<const uint64_t> cells) {
  for (const uint64_t cell : cells) release(op, Cell(cell));
}

// Gives the body to a list of its own that nobody refers to: it goes to limbo, and is freed in
// steps. Removing must be possible in a full pool: false if there is no room for that.
bool give_away_body(Operation& op, const Contents& list) {
  try {
    const Offset heir = create(op);
    write_fresh(op, heir, list.size, list.body);
    return true;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::full) throw;
    return false;
  }
}

void check_permutation(uint64_t size, std::span<const uint64_t> order) {
  std::vector<bool> seen(size);
  bool sound = order.size() == size;
  for (size_t i = 0; sound && i < order.size(); ++i) {
    sound = order[i] < size && !seen[order[i]];
    if (sound) seen[order[i]] = true;
  }
  if (!sound) throw Error(ErrorKind::value, "the new order is no permutation of the list");
}

}  // namespace

void set_strided(Operation& op, Offset list, uint64_t begin, int64_t step,
                 std::span<const Value> values) {
  const Contents old = contents(op, list);
  const Stride stride = checked(old.size, begin, step, values.size());
  if (stride.count == 0) return;
  std::vector<uint64_t> cells;
  cells.reserve(values.size());
  for (const Value& value : values) cells.push_back(make_cell(op, value).bits());
  if (stride.descending) std::reverse(cells.begin(), cells.end());
  for (uint64_t k = 0; k < stride.count; ++k) release(op, Cell(old.cells[stride.at(k)]));
  if (stride.count <= kFewWords)
    set_words(op, old, stride, cells);
  else
    store_logged(op, old, stride, cells);
}

void erase_strided(Operation& op, Offset list, uint64_t begin, int64_t step, uint64_t count) {
  const Contents old = contents(op, list);
  const Stride stride = checked(old.size, begin, step, count);
  if (stride.count == 0) return;
  std::vector<uint64_t> left;  // from the first removed place on
  left.reserve(old.size - stride.first - stride.count);
  for (uint64_t k = 0; k < stride.count; ++k) {
    const uint64_t place = stride.at(k);
    const uint64_t next = k + 1 < stride.count ? stride.at(k + 1) : old.size;
    release(op, Cell(old.cells[place]));
    left.insert(left.end(), old.cells + place + 1, old.cells + next);
  }
  replace_range(op, old, stride.first, old.size, left);
}

void reverse(Operation& op, Offset list) {
  const Contents old = contents(op, list);
  if (old.size < 2) return;
  std::vector<uint64_t> cells(old.cells, old.cells + old.size);
  std::reverse(cells.begin(), cells.end());
  rewrite(op, old, cells);
}

void permute(Operation& op, Offset list, std::span<const uint64_t> order) {
  const Contents old = contents(op, list);
  check_permutation(old.size, order);
  std::vector<uint64_t> cells;
  cells.reserve(order.size());
  for (const uint64_t place : order) cells.push_back(old.cells[place]);
  if (!cells.empty()) rewrite(op, old, cells);
}

void repeat(Operation& op, Offset list, uint64_t times) {
  if (times == 0) return clear(op, list);
  const Contents old = contents(op, list);
  if (old.size == 0 || times == 1) return;
  if (times > heap::kMaxBlock / sizeof(uint64_t) / old.size)
    throw Error(ErrorKind::value, "the repeated list would have too many elements");
  Contents grown = with_room(op, old, old.size * times);
  op.set(&old.header->size, old.size * times);
  std::vector<uint64_t> cells;
  for (uint64_t left = old.size * (times - 1), next = 0; left != 0; left -= cells.size()) {
    cells.resize(std::min(left, kChunk));
    for (uint64_t& cell : cells) {
      cell = copy_cell(op, Cell(old.cells[next])).bits();
      next = next + 1 == old.size ? 0 : next + 1;
    }
    fill_spare(op, grown, cells);
    grown.size += cells.size();
  }
}

void clear(Operation& op, Offset list) {
  const Contents old = contents(op, list);
  if (old.body == 0) return;
  const auto cells = old.part(0, old.size);
  if (!owns_more_than(cells, kFewOwned) || !give_away_body(op, old)) {
    release_all(op, cells);
    op.free(old.body);
  }
  op.set(&old.header->size, 0);
  op.set(&old.header->body, 0);
}

bool destroy_step(Operation& op, Offset list) {
  const Contents old = contents(op, list);
  const uint64_t left = release_from_end(op, old.cells, old.size);
  if (left == 0 && !op.large()) {
    if (old.body != 0) op.free(old.body);
    op.free(list);
    return true;
  }
  if (left != old.size) op.set(&old.header->size, left);
  return false;
}

}  // namespace nvm::object::list
