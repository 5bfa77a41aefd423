#include "object/record/class_table.h"

#include <algorithm>

#include "object/caches.h"
#include "object/record/shape.h"
#include "object/value/blob.h"
#include "object/value/name.h"
#include "pmem/error.h"
#include "pmem/store.h"

namespace nvm::object::class_table {
namespace {

using heap::ClassEntry;
using heap::ClassTable;
using heap::Operation;
using heap::Pool;

constexpr uint64_t kFirstCapacity = 15;  // a block of 256 bytes

constexpr uint64_t bytes_for(uint64_t capacity) {
  return sizeof(ClassTable) + capacity * sizeof(ClassEntry);
}

ClassTable* table_at(const Pool& pool, Offset offset) {
  const uint64_t capacity = pool.at<ClassTable>(offset)->capacity;
  if (capacity > kMaxClasses) throw_corrupt("the class table is damaged");
  return pool.at<ClassTable>(offset, bytes_for(capacity));
}

ClassEntry* entry_at(const Pool& pool, Offset table_offset, uint64_t count, uint64_t class_id) {
  if (class_id == 0 || class_id > count)
    throw_corrupt("there is no class of number " + std::to_string(class_id));
  ClassTable* const table = table_at(pool, table_offset);
  if (class_id > table->capacity) throw_corrupt("the class table is damaged");
  return &table->entries[class_id - 1];
}

uint64_t bytes_of_table(const Pool& pool, Offset offset) {
  return bytes_for(table_at(pool, offset)->capacity);
}

// A table with room for more, and the entries of this one.
void grow(Operation& op, Offset old, uint64_t count) {
  const uint64_t capacity = std::max(kFirstCapacity, 2 * count + 1);
  const Offset offset = op.allocate_blob(bytes_for(capacity));
  auto* const table = op.at<ClassTable>(offset, bytes_for(capacity));
  pmem::zero(table, bytes_for(capacity));
  pmem::store(&table->capacity, capacity);
  for (uint64_t id = 1; id <= count; ++id) {
    const ClassEntry* const source = entry(op, id);
    pmem::store(&table->entries[id - 1].name, op.get(&source->name));
    pmem::store(&table->entries[id - 1].first_shape, op.get(&source->first_shape));
  }
  op.written(table, bytes_for(capacity));
  op.set(&op.pool().root().class_table, offset);
  if (old != 0) op.free(old);
}

// Among those that this operation has added itself.
uint64_t find_pending(Operation& op, std::string_view name, uint64_t count) {
  for (uint64_t id = class_table::count(op.pool()) + 1; id <= count; ++id)
    if (utf8_of(op.pool(), op.get(&entry(op, id)->name)) == name) return id;
  return 0;
}

}  // namespace

uint64_t count(Pool& pool) { return pmem::load(&pool.root().class_count); }

uint64_t find(Pool& pool, std::string_view name) {
  return caches(pool).shapes.class_id(pool, name);
}

std::string name_of(Pool& pool, uint64_t class_id) {
  const heap::RootObject& root = pool.root();
  return utf8_of(pool, entry_at(pool, root.class_table, root.class_count, class_id)->name);
}

ClassEntry* entry(Operation& op, uint64_t class_id) {
  const heap::RootObject& root = op.pool().root();
  return entry_at(op.pool(), op.get(&root.class_table), op.get(&root.class_count), class_id);
}

uint64_t ensure(Operation& op, std::string_view name) {
  heap::RootObject& root = op.pool().root();
  const uint64_t count = op.get(&root.class_count);
  if (const uint64_t known = find(op.pool(), name); known != 0) return known;
  if (const uint64_t pending = find_pending(op, name, count); pending != 0) return pending;
  if (count >= kMaxClasses) throw Error(ErrorKind::value, "the pool has too many classes");

  const Offset table = op.get(&root.class_table);
  if (table == 0 || count >= table_at(op.pool(), table)->capacity) grow(op, table, count);
  op.set(&root.class_count, count + 1);
  ClassEntry* const added = entry(op, count + 1);
  pmem::store(&added->name, blob::create(op, Name(name).text()));
  pmem::store(&added->first_shape, uint64_t{0});
  op.written(added, sizeof(ClassEntry));
  return count + 1;
}

}  // namespace nvm::object::class_table

namespace nvm::object {
namespace {

void trace_name(heap::Pool& pool, Offset offset, Tracer& tracer) {
  const blob::View view = blob::view(pool, offset);
  if (!tracer.block(offset, blob::size_of(view))) return;
  if (view.type != blob::BlobType::str) tracer.damage("a name is no str");
  if (const char* const flaw = blob::flaw_of(pool, offset, true)) tracer.damage(flaw);
}

void trace_shapes(heap::Pool& pool, uint64_t class_id, Offset newest, Tracer& tracer) {
  uint64_t count = 0;
  for (Offset offset = newest; offset != 0;) {
    const auto* const shape = pool.at<heap::Shape>(offset);
    if (shape->class_id != class_id || ++count > kMaxShapes + 1) {
      return tracer.damage("the shapes of class " + std::to_string(class_id) + " are damaged");
    }
    if (!tracer.block(offset, sizeof(heap::Shape))) return;
    if (shape->name != 0) trace_name(pool, shape->name, tracer);
    check_shape(pool, offset);
    offset = shape->next;
  }
}

}  // namespace

void trace_classes(heap::Pool& pool, Tracer& tracer) {
  const heap::RootObject& root = pool.root();
  if (root.class_count == 0 && root.class_table == 0) return;
  const uint64_t bytes = class_table::bytes_of_table(pool, root.class_table);
  if (!tracer.block(root.class_table, bytes)) return;
  for (uint64_t id = 1; id <= root.class_count; ++id) {
    const heap::ClassEntry* const entry =
        class_table::entry_at(pool, root.class_table, root.class_count, id);
    trace_name(pool, entry->name, tracer);
    trace_shapes(pool, id, entry->first_shape, tracer);
  }
}

}  // namespace nvm::object
