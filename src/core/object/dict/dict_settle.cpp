// What the first touch after a power cut completes or drops. A dict is settled once an opening; it
// may be done by several readers at once, so each store here is one that may be repeated.
//
// Only the last insert and the last delete can be uncertain:
//   - `used` counts an entry whose line had not arrived: it has no mark, and is dropped;
//   - the entry is there and its slot is not: the slot is stored again;
//   - the deletion word had arrived and the tombstone had not: it is stored again.
// The deletion word cannot name an entry that lives. It names one that was below `used` then, and
// its number is given to another entry only after `used` was lowered past it: by erasing the last
// entry, which clears the note if it names an entry so dropped; or by undoing, which restores both
// words of one transaction. What settling drops was never there to be deleted.
//
// The stores are fenced before `session` says so: the next insert or delete relies on them.
#include "object/dict/dict_table.h"
#include "pmem/store.h"

namespace nvm::object::dict {
namespace {

// Stores a word that the medium should hold already; true if it did not.
bool mend(Pool& pool, uint64_t* word, uint64_t value) {
  pmem::store(word, value);
  pool.flush(word, sizeof(uint64_t));
  return true;
}

bool complete_deletion(Pool& pool, const Table& table) {
  if (table.noted() == 0 || table.noted() > table.used()) return false;
  Entry* const entry = table.entry(table.noted() - 1);
  return !table.value(entry).blank() && mend(pool, &entry->value, 0);
}

bool drop_unmarked(Pool& pool, Header* header) {
  const Table table(pool, header);
  if (table.used() == 0 || table.entry(table.used() - 1)->mark != 0) return false;
  return mend(pool, &pool.at<Body>(table.body())->used, table.used() - 1);
}

bool complete_slot(Pool& pool, const Table& table) {
  if (!table.large() || table.used() == 0) return false;
  const uint64_t last = table.used() - 1;
  const uint32_t hash = hash_of_mark(table.entry(last)->mark);
  const uint64_t wanted = slot_word(hash, last);
  uint64_t* free = nullptr;
  uint64_t* slot = table.slots().first(hash);
  for (uint64_t step = 0; step < table.slots().count; ++step, slot = table.slots().next(slot)) {
    const uint64_t word = pmem::load(slot);
    if (word == wanted) return false;
    if (free == nullptr && (word == 0 || !table.counts(word))) free = slot;
    if (word == 0) break;
  }
  return free != nullptr && mend(pool, free, wanted);
}

void settle(Pool& pool, Header* header) {
  bool mended = drop_unmarked(pool, header);
  const Table table(pool, header);
  mended |= complete_deletion(pool, table);
  mended |= complete_slot(pool, table);
  if (mended) pool.drain();
  pmem::store(&header->session, pool.session());
}

}  // namespace

Header* header_of(Pool& pool, Offset dict) {
  using heap::Type;
  const bool set = pool.type_number(dict) == static_cast<uint64_t>(Type::set);
  return pool.object<Header>(dict, set ? Type::set : Type::dict);
}

Header* settled(Pool& pool, Offset dict) {
  Header* const header = header_of(pool, dict);
  if (pmem::load(&header->session) != pool.session()) settle(pool, header);
  return header;
}

}  // namespace nvm::object::dict
