#include "object/boxed/boxed.h"

#include <string>

#include "object/tuple/tuple.h"
#include "pmem/error.h"

namespace nvm::object::boxed {

namespace {

bool is_sound(const View& view, uint64_t length, uint16_t flags) {
  if (length < 1 || length > 2 || (flags & ~(kFormMask | kTransparent)) != 0) return false;
  if (view.form < Form::standard || view.form > Form::pickled || view.class_id == 0) return false;
  if (view.key.blank()) return length == 1 && !view.transparent;
  // A transparent one's key is looked at in its place: it must lead no further.
  return (view.key.kind() == Cell::Kind::object) != view.transparent;
}

}  // namespace

View view(const heap::Pool& pool, Offset offset) {
  if (pool.type_number(offset) != static_cast<uint64_t>(heap::Type::boxed))
    throw_corrupt("no boxed value at offset " + std::to_string(offset));
  const auto cells = tuple::cells(pool, offset);
  const uint16_t flags = tuple::flags(pool, offset);
  View view{};
  view.form = static_cast<Form>(flags & kFormMask);
  view.transparent = (flags & kTransparent) != 0;
  view.class_id = tuple::class_id(pool, offset);
  if (cells.size() > kState) view.state = Cell(cells[kState]);
  if (cells.size() > kKey) view.key = Cell(cells[kKey]);
  if (!is_sound(view, cells.size(), flags))
    throw_corrupt("the boxed value at offset " + std::to_string(offset) + " is damaged");
  return view;
}

}  // namespace nvm::object::boxed
