#include "collect/census.h"

#include "object/record/class_table.h"

namespace nvm::collect {

namespace {

constexpr unsigned kStretchBits = 18;
constexpr uint64_t kStretch = uint64_t{1} << kStretchBits;
constexpr unsigned kTypeBits = 8;  // of a type key; then the class

const char* name_of(heap::Type type) noexcept {
  switch (type) {
    case heap::Type::list:
      return "list";
    case heap::Type::dict:
      return "dict";
    case heap::Type::set:
      return "set";
    case heap::Type::record:
      return "object";
    case heap::Type::tuple:
      return "tuple";
    case heap::Type::frozenset:
      return "frozenset";
    case heap::Type::boxed:
      return "boxed";
    case heap::Type::bytearray:
      return "bytearray";
    case heap::Type::persistent_tuple:
      return "persistent tuple";
    case heap::Type::persistent_frozenset:
      return "persistent frozenset";
    default:
      return "unknown";
  }
}

}  // namespace

BlockClass class_of_block(const heap::Pool& pool, const heap::Block& block) {
  const uint64_t type = block.type;
  if (heap::is_raw(type)) {
    const uint64_t word = pool.at<heap::Counted>(block.offset)->word;
    return heap::class_of(word) != 0 ? BlockClass::object : BlockClass::memory;
  }
  if (heap::is_counted(type)) return BlockClass::object;
  const bool plain = type == 0 || type == static_cast<uint64_t>(heap::Type::blob);
  return plain ? BlockClass::plain : BlockClass::unknown;
}

uint64_t type_key(const heap::Pool& pool, heap::Offset object) {
  const uint64_t word = pool.at<heap::Counted>(object)->word;
  const uint64_t type = pool.type_number(object);
  return (heap::is_raw(type) ? 0 : type) | heap::class_of(word) << kTypeBits;
}

std::string type_name(heap::Pool& pool, uint64_t key) {
  const uint64_t class_id = key >> kTypeBits;
  if (class_id != 0) return object::class_table::name_of(pool, class_id);
  return name_of(static_cast<heap::Type>(key));
}

// An object's is in its header: its number counts references.
uint64_t Census::usable(const heap::Pool& pool, const Entry& entry) {
  if (!entry.object()) return entry.usable();
  const auto* const header =
      pool.at<heap::pmdk::CompactHeader>(entry.offset() - sizeof(heap::pmdk::CompactHeader));
  return (header->size & heap::pmdk::kBlockSizeMask) - sizeof *header;
}

void Census::add(const heap::Block& block, BlockClass kind) {
  entries_.emplace_back(block.offset, kind, block.usable);
}

void Census::seal(uint64_t pool_size) {
  begins_.reserve((pool_size >> kStretchBits) + 2);
  for (uint64_t entry = 0; entry < entries_.size(); ++entry)
    while (begins_.size() << kStretchBits <= entries_[entry].offset()) begins_.push_back(entry);
  begins_.push_back(entries_.size());
}

Entry* Census::find(heap::Offset offset) noexcept {
  const uint64_t stretch = offset >> kStretchBits;
  if (stretch + 1 >= begins_.size()) return nullptr;
  uint64_t low = begins_[stretch];
  uint64_t high = begins_[stretch + 1];
  const uint64_t within = offset & (kStretch - 1);
  uint64_t place = low + within * (high - low) / kStretch;
  for (uint64_t step = 1; low < high; step *= 2) {  // gallops from the guess, then halves
    const heap::Offset found = entries_[place].offset();
    if (found == offset) return &entries_[place];
    if (found < offset) {
      low = place + 1;
      place = low + step < high ? low + step - 1 : low + (high - low) / 2;
    } else {
      high = place;
      place = low + step < high ? high - step : low + (high - low) / 2;
    }
  }
  return nullptr;
}

}  // namespace nvm::collect
