#include "object/trace.h"

#include <span>

#include "object/boxed/boxed.h"
#include "object/bytearray/bytearray.h"
#include "object/dict/dict.h"
#include "object/list/list_body.h"
#include "object/raw/raw.h"
#include "object/record/class_table.h"
#include "object/record/record.h"
#include "object/tuple/tuple.h"

namespace nvm::object {

namespace {

using heap::Pool;
using heap::Type;

void trace_cells(std::span<const uint64_t> cells, Slot::Kind kind, Tracer& tracer) {
  for (uint64_t i = 0; i < cells.size(); ++i) tracer.cell(Cell(cells[i]), {kind, i});
}

void trace_list(Pool& pool, Offset list, Tracer& tracer) {
  list::settled(pool, list);
  const list::Contents contents = list::contents(pool, list);
  const uint64_t bytes = sizeof(list::Body) + contents.capacity * sizeof(uint64_t);
  if (contents.body != 0 && !tracer.block(contents.body, bytes)) return;
  const uint64_t filled = list::filled(contents);
  trace_cells(contents.part(0, filled), Slot::Kind::item, tracer);
  for (uint64_t i = filled; i < contents.size; ++i)
    tracer.damage("a place that is blank", {Slot::Kind::item, i}, Flaw::length);
}

void trace_tuple(Pool& pool, Offset tuple, Slot::Kind kind, Tracer& tracer) {
  const std::span<const uint64_t> cells = tuple::cells(pool, tuple);
  if (tracer.extent(sizeof(tuple::Header) + cells.size_bytes())) trace_cells(cells, kind, tracer);
}

void trace_boxed(Pool& pool, Offset boxed, Tracer& tracer) {
  boxed::view(pool, boxed);  // throws if it is not sound
  trace_tuple(pool, boxed, Slot::Kind::item, tracer);
}

void trace_raw(Pool& pool, Offset head, Tracer& tracer) {
  const raw::View view = raw::view(pool, head);
  if (!tracer.extent(sizeof(raw::Raw) + view.size)) return;
  const Held* const held = tracer.held(head);
  if (held == nullptr) return;
  for (const Offset block : held->blocks) tracer.block(block);
  for (uint64_t i = 0; i < held->references.size(); ++i)
    tracer.cell(Cell::object(held->references[i]), {Slot::Kind::item, i});
}

}  // namespace

void trace(Pool& pool, Offset object, Tracer& tracer) {
  if (heap::class_of(pool.at<heap::Counted>(object)->word) > class_table::count(pool))
    tracer.damage("is of an unknown class");
  switch (static_cast<Type>(pool.type_number(object))) {
    case Type::list:
      return trace_list(pool, object, tracer);
    case Type::dict:
    case Type::set:
      return dict::trace(pool, object, tracer);
    case Type::bytearray:
      return bytearray::trace(pool, object, tracer);
    case Type::tuple:
    case Type::persistent_tuple:
      return trace_tuple(pool, object, Slot::Kind::item, tracer);
    case Type::frozenset:
    case Type::persistent_frozenset:
      return trace_tuple(pool, object, Slot::Kind::element, tracer);
    case Type::boxed:
      return trace_boxed(pool, object, tracer);
    case Type::record:
      return record::trace(pool, object, tracer);
    default:
      if (heap::is_raw(pool.type_number(object))) return trace_raw(pool, object, tracer);
      tracer.damage("an object of an unknown type");
  }
}

void mend(heap::Operation& op, Offset object, Flaw flaw) {
  switch (static_cast<Type>(op.pool().type_number(object))) {
    case Type::list:
      return list::drop_blank_end(op, object);
    case Type::dict:
    case Type::set:
      return flaw == Flaw::index ? dict::renew_index(op, object)
                                 : dict::count_deletions(op, object);
    default:
      throw_corrupt("there is nothing to mend in the object at offset " + std::to_string(object));
  }
}

}  // namespace nvm::object
