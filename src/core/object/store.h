// From values to cells and back to nothing.
#pragma once

#include "heap/operation.h"
#include "object/value/cell.h"
#include "object/value/value.h"

namespace nvm::object {

// Gives the cell for a value, making the blob or the containers it needs and counting the
// reference it holds. The cell must be stored in a slot by the same operation. Nodes of a graph are
// stored once each, without recursion; a later call with a stored node refers to the same object.
// For an operation that may run again, call forget(graph) first.
Cell make_cell(heap::Operation& op, const Value& value);
void forget(Graph& graph);
// The cell for another slot with the same value: a copy of its blob, or one more reference.
Cell copy_cell(heap::Operation& op, Cell cell);

// What a slot owned by this cell gives up: its blob is freed, its reference dropped.
void release(heap::Operation& op, Cell cell);
// Releases cells from the end on, until the operation is as large as one step of freeing may be;
// returns how many are left.
uint64_t release_from_end(heap::Operation& op, const uint64_t* cells, uint64_t count);
// True if release() has nothing to do.
inline bool plain(Cell cell) {
  return cell.kind() != Cell::Kind::blob && cell.kind() != Cell::Kind::object;
}

// heap::Destroyer: frees an unreferenced object of any type, in steps.
bool destroy(heap::Operation& op, Offset object);
// One step of letting go what an object of any type owns and refers to, as its own way of being
// cleared does; true when nothing is left that keeps a cycle closed. What is immutable stays as it
// is: every cycle leads through something that can be cleared.
bool clear_step(heap::Operation& op, Offset object);
// heap::Initializer of a new pool: root, root dict, class table.
void initialize(heap::Operation& op, heap::RootObject& root);

// Replaces a reachable cell by a value: F1, F2 or F3 as the operation decides.
void replace(heap::Operation& op, uint64_t* cell, const Value& value);

}  // namespace nvm::object
