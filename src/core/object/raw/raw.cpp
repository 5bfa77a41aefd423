#include "object/raw/raw.h"

#include <algorithm>
#include <string>

#include "pmem/error.h"
#include "pmem/store.h"

namespace nvm::object::raw {

namespace {

constexpr uint64_t kMaxSize = heap::kMaxBlock - sizeof(Raw);

[[noreturn]] void throw_no_block(const Pool& pool, Offset block, const char* what) {
  throw Error(ErrorKind::value,
              "there is no " + std::string(what) + " at offset " + std::to_string(block), 0,
              pool.path());
}

Raw* raw_at(const Pool& pool, Offset block) {
  if (!pool.is_block(block) || !heap::is_raw(pool.type_number(block)))
    throw_no_block(pool, block, "block of a memory manager");
  Raw* const raw = pool.at<Raw>(block);
  pool.at<Raw>(block, sizeof(Raw) + std::min(raw->size, kMaxSize + 1));  // checks where it ends
  return raw;
}

void check_size(uint64_t size) {
  if (size > kMaxSize)
    throw Error(ErrorKind::value, "a block has at most " + std::to_string(kMaxSize) +
                                      " bytes, not " + std::to_string(size));
}

Raw* make(Operation& op, uint64_t size, uint64_t number, Offset& block) {
  check_size(size);
  block = op.allocate_raw(heap::kRawType | number, sizeof(Raw) + size);
  Raw* const raw = op.at<Raw>(block, sizeof(Raw) + size);
  pmem::store(&raw->counted.word, heap::counted_word(0, 0));
  pmem::store(&raw->size, size);
  return raw;
}

}  // namespace

View view(const Pool& pool, Offset block) {
  const Raw* const raw = raw_at(pool, block);
  const uint64_t word = pmem::load(&raw->counted.word);
  return {pool.type_number(block) & kMaxNumber, heap::class_of(word), heap::count_of(word),
          block + sizeof(Raw), raw->size};
}

Offset allocate(Operation& op, uint64_t size, uint64_t number, bool zeroed) {
  Offset block = 0;
  Raw* const raw = make(op, size, number, block);
  if (zeroed) pmem::zero(raw->bytes, size);
  op.written(raw, sizeof(Raw) + (zeroed ? size : 0));
  return block;
}

Offset resize(Operation& op, Offset block, uint64_t size, uint64_t number, bool zeroed) {
  const Raw* const old = raw_at(op.pool(), block);
  const uint64_t word = op.get(&old->counted.word);
  if (heap::class_of(word) != 0)
    throw Error(ErrorKind::value, "the head of an object cannot move: others refer to it");
  Offset moved = 0;
  Raw* const raw = make(op, size, number, moved);
  pmem::store(&raw->counted.word, word);
  const uint64_t kept = std::min(size, old->size);
  pmem::copy(raw->bytes, old->bytes, kept);
  if (zeroed) pmem::zero(raw->bytes + kept, size - kept);
  op.written(raw, sizeof(Raw) + (zeroed ? size : kept));
  op.free(block);
  return moved;
}

void release(Operation& op, Offset block) {
  raw_at(op.pool(), block);
  op.free(block);
}

void snapshot(Operation& op, Offset begin, uint64_t size) {
  if (size == 0) return;
  const uint64_t skipped = begin % sizeof(uint64_t);
  op.change(op.at<char>(begin - skipped, skipped + size) + skipped, size);
}

void set_class(Operation& op, Offset block, uint64_t class_id) {
  raw_at(op.pool(), block);
  op.set_class(block, class_id);
}

void check_object(const Pool& pool, Offset object) {
  if (!pool.is_block(object) || !heap::is_counted(pool.type_number(object)))
    throw_no_block(pool, object, "object");
}

bool is_head(const Pool& pool, Offset block) {
  return pool.is_block(block) && heap::is_raw(pool.type_number(block)) &&
         heap::class_of(pool.at<Raw>(block)->counted.word) != 0;
}

void add_reference(Operation& op, Offset object) {
  check_object(op.pool(), object);
  op.refer(object);
}

void drop_reference(Operation& op, Offset object) {
  Pool& pool = op.pool();
  check_object(pool, object);
  const uint64_t word = op.get(&pool.at<heap::Counted>(object)->word);
  if (heap::count_of(word) == 0)
    throw Error(ErrorKind::value,
                "the object at offset " + std::to_string(object) + " has no reference to drop");
  const bool memory = heap::is_raw(pool.type_number(object)) && heap::class_of(word) == 0;
  if (!memory) return op.drop(object);
  if (heap::count_of(word) == 1) return op.free(object);
  op.set(&pool.at<heap::Counted>(object)->word, word - 1);
}

std::vector<Offset> orphans(Pool& pool) {
  std::vector<Offset> found;
  for (const Offset object : pool.limbo().objects())
    if (is_head(pool, object) && !pool.handles().is_pinned(object)) found.push_back(object);
  return found;
}

}  // namespace nvm::object::raw
