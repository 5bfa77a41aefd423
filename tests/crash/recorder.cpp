#include "crash/recorder.h"

#include <libpmem.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fstream>
#include <iterator>
#include <mutex>
#include <stdexcept>

#include "backend/replicated.h"
#include "pmem/interpose/interpose.h"
#include "pmem/store.h"

namespace nvm::crash {
namespace {

constexpr uint64_t kScanStep = 4096;
// How far beyond all that was ever stored a plain store is looked for at a fence.
constexpr uint64_t kScanBeyond = uint64_t{1} << 20;

uint64_t round_down(uint64_t value, uint64_t unit) { return value - value % unit; }
uint64_t round_up(uint64_t value, uint64_t unit) { return round_down(value + unit - 1, unit); }

uint16_t this_thread() {
  static std::atomic<uint16_t> next{0};
  thread_local const uint16_t number = next.fetch_add(1);
  return number;
}

std::vector<char> read_file(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

SiteSeen seen(SiteSeen::Kind kind, const pmem::Site& site) {
  const std::source_location& at = site.location;
  return {kind, at.file_name(), at.function_name(), at.line(), at.column(), 0};
}

}  // namespace

Counts operator-(const Counts& after, const Counts& before) {
  return {after.stores - before.stores, after.flushes - before.flushes, after.lines - before.lines,
          after.fences - before.fences, after.publishes - before.publishes};
}

std::string to_string(const Counts& counts) {
  return std::to_string(counts.stores) + " stores, " + std::to_string(counts.flushes) +
         " flushes of " + std::to_string(counts.lines) + " lines, " +
         std::to_string(counts.fences) + " fences, " + std::to_string(counts.publishes) +
         " publishes";
}

std::string to_string(const SiteSeen& site) {
  return std::string(site.kind == SiteSeen::Kind::flush ? "flush" : "fence") + " at " + site.file +
         ":" + std::to_string(site.line) + ":" + std::to_string(site.column) + " in " +
         site.function + " (" + std::to_string(site.hits) + " times)";
}

// The recording, shared by the recorder and the backend it gave away.
class Recorder::Tape final : public pmem::Observer {
 public:
  Tape(std::vector<char> medium, Scan scan) : scan_(scan), known_(std::move(medium)) {
    known_.resize(round_up(known_.size(), kLineSize));
    recording_.medium = known_;
  }

  void stored(const void* address, size_t length) noexcept override {
    const std::lock_guard guard(mutex_);
    Range* const range = range_of(address);
    if (range == nullptr) return;
    ++counts_.stores;
    compare(*range, range->offset_of(address), length);
  }

  bool may_flush(const pmem::Site& site) noexcept override {
    return pass(seen(SiteSeen::Kind::flush, site));
  }
  bool may_drain(const pmem::Site& site) noexcept override {
    return pass(seen(SiteSeen::Kind::fence, site));
  }
  void publishing() noexcept override {
    const std::lock_guard guard(mutex_);
    if (!ranges_.empty()) ++counts_.publishes;
  }

  void map_unless_mapped(const void* base, size_t length) {
    if (!mapped()) map(base, length);
  }

  void map(const void* base, size_t length) {
    const std::lock_guard guard(mutex_);
    length = round_down(length, kLineSize);
    if (stopped_) return;
    if (!ranges_.empty() && ranges_[0].base == base && ranges_[0].length == length) return;
    if (known_.size() < length) {
      known_.resize(length);
      add({.kind = Event::Kind::resize, .value = length});
    }
    const Range pool = range_at(base, 0, length);
    if (ranges_.empty()) ranges_.push_back(pool);
    ranges_[0] = pool;
    compare(ranges_[0]);
  }

  void map_copy(const void* base, uint64_t begin, size_t length) {
    const std::lock_guard guard(mutex_);
    if (stopped_) return;
    Range copy = range_at(base, begin, length);
    copy.copy = true;
    ranges_.push_back(copy);
    compare(ranges_.back());
  }

  void unmap() {
    const std::lock_guard guard(mutex_);
    ranges_.clear();
  }

  void flush(const void* address, size_t length) {
    const std::lock_guard guard(mutex_);
    Range* const range = range_of(address);
    if (range == nullptr || length == 0) return;
    const uint64_t offset = range->offset_of(address);
    const uint64_t first = round_down(offset, kLineSize);
    const uint64_t end = std::min(round_up(offset + length, kLineSize), range->end());
    compare(*range, first, end - first);
    const uint64_t lines = (end - first) / kLineSize;
    ++counts_.flushes;
    counts_.lines += lines;
    add({.kind = Event::Kind::flush, .offset = first, .value = lines});
  }

  void fence() {
    const std::lock_guard guard(mutex_);
    if (ranges_.empty()) return;
    if (scan_ == Scan::at_fences) {
      for (Range& range : ranges_)
        compare(range, range.begin, range.stored_end + kScanBeyond - range.begin);
    }
    ++counts_.fences;
    add({.kind = Event::Kind::fence});
  }

  // What the backend stored on behalf of libpmemobj.
  void copied(const void* address, size_t length) {
    const std::lock_guard guard(mutex_);
    Range* const range = range_of(address);
    if (range != nullptr) compare(*range, range->offset_of(address), length);
  }

  void mark(Event::Kind kind, uint64_t operation) {
    const std::lock_guard guard(mutex_);
    compare_all();
    add({.kind = kind, .value = operation});
  }

  void ignore(uint64_t offset, uint64_t length) {
    const std::lock_guard guard(mutex_);
    ignored_.emplace_back(offset, offset + length);
  }

  void leave_out(const SiteSeen& site) {
    const std::lock_guard guard(mutex_);
    left_out_.push_back(site);
  }

  std::vector<SiteSeen> sites() const {
    const std::lock_guard guard(mutex_);
    return sites_;
  }

  Counts counts() const {
    const std::lock_guard guard(mutex_);
    return counts_;
  }

  Recording stop() {
    const std::lock_guard guard(mutex_);
    if (!stopped_) compare_all();
    stopped_ = true;
    ranges_.clear();
    return std::move(recording_);
  }

  // True for the first caller.
  bool give_away() { return !given_.exchange(true); }
  void take_back() { given_ = false; }

 private:
  // A mapping of a part of the medium: of the pool, or of a copy of it.
  struct Range {
    const char* base = nullptr;
    uint64_t begin = 0;  // of the medium's part
    uint64_t length = 0;
    uint64_t stored_end = 0;  // all of it beyond is zero
    bool copy = false;

    uint64_t end() const { return begin + length; }
    uint64_t offset_of(const void* address) const {
      return begin + reinterpret_cast<uintptr_t>(address) - reinterpret_cast<uintptr_t>(base);
    }
    const char* at(uint64_t offset) const { return base + (offset - begin); }
  };

  bool mapped() const {
    const std::lock_guard guard(mutex_);
    return !ranges_.empty();
  }
  Range range_at(const void* base, uint64_t begin, uint64_t length) const {
    const auto stored = [](char c) { return c != 0; };
    const auto first = known_.rend() - static_cast<ptrdiff_t>(begin + length);
    const auto last = std::find_if(first, known_.rend() - static_cast<ptrdiff_t>(begin), stored);
    return {static_cast<const char*>(base), begin, length,
            static_cast<uint64_t>(known_.rend() - last)};
  }
  Range* range_of(const void* address) {
    const auto* const byte = static_cast<const char*>(address);
    for (Range& range : ranges_)
      if (byte >= range.base && byte < range.base + range.length) return &range;
    return nullptr;
  }

  void add(Event event) {
    event.thread = this_thread();
    recording_.events.push_back(event);
  }

  bool pass(SiteSeen site) {
    const std::lock_guard guard(mutex_);
    const auto is_it = [&](const SiteSeen& other) { return site.same_place(other); };
    auto known = std::find_if(sites_.begin(), sites_.end(), is_it);
    if (known == sites_.end()) known = sites_.insert(sites_.end(), site);
    ++known->hits;
    return std::none_of(left_out_.begin(), left_out_.end(), is_it);
  }

  void compare_all() {
    if (scan_ == Scan::never) return;
    for (Range& range : ranges_) compare(range);
  }
  void compare(Range& range) { compare(range, range.begin, range.length); }

  // Records what differs in [offset, offset + length) from what is known.
  void compare(Range& range, uint64_t offset, uint64_t length) {
    const uint64_t end = std::min(offset + length, range.end());
    while (offset < end) {
      const uint64_t next = std::min(round_down(offset, kScanStep) + kScanStep, end);
      if (std::memcmp(range.at(offset), known_.data() + offset, next - offset) != 0)
        compare_words(range, offset, next);
      offset = next;
    }
  }

  // In the order in which they were stored, as far as that can be known.
  void compare_words(Range& range, uint64_t offset, uint64_t end) {
    if (!range.copy) {
      for (uint64_t word = round_down(offset, kWordSize); word < end; word += kWordSize)
        compare_word(range, std::max(word, offset), std::min(word + kWordSize, end));
      return;
    }
    for (uint64_t line = round_down(offset, kLineSize); line < end; line += kLineSize) {
      for (const size_t number : backend::kCopyOrder) {
        const uint64_t word = line + number * kWordSize;
        if (word + kWordSize > offset && word < end)
          compare_word(range, std::max(word, offset), std::min(word + kWordSize, end));
      }
    }
  }

  // Of bytes of one word.
  void compare_word(Range& range, uint64_t offset, uint64_t end) {
    const uint64_t length = end - offset;
    const char* const bytes = range.at(offset);
    if (std::memcmp(bytes, known_.data() + offset, length) == 0 || ignored(offset)) return;
    Event event{
        .kind = Event::Kind::store, .length = static_cast<uint8_t>(length), .offset = offset};
    std::memcpy(&event.value, bytes, length);
    std::memcpy(known_.data() + offset, &event.value, length);
    range.stored_end = std::max(range.stored_end, end);
    add(event);
  }

  bool ignored(uint64_t offset) const {
    return std::any_of(ignored_.begin(), ignored_.end(), [&](const auto& range) {
      return range.first <= offset && offset < range.second;
    });
  }

  const Scan scan_;
  mutable std::mutex mutex_;
  std::vector<char> known_;    // the medium with all stores that were recorded
  std::vector<Range> ranges_;  // the first is of the pool; none: not mapped, or stopped
  bool stopped_ = false;
  std::atomic<bool> given_{false};
  Recording recording_;
  Counts counts_;
  std::vector<SiteSeen> sites_;
  std::vector<SiteSeen> left_out_;
  std::vector<std::pair<uint64_t, uint64_t>> ignored_;
};

// What arrives at it, the tape knows by the address.
class Recorder::TapeBackend : public backend::Backend {
 public:
  explicit TapeBackend(std::shared_ptr<Tape> tape) : tape_(std::move(tape)) {}

  backend::Kind kind() const noexcept override { return backend::Kind::dax; }

  bool is_pmem(const void*, size_t) noexcept override { return true; }

  void flush(const void* address, size_t length) noexcept override {
    pmem::interpose::note_flush(address);
    tape_->flush(address, length);
  }
  void drain() noexcept override { tape_->fence(); }

  void* copy(void* destination, const void* source, size_t length,
             unsigned flags) noexcept override {
    std::memcpy(destination, source, length);
    return copied(destination, length, flags);
  }
  void* move(void* destination, const void* source, size_t length,
             unsigned flags) noexcept override {
    std::memmove(destination, source, length);
    return copied(destination, length, flags);
  }
  void* set(void* destination, int byte, size_t length, unsigned flags) noexcept override {
    std::memset(destination, byte, length);
    return copied(destination, length, flags);
  }

 private:
  void* copied(void* destination, size_t length, unsigned flags) {
    tape_->copied(destination, length);
    if ((flags & PMEM_F_MEM_NOFLUSH) == 0) {
      flush(destination, length);
      if ((flags & PMEM_F_MEM_NODRAIN) == 0) drain();
    }
    return destination;
  }

 protected:
  const std::shared_ptr<Tape> tape_;
};

class Recorder::PoolBackend final : public TapeBackend {
 public:
  using TapeBackend::TapeBackend;
  ~PoolBackend() override {
    tape_->unmap();
    tape_->take_back();
  }

  // libpmemobj asks this about the whole mapping before it stores anything.
  bool is_pmem(const void* address, size_t length) noexcept override {
    tape_->map_unless_mapped(address, length);
    return true;
  }
  void attached(const void* base, size_t length) noexcept override { tape_->map(base, length); }
  void detached() noexcept override { tape_->unmap(); }
};

namespace {

// The one that is recording.
Recorder* current = nullptr;

std::unique_ptr<backend::Backend> make_recorded(backend::Kind kind) {
  if (kind == backend::Kind::dax) return current->make_backend();
  const backend::Factory factory = backend::set_factory(nullptr);
  auto made = backend::make(kind);
  backend::set_factory(factory);
  return made;
}

}  // namespace

Recorder::Recorder(const std::string& file, Scan scan) : Recorder(read_file(file), scan) {
  ignore(kRunTimePart, kRunTimeEnd - kRunTimePart);
}

Recorder::Recorder(std::vector<char> medium, Scan scan)
    : tape_(std::make_shared<Tape>(std::move(medium), scan)) {
  if (current != nullptr) throw std::logic_error("another recorder is recording");
  current = this;
  pmem::set_observer(tape_.get());
  backend::set_factory(make_recorded);
}

Recorder::~Recorder() { finish(); }

std::unique_ptr<backend::Backend> Recorder::make_backend() {
  if (tape_->give_away()) return std::make_unique<PoolBackend>(tape_);
  const backend::Factory factory = backend::set_factory(nullptr);
  auto made = backend::make(backend::Kind::memory);
  backend::set_factory(factory);
  return made;
}

std::unique_ptr<backend::Backend> Recorder::record_copy(const void* base, uint64_t begin,
                                                        uint64_t length) {
  ignore(begin + kRunTimePart, kRunTimeEnd - kRunTimePart);
  tape_->map_copy(base, begin, length);
  return std::make_unique<TapeBackend>(tape_);
}

void Recorder::ignore(uint64_t offset, uint64_t length) { tape_->ignore(offset, length); }
void Recorder::leave_out(const SiteSeen& site) { tape_->leave_out(site); }
std::vector<SiteSeen> Recorder::sites() const { return tape_->sites(); }
void Recorder::begin(uint64_t operation) { tape_->mark(Event::Kind::begin, operation); }
void Recorder::returned(uint64_t operation) { tape_->mark(Event::Kind::returned, operation); }
Counts Recorder::counts() const { return tape_->counts(); }

Recording Recorder::finish() {
  if (current == this) {
    current = nullptr;
    pmem::set_observer(nullptr);
    backend::set_factory(nullptr);
  }
  return tape_->stop();
}

}  // namespace nvm::crash
