#include "object/record/shape.h"

#include <algorithm>

#include "object/caches.h"
#include "object/record/class_table.h"
#include "object/value/blob.h"
#include "object/value/name.h"
#include "pmem/error.h"
#include "pmem/store.h"

namespace nvm::object {
namespace {

using heap::Operation;
using heap::Pool;

constexpr size_t kFirstKnown = 64;

[[noreturn]] void throw_damaged(Offset offset) {
  throw_corrupt("the shape at offset " + std::to_string(offset) + " is damaged");
}

// From the last attribute to the first: each shape has one less than the one before.
void read_names(const Pool& pool, const heap::Shape* raw, ShapeInfo& shape) {
  shape.names.resize(raw->count);
  for (uint64_t slot = raw->count; slot-- > 0;) {
    if (raw->count != slot + 1 || raw->flags != 0 || raw->class_id != shape.class_id)
      throw_damaged(shape.offset);
    shape.names[slot] = utf8_of(pool, raw->name);
    if ((raw->parent == 0) != (slot == 0)) throw_damaged(shape.offset);
    if (slot != 0) raw = pool.at<heap::Shape>(raw->parent);
  }
  for (size_t slot = 0; slot < shape.names.size(); ++slot)
    shape.slots.emplace(shape.names[slot], static_cast<int32_t>(slot));
  if (shape.slots.size() != shape.names.size()) throw_damaged(shape.offset);
}

std::unique_ptr<const ShapeInfo> read_shape(const Pool& pool, Offset offset) {
  const auto* const raw = pool.at<heap::Shape>(offset);
  if (raw->count == 0 || raw->count > kMaxAttributes || (raw->flags & ~heap::kShapeDict) != 0)
    throw_damaged(offset);
  auto shape = std::make_unique<ShapeInfo>();
  shape->offset = offset;
  shape->class_id = raw->class_id;
  shape->dict = raw->flags == heap::kShapeDict;
  if (!shape->dict) read_names(pool, raw, *shape);
  return shape;
}

// Links a new shape to its class.
Offset make_shape(Operation& op, heap::Shape shape) {
  heap::ClassEntry* const entry = class_table::entry(op, shape.class_id);
  shape.next = op.get(&entry->first_shape);
  const Offset offset = op.allocate_blob(sizeof(heap::Shape));
  auto* const made = op.at<heap::Shape>(offset);
  pmem::copy(made, &shape, sizeof shape);
  op.written(made, sizeof shape);
  op.set(&entry->first_shape, offset);
  return offset;
}

}  // namespace

int32_t ShapeInfo::slot(std::string_view name) const {
  const auto found = slots.find(name);
  return found == slots.end() ? -1 : found->second;
}

void check_shape(const Pool& pool, Offset offset) { read_shape(pool, offset); }

// ---- What is known

const ShapeInfo* ShapeCache::Known::find(Offset offset) const {
  const size_t mask = places.size() - 1;
  for (size_t place = offset >> 4;; ++place) {
    const ShapeInfo* const shape = places[place & mask].load(std::memory_order_acquire);
    if (shape == nullptr || shape->offset == offset) return shape;
  }
}

void ShapeCache::Known::insert(const ShapeInfo* shape) {
  const size_t mask = places.size() - 1;
  size_t place = shape->offset >> 4;
  while (places[place & mask].load(std::memory_order_relaxed) != nullptr) ++place;
  places[place & mask].store(shape, std::memory_order_release);
}

// Nothing is undone while the latch is held, so nobody else has used what is dropped here since he
// took it.
void ShapeCache::forget_what_was_undone(Pool& pool) {
  const uint64_t epoch = pool.undo_epoch();
  if (epoch_.load(std::memory_order_acquire) == epoch) return;
  std::lock_guard lock(mutex_);
  if (epoch_.load(std::memory_order_relaxed) == epoch) return;
  known_.store(nullptr);
  tables_.clear();
  shapes_.clear();
  classes_.clear();
  class_ids_.clear();
  class_ids_known_ = 0;
  epoch_.store(epoch, std::memory_order_release);
}

const ShapeInfo& ShapeCache::shape(Pool& pool, Offset offset) {
  forget_what_was_undone(pool);
  if (const Known* const known = known_.load(std::memory_order_acquire)) {
    if (const ShapeInfo* const shape = known->find(offset)) return *shape;
  }
  std::lock_guard lock(mutex_);
  return learn(pool, offset);
}

const ShapeInfo& ShapeCache::learn(Pool& pool, Offset offset) {
  Known* known = known_.load(std::memory_order_relaxed);
  if (known != nullptr) {
    if (const ShapeInfo* const shape = known->find(offset)) return *shape;
  }
  const ShapeInfo& shape = *shapes_.emplace_back(read_shape(pool, offset));
  if (known != nullptr && shapes_.size() * 2 <= known->places.size()) {
    known->insert(&shape);
    return shape;
  }
  const size_t size = known == nullptr ? kFirstKnown : known->places.size() * 2;
  known = tables_.emplace_back(std::make_unique<Known>(size)).get();
  for (const auto& each : shapes_) known->insert(each.get());
  known_.store(known, std::memory_order_release);
  return shape;
}

// ---- Classes

std::string ShapeCache::child_key(Offset parent, std::string_view name) {
  std::string key(reinterpret_cast<const char*>(&parent), sizeof parent);
  return key.append(name);
}

const ClassShapes& ShapeCache::shapes_of(Operation& op, uint64_t class_id) {
  forget_what_was_undone(op.pool());
  const Offset newest = op.get(&class_table::entry(op, class_id)->first_shape);
  std::lock_guard lock(mutex_);
  ClassShapes& known = classes_[class_id];
  if (known.newest != newest) learn_newer(op, known, class_id, newest);
  return known;
}

void ShapeCache::learn_newer(Operation& op, ClassShapes& known, uint64_t class_id, Offset newest) {
  for (Offset offset = newest; offset != known.newest;) {
    const auto* const raw = op.at<heap::Shape>(offset);
    if (raw->class_id != class_id || ++known.count > kMaxShapes + 1) throw_damaged(offset);
    const ShapeInfo& shape = learn(op.pool(), offset);
    if (shape.dict) {
      known.dict = offset;
    } else {
      known.children.emplace(child_key(raw->parent, shape.names.back()), offset);
    }
    known.largest = std::max(known.largest, shape.count());
    offset = raw->next;
    if (offset == 0) break;
  }
  known.newest = newest;
}

uint64_t ShapeCache::class_id(Pool& pool, std::string_view name) {
  forget_what_was_undone(pool);
  std::lock_guard lock(mutex_);
  const uint64_t count = class_table::count(pool);
  for (; class_ids_known_ < count; ++class_ids_known_)
    class_ids_.emplace(class_table::name_of(pool, class_ids_known_ + 1), class_ids_known_ + 1);
  const auto found = class_ids_.find(std::string(name));
  return found == class_ids_.end() ? 0 : found->second;
}

// ---- New shapes

Offset shape_with(Operation& op, uint64_t class_id, Offset parent, std::string_view name) {
  ShapeCache& cache = caches(op.pool()).shapes;
  const ClassShapes& shapes = cache.shapes_of(op, class_id);
  const auto known = shapes.children.find(ShapeCache::child_key(parent, name));
  if (known != shapes.children.end()) return known->second;
  if (shapes.count >= kMaxShapes) return 0;
  const uint64_t count = parent == 0 ? 0 : cache.shape(op.pool(), parent).count();
  const Offset text = blob::create(op, Name(name).text());
  return make_shape(op, {.class_id = class_id,
                         .count = count + 1,
                         .parent = parent,
                         .name = text,
                         .next = 0,
                         .flags = 0});
}

Offset dict_shape(Operation& op, uint64_t class_id) {
  const ClassShapes& shapes = caches(op.pool()).shapes.shapes_of(op, class_id);
  if (shapes.dict != 0) return shapes.dict;
  return make_shape(op, {.class_id = class_id,
                         .count = 1,
                         .parent = 0,
                         .name = 0,
                         .next = 0,
                         .flags = heap::kShapeDict});
}

}  // namespace nvm::object
