// How a dict is emptied and freed: in steps, because it may be large.
#include <vector>

#include "object/dict/dict.h"
#include "object/dict/dict_body.h"
#include "object/dict/dict_table.h"
#include "object/store.h"
#include "pmem/error.h"
#include "pmem/store.h"

namespace nvm::object::dict {
namespace {

constexpr uint64_t kEntriesPerStep = 1 << 16;  // so that a step takes a millisecond at most

// Releases what entries own, from the last one down, until `enough`; gives how many are left.
template <class Enough>
uint64_t release_entries(Operation& op, const Table& table, uint64_t& tombstones, Enough enough) {
  uint64_t left = table.used();
  for (; left != 0 && !enough(table.used() - left); --left) {
    const Entry* const entry = table.entry(left - 1);
    const Cell value = table.value(entry);
    if (value.blank()) {
      ++tombstones;
      continue;
    }
    release(op, value);
    release(op, key_cell(*entry));
  }
  return left;
}

void release_everything(Operation& op, Table& table) {
  uint64_t tombstones = 0;
  release_entries(op, table, tombstones, [](uint64_t) { return false; });
  free_body(op, table);
  table.set_body(0);
}

// A fresh object takes the body over; nothing refers to it, so it goes to limbo and is freed there.
void hand_over(Operation& op, Table& table) {
  const Offset heir = create(op);
  pmem::store(&op.at<Header>(heir)->body, table.body());
  op.written(op.at<Header>(heir), sizeof(Header));
  table.set_body(0);
}

// Frees segments as far as one step goes. True if none is left.
bool free_segments(Operation& op, Table& table) {
  std::vector<uint64_t> freed;
  for (uint64_t segment = 0; segment < table.room(); ++segment) {
    const Offset offset = table.segment(segment);
    if (offset == 0) continue;
    if (op.large()) {
      for (const uint64_t gone : freed) table.set_segment(gone, 0);
      return false;
    }
    op.free(offset);
    freed.push_back(segment);
  }
  return true;
}

}  // namespace

void clear(Operation& op, Offset dict) {
  Table table(op, settled(op.pool(), dict));
  if (!table.has_body()) return;
  if (!table.large()) return release_everything(op, table);
  try {
    hand_over(op, table);
  } catch (const Error& error) {  // no room even for that: make some
    if (error.kind() != ErrorKind::full) throw;
    release_everything(op, table);
  }
}

bool destroy_step(Operation& op, Offset dict) {
  Table table(op, settled(op.pool(), dict));
  if (table.has_body()) {
    uint64_t tombstones = 0;
    const uint64_t left = release_entries(op, table, tombstones, [&](uint64_t done) {
      return op.large() || done >= kEntriesPerStep;
    });
    if (left != 0 || (table.large() && !free_segments(op, table))) {
      if (tombstones != 0) table.set_deleted(table.deletions() - tombstones, 0);
      if (left != table.used()) table.set_used(left);
      return false;
    }
    if (table.large()) op.free(table.index());
    op.free(table.body());
  }
  op.free(dict);
  return true;
}

}  // namespace nvm::object::dict
