#include "fuzz/native/base_pool.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <utility>

#include "backend/journal/format.h"
#include "backend/journal/journal_file.h"
#include "core/values.h"
#include "fuzz/native/scratch.h"
#include "heap/access.h"
#include "heap/file/pool_journal.h"
#include "heap/layout/pmdk_layout.h"
#include "heap/layout/pool_header.h"
#include "heap/layout/validate.h"
#include "object/dict/dict.h"
#include "object/list/list.h"
#include "object/raw/raw.h"
#include "object/record/class_table.h"
#include "object/record/record.h"
#include "object/store.h"

namespace nvm::fuzz {
namespace {

namespace journal = backend::journal;
using heap::Operation;
using heap::Pool;
using heap::Type;
using object::Cell;
using object::Value;
using object::testing::Values;

constexpr uint64_t kHashKey = 0x0123456789ABCDEF;  // instead of one by chance
constexpr int kSpilledAttributes = 12;             // some lie in the overflow block
constexpr int kDictAttributes = 140;               // more than a shape may have: in a dict

// Fills a pool and changes it, in the order of Python's `pool[name] = value`.
class Filling {
 public:
  explicit Filling(Pool& pool) : pool_(pool) {}

  void fill() {
    put("scalars", scalars());
    put("containers", containers());
    put("spilled", numbers(60));
    put("large", numbers(300));
    put("set", elements(60));
    put("boxed", boxed());
    put_records();
    put_memory();
    put_garbage();
    store(
        [&](Operation& op) { replace(op, &op.pool().root().root, Value::object_at(at("boxed"))); });
  }

  // Some of each kind that the undo log has entries for.
  void change() {
    const Offset list = at("containers");
    store([&](Operation& op) {
      object::list::insert(op, list, 1, values_.str("a text put between"));
    });
    store([&](Operation& op) { object::list::reverse(op, list); });
    store(
        [&](Operation& op) { object::list::set(op, list, 0, values_.list({Values::integer(1)})); });
    for (int i = 0; i < 20; ++i) put("new " + std::to_string(i), values_.list({values_.dict()}));
    erase("spilled", Values::integer(3));
    erase("large", Values::integer(200));
    erase("set", Values::integer(9));
    remove("scalars");
  }

 private:
  template <class F>
  void store(F&& f) {
    heap::mutate(pool_, [&](Operation& op) {
      object::forget(values_.graph);
      f(op);
    });
  }
  Offset dict() const { return Cell(pool_.root().root_dict).offset(); }
  Offset at(const std::string& name) {
    return object::dict::get(pool_, dict(), object::Key(pool_, values_.str(name))).offset();
  }
  void put(const std::string& name, const Value& value) {
    const object::Key key(pool_, values_.str(name));
    store([&](Operation& op) { object::dict::set(op, dict(), key, value); });
  }
  void remove(const std::string& name) {
    const object::Key key(pool_, values_.str(name));
    store([&](Operation& op) { object::dict::erase(op, dict(), key); });
  }
  void erase(const std::string& name, const Value& value) {
    const Offset from = at(name);
    const object::Key key(pool_, value);
    store([&](Operation& op) { object::dict::erase(op, from, key); });
  }

  Value scalars() {
    Value list = values_.list({Values::none(), Values::boolean(true), Values::integer(-1)});
    for (const double number : {0.0, 1.5, -2.5e300})
      list.node->items.push_back(Values::real(number));
    for (const char* text : {"", "short", "a text of more than five characters"})
      list.node->items.push_back(values_.str(text));
    list.node->items.push_back(values_.str(std::string("\x01\x02\x03\x04\x05\x06\x07\x08", 8), 2));
    list.node->items.push_back(values_.str(std::string("\x01\xF6\x01\x00\x02\xF6\x01\x00", 8), 4));
    list.node->items.push_back(values_.bytes("bytes in a block"));
    list.node->items.push_back(values_.big(std::string(40, '\x7F')));
    list.node->items.push_back(values_.big("\x01\x02\x03\x04\x05\x06\x07\x08\x09", true));
    list.node->items.push_back(Value::complex_of(1, -2));
    list.node->items.push_back(values_.bytes(std::string(270'000, 'y')));
    return list;
  }

  Value containers() {
    Value few = values_.dict({values_.str("few"), Values::integer(1)});
    few.node->items.insert(few.node->items.end(),
                           {values_.str("a key of more than nineteen characters"), values_.list(),
                            Values::real(2.5), values_.bytes("x"), values_.bytes("key"),
                            values_.tuple({Values::integer(3), values_.str("in a tuple, long")})});
    return values_.list(
        {few,
         values_.set({Values::integer(1), values_.str("two"), values_.tuple({Values::none()})}),
         values_.tuple({Values::integer(1), values_.list({values_.str("inside of a tuple")})}),
         values_.named_tuple("m:Point", {Values::integer(1), Values::integer(2)}),
         values_.frozenset({Values::integer(1), values_.str("element of a set"), Values::none()}),
         values_.node(Type::persistent_tuple, {Values::integer(1), values_.str("the second")}),
         values_.node(Type::persistent_frozenset, {Values::integer(7), values_.str("the eighth")}),
         values_.bytearray("a byte array of some length"), values_.bytearray(""),
         values_.bytearray(std::string(3'000, 'z')), values_.list(), values_.dict()});
  }

  Value numbers(int64_t count) {
    const Value dict = values_.dict();
    for (int64_t i = 0; i < count; ++i) {
      dict.node->items.push_back(Values::integer(i));
      dict.node->items.push_back(i % 7 != 0 ? Values::integer(i)
                                            : values_.str("a value in a block"));
    }
    return dict;
  }
  Value elements(int64_t count) {
    const Value set = values_.set();
    for (int64_t i = 0; i < count; ++i) set.node->items.push_back(Values::integer(i));
    return set;
  }

  Value boxed() {
    const Value key = values_.tuple({values_.str("date"), Values::integer(738'000)});
    const Value date = values_.boxed("datetime:date", {Values::integer(738'000), key});
    const Value one = values_.transparent("m:Number", values_.str("1.50"), Values::real(1.5));
    const Value keyless = values_.boxed("m:Keyless", {values_.bytes("the state of a value")});
    return values_.list(
        {date, one, keyless, values_.dict({date, Values::integer(1), one, values_.list({date})})});
  }

  void put_records() {
    put("records", values_.list());
    for (const int attributes : {0, 3, kSpilledAttributes, kDictAttributes}) {
      Offset record = 0;
      store([&](Operation& op) {
        record = object::record::create(op, object::class_table::ensure(op, "m:Thing"));
        object::list::append(op, at("records"), Value::object_at(record));
      });
      for (int i = 0; i < attributes; ++i) {
        const Value value = i % 3 != 0 ? Values::integer(i) : values_.str("an attribute's value");
        store([&](Operation& op) {
          object::record::set(op, record, "attribute" + std::to_string(i), value);
        });
      }
    }
  }

  void put_memory() {
    store([](Operation& op) { object::raw::allocate(op, 200, 1, true); });
    Offset head = 0;
    store([&](Operation& op) { head = object::raw::allocate(op, 32, 7, true); });
    store([&](Operation& op) {
      object::raw::set_class(op, head, object::class_table::ensure(op, "m:Ring"));
      object::list::append(op, at("records"), Value::object_at(head));
    });
  }

  void put_garbage() {
    const Value list = values_.list({values_.str("in a cycle without a root")});
    list.node->items.push_back(list);
    put("garbage", list);
    remove("garbage");
  }

  Pool& pool_;
  Values values_;
};

// ---- The files

std::shared_ptr<Pool> open(const std::string& path, backend::Kind kind) {
  heap::OpenOptions options;
  options.path = path;
  options.limit = heap::kMinPoolSize;
  options.initial_size = heap::kMinPoolSize;
  options.backend = kind;
  return Pool::open(options, object::initialize, object::destroy);
}

// A pool whose hash key is known.
std::shared_ptr<Pool> create(const std::string& path, backend::Kind kind) {
  std::shared_ptr<Pool> pool = open(path, kind);
  const Offset place = pool->offset_of(&pool->root().hash_key);
  pool->close();
  std::string content = read_file(path);
  std::memcpy(content.data() + place, &kHashKey, sizeof kHashKey);
  write_file(path, content);
  return open(path, kind);
}

using State = std::function<void(Pool&, const std::function<void()>& copy)>;

void closed(Pool& pool, const std::function<void()>& copy) {
  pool.close();
  copy();
}

// Objects on limbo, last operations not settled.
void in_use(Pool& pool, const std::function<void()>& copy) {
  heap::Handle* const handle = pool.handles().pin(Cell(pool.root().root).offset());
  heap::mutate(pool, [&](Operation& op) { replace(op, &op.pool().root().root, Values::none()); });
  Filling(pool).change();
  copy();
  pool.handles().unpin(handle);
}

void in_transaction(Pool& pool, const std::function<void()>& copy) {
  pool.begin();
  Filling(pool).change();
  copy();
  pool.abort();
  pool.end_failed();
}

// ---- What lies in them

std::vector<Offset> records_of(const std::string& file) {
  std::vector<Offset> found;
  if (file.empty()) return found;
  journal::Header header{};
  std::memcpy(&header, file.data(), sizeof header);
  for (const uint64_t half : {uint64_t{0}, header.half_bytes}) {
    uint64_t at = journal::kHalvesOffset + half;
    const uint64_t end = std::min<uint64_t>(at + header.half_bytes, file.size());
    journal::RecordHeader record{};
    while (at + sizeof record <= end) {
      std::memcpy(&record, file.data() + at, sizeof record);
      if (record.checksum == 0 || record.bytes > end - at - sizeof record) break;
      found.push_back(at);
      at += sizeof record + record.bytes;
    }
  }
  return found;
}

// Looks at the pool as its recovery would leave it, but for our undo log.
void look_into(BasePool& base, const std::string& path) {
  std::string whole = base.pool;
  write_file(path, whole);
  if (!base.journal.empty()) write_file(heap::journal_path(path), base.journal);
  heap::lay_journal_over(whole.data(), whole.size(), path);
  base.root = heap::validate(whole.data(), whole.size(), path).root;
  heap::HeapWalk walk(whole.data(), whole.size());
  for (heap::Block block; walk.next(block);) {
    base.blocks.push_back(block);
    if (block.header != heap::BlockHeader::none && !block.internal) base.headed.push_back(block);
  }
  const heap::HeapView view(whole.data(), whole.size());
  heap::for_each_chunk(view, [&](const heap::Chunk& chunk) {
    if (chunk.type == heap::pmdk::ChunkType::run)
      base.runs.push_back(view.chunk_offset(chunk.zone, chunk.index));
  });
  const auto* root = reinterpret_cast<const heap::RootObject*>(whole.data() + base.root);
  base.undo_segment = root->tx.first_segment;
  const std::string zeros(heap::pmdk::kPage, '\0');
  for (uint64_t at = 0; at < base.pool.size(); at += zeros.size())
    if (base.pool.compare(at, zeros.size(), zeros) != 0) base.pages.push_back(at);
  base.records = records_of(base.journal);
}

BasePool make(const std::string& name, backend::Kind kind, const State& leave) {
  const std::string path = scratch_path(name);
  const std::shared_ptr<Pool> pool = create(path, kind);
  Filling(*pool).fill();
  BasePool base;
  leave(*pool, [&] {
    base.pool = read_file(path);
    if (kind == backend::Kind::journal && !pool->closed())
      base.journal = read_file(heap::journal_path(path));
  });
  pool->close();
  look_into(base, path);
  return base;
}

}  // namespace

const std::vector<BasePool>& base_pools() {
  static const std::vector<BasePool> pools = [] {
    const uint64_t half_bytes = std::exchange(journal::wanted_half_bytes, journal::kLeastHalfBytes);
    std::vector<BasePool> made;
    made.push_back(make("closed", backend::Kind::memory, closed));
    made.push_back(make("used", backend::Kind::memory, in_use));
    made.push_back(make("transaction", backend::Kind::memory, in_transaction));
    made.push_back(make("journal", backend::Kind::journal, in_use));
    journal::wanted_half_bytes = half_bytes;
    return made;
  }();
  return pools;
}

}  // namespace nvm::fuzz
