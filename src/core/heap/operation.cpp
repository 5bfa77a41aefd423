#include "heap/operation.h"

#include <algorithm>
#include <string>
#include <unordered_set>

#include "heap/file/actions.h"
#include "heap/layout/heap_walk.h"
#include "heap/layout/pmdk_layout.h"
#include "heap/room.h"

namespace nvm::heap {

namespace {

using pmdk::kPage;

constexpr size_t kMostPublishedWords = 6;   // beyond that the undo log is cheaper
constexpr size_t kManyWords = 16;           // beyond that words are found by hash
constexpr size_t kMostSpareWords = 1024;    // whose memory is kept for the next operation
constexpr size_t kEarly = kMaxActions - 1;  // reservations that are published in one go
// Bytes of content for which a short way is looked for. There is one where chunks were free; what
// libpmemobj lays into a run shares its first and last chunk with other blocks.
constexpr size_t kLarge = pmdk::kChunkSize;

bool contains(const std::vector<Offset>& blocks, Offset block) {
  return std::find(blocks.begin(), blocks.end(), block) != blocks.end();
}

template <class T>
void add(std::vector<T>& to, const std::vector<T>& more) {
  if (!more.empty()) to.insert(to.end(), more.begin(), more.end());
}

}  // namespace

Operation::Operation(Pool& pool)
    : pool_(pool),
      in_transaction_(pool.in_transaction()),
      logging_(in_transaction_),
      words_(std::exchange(pool.spare_words_, {})) {
  if (in_transaction_) {
    pool_.log().begin();
    mark_ = pool_.log().mark();
  }
}

Operation::~Operation() {
  if (!done_) undo();
  if (words_.capacity() > kMostSpareWords) return;
  words_.clear();
  pool_.spare_words_ = std::move(words_);
}

// ---- Blocks

Offset Operation::reserve(uint64_t bytes, BlockKind kind) {
  if (allocations_.size() >= kEarly) {
    enter_log();
    early_.insert(early_.end(), blocks_.begin(), blocks_.end());
    pool_.log().publish_early(allocations_, blocks_);
    unfenced_ = false;
  }
  make_room_for(allocations_, 1);
  make_room_for(blocks_, 1);
  Action action;
  const Offset block = pool_.file_->reserve(bytes, kind, action);
  if (block == 0) throw Error(ErrorKind::full, "the pool is full", ENOMEM, pool_.path());
  allocations_.push_back(action);
  blocks_.push_back(block);
  pool_.announce(action);
  return block;
}

Offset Operation::allocate_blob(uint64_t bytes) { return reserve(bytes, {false, Type::blob}); }

Offset Operation::allocate_object(Type type, uint64_t bytes, uint64_t class_id) {
  const Offset object = reserve(bytes, {true, type});
  // settle_counts() stores it again, and flushes it.
  pmem::store(&pool_.at<Counted>(object)->word, counted_word(0, class_id));
  objects_.push_back(object);
  return object;
}

Offset Operation::allocate_raw(uint64_t type, uint64_t bytes) {
  return raws_.emplace_back(reserve(bytes, {true, static_cast<Type>(type)}));
}

void Operation::set_class(Offset object, uint64_t class_id) {
  uint64_t* const word = &pool_.at<Counted>(object)->word;
  const uint64_t count = count_of(get(word));
  set(word, counted_word(count, class_id));
  if (count == 0) move_to_limbo(object);
}

// A damaged offset must not reach libpmemobj, which would follow it anywhere.
void Operation::check_block(Offset block) const {
  PoolFile& file = *pool_.file_;
  file.check_heap();
  if (quick_block_at(file.base(), file.size(), block)) return;
  if (!contains(blocks_, block) && !contains(pool_.blocks_, block))
    throw_corrupt("damaged: there is no block to free at offset " + std::to_string(block));
}

void Operation::free(Offset block) {
  check_block(block);
  frees_.push_back(block);
  leave_limbo(block);
}

// Blocks that were reserved and freed by the same operation never come to be.
void Operation::cancel_unneeded() {
  if (frees_.empty() || blocks_.empty()) return;
  const std::unordered_set<Offset> freed(frees_.begin(), frees_.end());
  std::unordered_set<Offset> cancelled;
  for (size_t i = blocks_.size(); i-- > 0;) {
    if (freed.count(blocks_[i]) == 0) continue;
    cancelled.insert(blocks_[i]);
    pool_.file_->cancel(&allocations_[i], 1);
    allocations_.erase(allocations_.begin() + static_cast<ptrdiff_t>(i));
    blocks_.erase(blocks_.begin() + static_cast<ptrdiff_t>(i));
  }
  const auto gone = [&](Offset block) { return cancelled.count(block) != 0; };
  std::erase_if(frees_, gone);
  std::erase_if(objects_, gone);
  std::erase_if(raws_, gone);
}

// ---- Words

Operation::Word* Operation::find(const uint64_t* word) const {
  if (words_.size() > kManyWords) {
    const auto found = word_index_->find(word);
    return found == word_index_->end() ? nullptr : &words_[found->second];
  }
  for (Word& entry : words_)
    if (entry.address == word) return &entry;
  return nullptr;
}

void Operation::set(uint64_t* word, uint64_t value) {
  if (Word* const known = find(word)) {
    known->value = value;
    one_fence_ = false;  // more than one place depends on it: each must be there before it
    return;
  }
  words_.push_back({word, value, false});
  if (words_.size() == kManyWords + 1) {
    word_index_.emplace();
    for (size_t i = 0; i < words_.size(); ++i) (*word_index_)[words_[i].address] = i;
  } else if (words_.size() > kManyWords) {
    (*word_index_)[word] = words_.size() - 1;
  }
}

void Operation::fill(uint64_t* word, uint64_t head, std::initializer_list<Part> parts,
                     pmem::Site site) {
  auto* to = reinterpret_cast<uint8_t*>(word + 1);
  auto* from_here = reinterpret_cast<uint8_t*>(word);  // stored to, and not flushed yet
  // The word comes late: to store it may read pages that are then replaced.
  const auto flush_to = [&](const uint8_t* end) {
    if (from_here < reinterpret_cast<uint8_t*>(word + 1)) pmem::store(word, head);
    written(from_here, static_cast<size_t>(end - from_here), site);
  };
  for (const Part part : parts) {
    const size_t page = (kPage - pool_.offset_of(to) % kPage) % kPage;  // where the first begins
    const size_t pages = part.size() < kLarge ? 0 : (part.size() - page) / kPage * kPage;
    if (pages != 0 && pool_.fill_pages(to + page, part.data() + page, pages)) {
      const size_t after = page + pages;
      pmem::copy(to, part.data(), page);
      flush_to(to + page);
      from_here = to + after;
      pmem::copy(from_here, part.data() + after, part.size() - after);
    } else {
      pmem::copy(to, part.data(), part.size());
    }
    to += part.size();
  }
  flush_to(to);
}

void Operation::change(void* begin, size_t length) {
  enter_log();
  log_words();
  pool_.log().log_range(begin, length);
  pool_.log().seal();
}

// ---- Counts and limbo

void Operation::count(Offset object, int64_t delta) {
  if (!counts_) counts_.emplace();
  (*counts_)[object] += delta;
}

Offset Operation::next_limbo_slot() {
  const size_t used = to_limbo_.size();
  if (const Offset slot = pool_.limbo_.free_slot(used); slot != 0) return slot;
  const size_t fresh = used - pool_.limbo_.free_slots();
  if (fresh < new_slots_.size()) return new_slots_[fresh];
  const uint64_t bytes = sizeof(LimboSegment) + Limbo::kSegmentSlots * sizeof(Offset);
  const Offset offset = allocate_blob(bytes);
  auto* const segment = pool_.at<LimboSegment>(offset, bytes);
  pmem::zero(segment, bytes);
  pmem::store(&segment->next, get(&pool_.root().limbo));
  pmem::store(&segment->capacity, Limbo::kSegmentSlots);
  written(segment, bytes);
  set(&pool_.root().limbo, offset);
  for (uint64_t i = 0; i < Limbo::kSegmentSlots; ++i)
    new_slots_.push_back(pool_.offset_of(segment->slots + i));
  return new_slots_[fresh];
}

void Operation::move_to_limbo(Offset object) {
  if (pool_.limbo_.contains(object)) return;
  const Offset slot = next_limbo_slot();
  set(pool_.at<uint64_t>(slot), object);
  to_limbo_.emplace_back(object, slot);
}

void Operation::leave_limbo(Offset object) {
  const Offset slot = pool_.limbo_.slot_of(object);
  if (slot == 0) return;
  set(pool_.at<uint64_t>(slot), 0);
  from_limbo_.push_back(object);
}

void Operation::settle_count(Offset object, int64_t delta) {
  auto* const counted = pool_.at<Counted>(object);
  const uint64_t old = counted->word;
  const int64_t count = static_cast<int64_t>(count_of(old)) + delta;
  if (count < 0 || static_cast<uint64_t>(count) > kCountMask)
    throw_corrupt("the reference count of the object at offset " + std::to_string(object) +
                  " is wrong");
  const uint64_t word = counted_word(static_cast<uint64_t>(count), class_of(old));
  if (word != old) set(&counted->word, word);
  if (count == 0) {
    move_to_limbo(object);
  } else {
    leave_limbo(object);
  }
}

void Operation::recount(Offset object, uint64_t references) {
  auto* const counted = pool_.at<Counted>(object);
  const uint64_t word = counted_word(references, class_of(counted->word));
  if (word != counted->word) set(&counted->word, word);
  if (references == 0) {
    move_to_limbo(object);
  } else {
    leave_limbo(object);
  }
}

void Operation::clear_limbo_slot(Offset slot) {
  auto* const word = pool_.at<uint64_t>(slot);
  if (pool_.limbo_.slot_of(*word) == slot) return leave_limbo(*word);
  set(word, 0);
  new_slots_.push_back(slot);
}

// What is counted for an object, which is then settled.
int64_t Operation::take_count(Offset object) {
  if (!counts_) return 0;
  const auto found = counts_->find(object);
  if (found == counts_->end()) return 0;
  const int64_t delta = found->second;
  counts_->erase(found);
  return delta;
}

void Operation::settle_counts() {
  for (const Offset object : objects_) {
    auto* const counted = pool_.at<Counted>(object);
    const int64_t references = take_count(object);
    if (references < 0) throw Error(ErrorKind::internal, "a new object's count is negative");
    pmem::store(&counted->word,
                counted_word(static_cast<uint64_t>(references), class_of(counted->word)));
    written(counted, sizeof(Counted));
    if (references == 0) move_to_limbo(object);
  }
  if (!counts_) return;
  for (const auto& [object, delta] : *counts_)
    if (delta != 0) settle_count(object, delta);
}

// ---- Commit

bool Operation::fits_store() const noexcept {
  return allocations_.empty() && frees_.empty() && words_.size() <= (fence_after_ != 0 ? 2U : 1U);
}

bool Operation::fits_publish() const noexcept {
  return words_.size() <= kMostPublishedWords &&
         allocations_.size() + frees_.size() + words_.size() <= kMaxActions &&
         !(allocations_.empty() && frees_.empty());
}

// What after_commit() will tell has its room before anything is decided.
void Operation::make_room() {
  if (to_limbo_.empty() && new_slots_.empty() && from_limbo_.empty()) return;
  pool_.limbo_.make_room(to_limbo_.size(), new_slots_.size() + from_limbo_.size());
  make_room_for(pool_.garbage_, to_limbo_.size() + 1);
}

void Operation::commit() {
  cancel_unneeded();
  settle_counts();
  make_room();
  if (in_transaction_) {
    pool_.admit();
  } else {
    pool_.reserve_commit(allocations_.size() + frees_.size());
  }
  if (logging_) {
    commit_logged();
  } else if (fits_store()) {
    commit_store();
  } else if (fits_publish()) {
    commit_publish();
  } else {
    enter_log();
    commit_logged();
  }
  done_ = true;
  after_commit();
}

void Operation::commit_store() {
  if (unfenced_ && !one_fence_) pool_.drain();
  for (size_t i = 0; i < words_.size(); ++i) {
    if (i != 0 && i == fence_after_) pool_.drain();
    pmem::store(words_[i].address, words_[i].value);
    pool_.flush(words_[i].address, sizeof(uint64_t));
  }
  if (unfenced_ || !words_.empty()) pool_.drain();
}

// A publish begins with a drain, so that what was written() is durable before it counts.
void Operation::commit_publish() {
  Actions actions;
  for (const Action& action : allocations_) actions.add(action);
  for (const Offset block : frees_) pool_.file_->defer_free(actions.add(), block);
  for (const Word& word : words_) pool_.file_->set_value(actions.add(), word.address, word.value);
  allocations_.clear();  // a publish that fails has cancelled them
  pool_.file_->publish(actions.data(), actions.size());
}

void Operation::enter_log() {
  if (logging_) return;
  pool_.log().begin();
  logging_ = true;
}

void Operation::log_words() {
  for (Word& word : words_) {
    if (word.logged) continue;
    pool_.log().log_word(word.address);
    word.logged = true;
  }
}

void Operation::store_words() {
  for (const Word& word : words_) {
    pmem::store(word.address, word.value);
    pool_.flush(word.address, sizeof(uint64_t));
  }
}

void Operation::commit_logged() {
  log_words();
  pool_.log().seal();
  if (in_transaction_) {
    hand_over();
    store_words();
    return;
  }
  store_words();
  pool_.log().commit(allocations_, blocks_, frees_);
}

// The transaction holds what is to be published and freed at its end.
void Operation::hand_over() {
  if (allocations_.empty() && frees_.empty() && objects_.empty() && raws_.empty()) return;
  if (pool_.allocations_.size() + allocations_.size() > kEarly)
    pool_.log().publish_early(pool_.allocations_, pool_.blocks_);
  make_room_for(pool_.allocations_, allocations_.size());
  make_room_for(pool_.blocks_, blocks_.size());
  make_room_for(pool_.frees_, frees_.size());
  make_room_for(pool_.born_, objects_.size() + raws_.size());
  add(pool_.allocations_, allocations_);
  add(pool_.blocks_, blocks_);
  add(pool_.frees_, frees_);
  add(pool_.born_, objects_);
  add(pool_.born_, raws_);
  allocations_.clear();
}

void Operation::after_commit() noexcept {
  for (const Offset slot : new_slots_) pool_.limbo_.add_free(slot);
  for (const auto& [object, slot] : to_limbo_) {
    pool_.limbo_.taken(object, slot);
    if (pool_.handles_.is_pinned(object)) {
      pool_.handles_.set_on_limbo(object, true);
    } else {
      pool_.garbage_.push_back(object);
    }
  }
  for (const Offset object : from_limbo_) {
    pool_.limbo_.released(object);
    pool_.handles_.set_on_limbo(object, false);
  }
}

void Operation::undo() noexcept {
  try {
    if (in_transaction_) {
      pool_.log().undo_to(mark_, early_);
    } else if (logging_) {
      pool_.log().roll_back();
    }
  } catch (const std::exception&) {
    pool_.break_off();
  }
  pool_.cancel(allocations_);  // at last: libpmemobj keeps its records in free blocks
  pool_.undo_epoch_.store(Pool::next_undo_epoch(), std::memory_order_release);
}

}  // namespace nvm::heap
