#include "object/record/record.h"

#include <algorithm>

#include "heap/file/alloc_classes.h"
#include "object/caches.h"
#include "object/dict/dict.h"
#include "object/record/class_table.h"
#include "object/store.h"
#include "object/value/name.h"
#include "pmem/error.h"
#include "pmem/store.h"

namespace nvm::object::record {
namespace {

using heap::Operation;
using heap::Pool;
using heap::Type;

struct Overflow {
  uint64_t capacity;
  uint64_t slots[];
};

constexpr uint64_t kFirstInline = 7;  // of the first instance of a class: a block of 96 bytes
constexpr uint64_t kMostInline = 35;  // what one odd instance needed is not given to all
constexpr uint64_t kFirstOverflow = 7;

constexpr unsigned kInlineShift = 48;
constexpr Offset shape_of(uint64_t word) { return word & heap::kMaxOffset; }
constexpr uint64_t inline_of(uint64_t word) { return word >> kInlineShift; }
constexpr uint64_t shape_word(Offset shape, uint64_t slots) {
  return shape | slots << kInlineShift;
}
constexpr uint64_t header_bytes(uint64_t slots) {
  return sizeof(Header) + slots * sizeof(uint64_t);
}
constexpr uint64_t overflow_bytes(uint64_t slots) {
  return sizeof(Overflow) + slots * sizeof(uint64_t);
}

[[noreturn]] void throw_damaged(Offset record) {
  throw_corrupt("the record at offset " + std::to_string(record) + " is damaged");
}

// A record as a reader sees it, or as an operation is going to leave it.
class View {
 public:
  View(Pool& pool, Offset record) : View(pool, nullptr, record) {}
  View(Operation& op, Offset record) : View(op.pool(), &op, record) {}

  Header* header() const { return header_; }
  uint64_t class_id() const { return heap::class_of(pmem::load(&header_->counted.word)); }
  Offset shape() const { return shape_of(word_); }
  uint64_t inline_slots() const { return inline_of(word_); }
  uint64_t count() const { return info_ == nullptr ? 0 : info_->count(); }
  const ShapeInfo* info() const { return info_; }
  bool uses_dict() const { return info_ != nullptr && info_->dict; }
  Offset overflow() const { return load(&header_->overflow); }

  int32_t slot_of(std::string_view name) const { return info_ == nullptr ? -1 : info_->slot(name); }
  uint64_t* slot(uint64_t number) const;
  Cell cell(uint64_t number) const { return Cell(load(slot(number))); }
  Offset dict() const;
  // Slots that the overflow has; 0 if there is none.
  uint64_t overflow_capacity() const;

 private:
  View(Pool& pool, Operation* op, Offset record);
  uint64_t load(const uint64_t* word) const { return op_ ? op_->get(word) : pmem::load(word); }

  Pool& pool_;
  Operation* op_;
  Offset record_;
  Header* header_;
  uint64_t word_;
  const ShapeInfo* info_ = nullptr;
};

View::View(Pool& pool, Operation* op, Offset record)
    : pool_(pool),
      op_(op),
      record_(record),
      header_(pool.object<Header>(record, Type::record)),
      word_(load(&header_->shape)) {
  if (inline_slots() > kMostInline) throw_damaged(record);
  pool.at<Header>(record, header_bytes(inline_slots()));
  if (shape() == 0) return;
  info_ = &caches(pool).shapes.shape(pool, shape());
  if (info_->class_id != class_id()) throw_damaged(record);
}

uint64_t View::overflow_capacity() const {
  const Offset offset = overflow();
  if (offset == 0) return 0;
  const uint64_t capacity = pool_.at<Overflow>(offset)->capacity;
  if (capacity > kMaxAttributes) throw_damaged(record_);
  return capacity;
}

uint64_t* View::slot(uint64_t number) const {
  if (number < inline_slots()) return header_->slots + number;
  const uint64_t beyond = number - inline_slots();
  if (beyond >= overflow_capacity()) throw_damaged(record_);
  return pool_.at<Overflow>(overflow(), overflow_bytes(beyond + 1))->slots + beyond;
}

Offset View::dict() const {
  const Cell cell = this->cell(0);
  if (cell.kind() != Cell::Kind::object) throw_damaged(record_);
  return cell.offset();
}

// A larger overflow with the same slots.
void grow_overflow(Operation& op, const View& record) {
  const Offset old = record.overflow();
  const uint64_t before = record.overflow_capacity();
  const uint64_t capacity = before == 0 ? kFirstOverflow : std::min(2 * before + 1, kMaxAttributes);
  const Offset offset = op.allocate_blob(overflow_bytes(capacity));
  auto* const overflow = op.at<Overflow>(offset, overflow_bytes(capacity));
  pmem::zero(overflow, overflow_bytes(capacity));
  pmem::store(&overflow->capacity, capacity);
  for (uint64_t i = 0; i < before; ++i)
    pmem::store(&overflow->slots[i], op.get(record.slot(record.inline_slots() + i)));
  op.written(overflow, overflow_bytes(capacity));
  op.set(&record.header()->overflow, offset);
  if (old != 0) op.free(old);
}

// All attributes, and this new one, move to a dict.
void move_to_dict(Operation& op, const View& record, std::string_view name, const Value& value) {
  Pool& pool = op.pool();
  const Offset dict = dict::create(op, record.count() + 1);
  for (uint64_t slot = 0; slot < record.count(); ++slot) {
    const Cell cell = record.cell(slot);
    if (cell.blank()) continue;
    dict::fill_fresh(op, dict, Key(pool, Name(record.info()->names[slot]).value()), cell);
  }
  const Name added(name);
  dict::fill_fresh(op, dict, Key(pool, added.value()), make_cell(op, value));
  op.refer(dict);
  op.set(record.slot(0), Cell::object(dict).bits());
  op.set(&record.header()->shape,
         shape_word(dict_shape(op, record.class_id()), record.inline_slots()));
  if (const Offset overflow = record.overflow(); overflow != 0) {
    op.free(overflow);
    op.set(&record.header()->overflow, 0);
  }
}

void add(Operation& op, Offset offset, const View& record, std::string_view name,
         const Value& value) {
  const uint64_t slot = record.count();
  const Offset shape =
      slot < kMaxAttributes ? shape_with(op, record.class_id(), record.shape(), name) : 0;
  if (shape == 0) return move_to_dict(op, record, name, value);
  if (slot >= record.inline_slots() + record.overflow_capacity()) grow_overflow(op, record);
  uint64_t* const place = View(op, offset).slot(slot);
  pmem::store(place, make_cell(op, value).bits());
  op.written(place, sizeof(uint64_t));
  op.set(&record.header()->shape, shape_word(shape, record.inline_slots()));
}

// As many as the block for that many attributes has room for.
uint64_t inline_for(uint64_t attributes) {
  const uint64_t wanted = attributes == 0 ? kFirstInline : std::min(attributes, kMostInline);
  const uint64_t fixed = heap::kBlockHeader + sizeof(Header);
  for (const uint64_t unit : heap::kCountedUnits)
    if (fixed + wanted * sizeof(uint64_t) <= unit) return (unit - fixed) / sizeof(uint64_t);
  return wanted;
}

}  // namespace

Offset create(Operation& op, uint64_t class_id) {
  const ClassShapes& shapes = caches(op.pool()).shapes.shapes_of(op, class_id);
  const uint64_t slots = inline_for(shapes.largest);
  const Offset record = op.allocate_object(Type::record, header_bytes(slots), class_id);
  auto* const header = op.at<Header>(record, header_bytes(slots));
  pmem::store(&header->shape, shape_word(0, slots));
  pmem::store(&header->overflow, Offset{0});
  pmem::zero(header->slots, slots * sizeof(uint64_t));
  op.written(header, header_bytes(slots));
  return record;
}

uint64_t class_id(Pool& pool, Offset record) {
  return heap::class_of(pmem::load(&pool.object<Header>(record, Type::record)->counted.word));
}

// ---- By name

Cell get(Pool& pool, Offset record, std::string_view name) {
  const View view(pool, record);
  if (view.uses_dict()) return dict::get(pool, view.dict(), Key(pool, Name(name).value()));
  const int32_t slot = view.slot_of(name);
  return slot < 0 ? Cell() : view.cell(static_cast<uint64_t>(slot));
}

void set(Operation& op, Offset record, std::string_view name, const Value& value) {
  const View view(op, record);
  if (view.uses_dict()) {
    const Name text(name);
    dict::set(op, view.dict(), Key(op.pool(), text.value()), value);
    return;
  }
  const int32_t slot = view.slot_of(name);
  if (slot < 0) return add(op, record, view, name, value);
  replace(op, view.slot(static_cast<uint64_t>(slot)), value);
}

bool erase(Operation& op, Offset record, std::string_view name) {
  const View view(op, record);
  if (view.uses_dict()) {
    const Name text(name);
    return dict::erase(op, view.dict(), Key(op.pool(), text.value()));
  }
  const int32_t slot = view.slot_of(name);
  if (slot < 0) return false;
  const Cell old = view.cell(static_cast<uint64_t>(slot));
  if (old.blank()) return false;
  op.set(view.slot(static_cast<uint64_t>(slot)), 0);
  release(op, old);
  return true;
}

std::vector<Attribute> attributes(Pool& pool, Offset record) {
  const View view(pool, record);
  std::vector<Attribute> result;
  if (view.uses_dict()) {
    dict::Item item{};
    for (uint64_t position = 0; dict::next(pool, view.dict(), position, item);)
      result.push_back({utf8_of(pool, dict::key_at(pool, view.dict(), item.number)), item.value});
    return result;
  }
  for (uint64_t slot = 0; slot < view.count(); ++slot)
    if (const Cell cell = view.cell(slot); !cell.blank())
      result.push_back({view.info()->names[slot], cell});
  return result;
}

// ---- By place

Place find(Pool& pool, Offset record, std::string_view name) {
  const View view(pool, record);
  if (view.uses_dict()) return {view.shape(), Place::kInDict};
  return {view.shape(), view.slot_of(name)};
}

Cell get_at(Pool& pool, Offset record, Place place, bool& hit) {
  const auto* const header = pool.at<Header>(record);
  const uint64_t word = pmem::load(&header->shape);
  hit = shape_of(word) == place.shape && place.slot != Place::kInDict;
  if (!hit || place.slot < 0) return {};
  const auto slot = static_cast<uint64_t>(place.slot);
  if (slot >= inline_of(word)) return View(pool, record).cell(slot);
  pool.at<Header>(record, header_bytes(slot + 1));
  return Cell(pmem::load(&header->slots[slot]));
}

bool set_at(Operation& op, Offset record, Place place, const Value& value) {
  const View view(op, record);
  if (view.shape() != place.shape || place.slot < 0) return false;
  replace(op, view.slot(static_cast<uint64_t>(place.slot)), value);
  return true;
}

std::string name_of_slot(Pool& pool, Offset record, uint64_t slot) {
  const View view(pool, record);
  if (view.uses_dict()) return ".__dict__";
  if (slot >= view.count()) throw_damaged(record);
  return "." + view.info()->names[slot];
}

// ---- The end

bool destroy_step(Operation& op, Offset record) {
  const View view(op, record);
  std::vector<uint64_t*> released;
  for (uint64_t slot = view.count(); slot-- > 0;) {
    const Cell cell = view.cell(slot);
    if (plain(cell)) continue;
    if (op.large()) {
      for (uint64_t* const blank : released) op.set(blank, 0);
      return false;
    }
    release(op, cell);
    released.push_back(view.slot(slot));
  }
  if (const Offset overflow = view.overflow(); overflow != 0) op.free(overflow);
  op.free(record);
  return true;
}

bool clear_step(Operation& op, Offset record) {
  const View view(op, record);
  if (view.uses_dict()) return true;
  for (uint64_t slot = view.count(); slot-- > 0;) {
    const Cell cell = view.cell(slot);
    if (plain(cell)) continue;
    if (op.large()) return false;
    release(op, cell);
    op.set(view.slot(slot), 0);
  }
  return true;
}

void trace(Pool& pool, Offset record, Tracer& tracer) {
  const uint64_t id = class_id(pool, record);
  if (id == 0) tracer.damage("has no class");
  if (id == 0 || id > class_table::count(pool)) return;
  const View view(pool, record);
  if (!tracer.extent(header_bytes(view.inline_slots()))) return;
  if (const Offset overflow = view.overflow();
      overflow != 0 && !tracer.block(overflow, overflow_bytes(view.overflow_capacity())))
    return;
  for (uint64_t slot = 0; slot < view.count(); ++slot)
    if (const Cell cell = view.cell(slot); !cell.blank())
      tracer.cell(cell, {Slot::Kind::attribute, slot});
}

}  // namespace nvm::object::record
