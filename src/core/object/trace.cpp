#include "object/trace.h"

#include <string>

#include "object/dict/dict.h"
#include "object/list/list_body.h"
#include "object/record/record.h"
#include "object/tuple/tuple.h"

namespace nvm::object {

namespace {

using heap::Pool;
using heap::Type;

void trace_list(Pool& pool, Offset list, Tracer& tracer) {
  list::settled(pool, list);
  const list::Contents contents = list::contents(pool, list);
  if (contents.body != 0) tracer.block(contents.body);
  for (const uint64_t bits : contents.part(0, contents.size)) {
    if (bits == 0) tracer.damage("a list with a blank element");
    tracer.cell(Cell(bits));
  }
}

void trace_tuple(Pool& pool, Offset tuple, Tracer& tracer) {
  for (const uint64_t bits : tuple::cells(pool, tuple)) {
    if (bits == 0) tracer.damage("a tuple with a blank element");
    tracer.cell(Cell(bits));
  }
}

}  // namespace

void trace(Pool& pool, Offset object, Tracer& tracer) {
  switch (static_cast<Type>(pool.type_number(object))) {
    case Type::list:
      return trace_list(pool, object, tracer);
    case Type::dict:
    case Type::set:
      return dict::trace(pool, object, tracer);
    case Type::tuple:
    case Type::frozenset:
      return trace_tuple(pool, object, tracer);
    case Type::record:
      return record::trace(pool, object, tracer);
    default:
      tracer.damage("an object of an unknown type");
  }
}

}  // namespace nvm::object
