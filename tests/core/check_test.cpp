// Pools that are damaged on purpose: check() says what is wrong, and where, and comes back whatever
// it meets.
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "core/check_fixture.h"
#include "object/raw/raw.h"

namespace nvm::object::testing {
namespace {

// ---- Paths

TEST_F(Check, NamesThePlaceAsPythonWritesIt) {
  put("users",
      values.list({Values::none(), values.dict({Values::integer(3),
                                                values.tuple({Values::none(), values.list()})})}));
  const Offset users = at("users");
  const Offset inner = Cell(cell(users, 1)).offset();
  const Offset tuple = dict::get(pool(), inner, Key(pool(), Values::integer(3))).offset();
  const Offset list = Cell(tuple::cells(pool(), tuple)[1]).offset();
  with(pool().at<heap::Counted>(list)->word, uint64_t{5}, [&] {
    expect_finding(Finding::Kind::count, "pool[\"users\"][1][3][1]",
                   "the reference count is 5, found 1");
  });
  with(cell(users, 0), uint64_t{0}, [&] { expect_damage("pool[\"users\"][0]", "blank"); });
  set_root(values.list({values.list()}));
  with(pool().at<heap::Counted>(Cell(cell(root_object(), 0)).offset())->word, uint64_t{2},
       [&] { expect_finding(Finding::Kind::count, "pool.root[0]", "found 1"); });
  const Offset record = put_record();
  with(pool().at<record::Header>(record)->slots[1], uint64_t{9},
       [&] { expect_damage("pool[\"thing\"].b", "no value"); });
}

TEST_F(Check, LeavesOutTheMiddleOfLongPaths) {
  Value inner = values.list();
  for (int i = 0; i < 100; ++i) inner = values.list({inner});
  set_root(inner);
  Offset last = root_object();
  while (list::size(pool(), last) != 0) last = Cell(cell(last, 0)).offset();
  with(pool().at<heap::Counted>(last)->word, uint64_t{2}, [&] {
    const auto findings = check().findings;
    ASSERT_EQ(findings.size(), 1U);
    EXPECT_EQ(findings[0].path.rfind("pool.root<", 0), 0U);
    EXPECT_LT(findings[0].path.size(), 200U);
  });
}

TEST_F(Check, FindsMemoryThatSaysItIsLongerThanItsBlock) {
  Offset block = 0;
  heap::mutate(pool(), [&](Operation& op) { block = raw::allocate(op, 100, 8, true); });
  EXPECT_TRUE(check().findings.empty());
  auto* const memory = pool().at<raw::Raw>(block);
  for (const uint64_t size : {uint64_t{1000}, uint64_t{1} << 30, ~uint64_t{0}})
    with(memory->size, size, [&] {
      expect_finding(Finding::Kind::damage, "", "memory that says it has " + std::to_string(size));
    });
}

// ---- Values

TEST_F(Check, FindsCellsThatAreNoValues) {
  put("l", values.list({values.str("abc"), values.bytes("ab")}));
  const Offset list = at("l");
  for (const uint64_t bad : {uint64_t{5}, uint64_t{6} << 48, uint64_t{0x8003} << 48})
    with(cell(list, 0), bad, [&] { expect_damage("pool[\"l\"][0]", "no value"); });
  const uint64_t text = cell(list, 0);
  for (const uint64_t bad : {text | uint64_t{7} << 40, text | uint64_t{1} << 32})
    with(cell(list, 0), bad, [&] { expect_damage("pool[\"l\"][0]", "short text"); });
  for (const Cell bad : {Cell::blob(8), Cell::blob(list), Cell::blob(uint64_t{1} << 47)})
    with(cell(list, 1), bad.bits(), [&] { expect_damage("pool[\"l\"][1]", "owns what is no"); });
  for (const Cell bad : {Cell::object(8), Cell::object(list + 16)})
    with(cell(list, 1), bad.bits(),
         [&] { expect_damage("pool[\"l\"][1]", "refers to what is no"); });
}

TEST_F(Check, FindsLargeValuesThatAreDamaged) {
  const std::string wide("a\0\xAC\x20", 4);
  put("l", values.list({values.str("an ASCII text"), values.str(wide, 2),
                        values.big(std::string(9, '\x7F')), values.bytes("some bytes")}));
  const Offset list = at("l");
  const auto word = [&](uint64_t index) -> uint64_t& {
    return *pool().at<uint64_t>(Cell(cell(list, index)).offset());
  };
  const auto expect = [&](uint64_t index, uint64_t bad, const std::string& what) {
    with(word(index), bad,
         [&] { expect_damage("pool[\"l\"][" + std::to_string(index) + "]", what); });
  };
  expect(0, word(0) & ~uint64_t{0xFF}, "no str");
  expect(0, word(0) & ~(uint64_t{1} << 12), "ASCII");
  expect(0, word(0) | uint64_t{1} << 13, "flags");
  expect(0, (word(0) & 0xFFFF) | uint64_t{3} << 16, "fit");
  expect(0, (word(0) & 0xFFFF) | uint64_t{1000} << 16, "longer than its block");
  expect(0, (word(0) & 0xFFFF) | uint64_t{1} << 44, "");
  expect(1, word(1) | uint64_t{1} << 12, "narrowest");
  expect(2, (word(2) & 0xFFFF) | uint64_t{10} << 16, "zeros");
  expect(2, (word(2) & 0xFFFF) | uint64_t{3} << 16, "fit");
  expect(3, (word(3) & 0xFFFF) | uint64_t{5} << 16, "fit");
  auto* const characters = reinterpret_cast<char16_t*>(&word(1) + 1);
  with(characters[1], u'x', [&] { expect_damage("pool[\"l\"][1]", "narrowest"); });
  char& letter = *reinterpret_cast<char*>(&word(0) + 1);
  with(letter, '\xE4', [&] { expect_damage("pool[\"l\"][0]", "ASCII"); });
}

TEST_F(Check, FindsABlockWithTwoOwnersAndOneWithout) {
  put("l", values.list({values.str("a long text"), values.str("another long text")}));
  const Offset list = at("l");
  const uint64_t first = cell(list, 0);
  with(cell(list, 1), first, [&] {
    expect_damage("pool[\"l\"][1]", "another owner");
    expect_finding(Finding::Kind::leak, "", "that nothing owns");
  });
  Offset lost = 0;
  mutate([&](Operation& op) { lost = op.allocate_blob(100); });
  expect_finding(Finding::Kind::leak, "", "a block of 112 bytes that nothing owns");
  const collect::CheckReport report = check();
  EXPECT_EQ(report.leaks, 1U);
  EXPECT_EQ(report.leaked_bytes, 112U);
  mutate([&](Operation& op) { op.free(lost); });
  expect_sound();
}

// ---- Containers

TEST_F(Check, FindsContainersThatAreTooLong) {
  put("l", values.list({Values::integer(1)}));
  auto* const list = pool().at<list::Header>(at("l"));
  auto* const body = pool().at<list::Body>(list->body);
  with(list->size, uint64_t{100}, [&] { expect_damage("pool[\"l\"]", "longer than its body"); });
  with(body->capacity, uint64_t{100}, [&] { expect_damage("pool[\"l\"]", "too short"); });
  with(list->body, Offset{8}, [&] { expect_damage("pool[\"l\"]", "cannot be read"); });
  put("t", values.tuple({Values::integer(1)}));
  auto* const tuple = pool().at<tuple::Header>(at("t"));
  with(tuple->length, uint64_t{20}, [&] { expect_damage("pool[\"t\"]", "longer than its block"); });
  with(tuple->length, ~uint64_t{0}, [&] { expect_damage("pool[\"t\"]", "too long"); });
}

TEST_F(Check, FindsWhatIsWrongWithADictsEntries) {
  put("d", numbers(20));
  put("e", values.dict({values.str("a key of text"), Values::none()}));
  const dict::Table numbers = table(at("d"));
  dict::Entry& fifth = *numbers.entry(5);
  dict::Entry& seventh = *numbers.entry(7);
  with(fifth.mark, fifth.mark + 1, [&] { expect_damage("pool[\"d\"][5]", "another hash"); });
  with(fifth.mark, uint64_t{0}, [&] { expect_damage("pool[\"d\"]<slot 5>", "no mark"); });
  with(fifth, dict::Entry{fifth.value, seventh.mark, seventh.low, seventh.high},
       [&] { expect_damage("pool[\"d\"][7]", "a key that another one has"); });
  with(fifth.value, uint64_t{0}, [&] { expect_damage("pool[\"d\"]", "1 entries are deleted"); });
  dict::Entry& text = *table(at("e")).entry(0);
  with(text.high, text.high | uint64_t{1} << 63,
       [&] { expect_damage("pool[\"e\"][\"a key of text\"]", "shortest form"); });
}

TEST_F(Check, FindsWhatIsWrongWithADictsIndex) {
  put("d", numbers(20));
  const dict::Table numbers = table(at("d"));
  uint64_t* slot = numbers.slots().begin;
  while (*slot == 0) ++slot;
  const std::string path = "pool[\"d\"][" + std::to_string(dict::number_of_slot(*slot)) + "]";
  with(*slot, uint64_t{0}, [&] { expect_damage(path, "not in the index"); });
  with(*slot, *slot + 1, [&] { expect_damage(path, "not in the index"); });
  with(*slot, *slot | uint64_t{40} << 32, [&] { expect_damage(path, "not in the index"); });
  // All slots are in use: no probe ever ends at a blank one.
  const std::vector<uint64_t> before(numbers.slots().begin,
                                     numbers.slots().begin + numbers.slots().count);
  for (uint64_t i = 0; i < numbers.slots().count; ++i)
    numbers.slots().begin[i] = dict::slot_word(1, 1000);
  EXPECT_EQ(check().findings.size(), 20U);
  std::copy(before.begin(), before.end(), numbers.slots().begin);
  expect_sound();
}

TEST_F(Check, FindsDamagedObjectsShapesAndClasses) {
  auto* const record = pool().at<record::Header>(put_record());
  const std::string path = "pool[\"thing\"]";
  with(record->counted.word, record->counted.word + (uint64_t{1} << heap::kClassShift),
       [&] { expect_damage(path, "unknown class"); });
  with(record->shape, record->shape | uint64_t{30} << 48,
       [&] { expect_damage(path, "longer than its block"); });
  with(record->shape, (record->shape & ~heap::kMaxOffset) | 8, [&] { expect_damage(path, ""); });
  with(record->overflow, Offset{8}, [&] { expect_damage(path, ""); });
  auto* const shape = pool().at<heap::Shape>(record->shape & heap::kMaxOffset);
  with(shape->class_id, uint64_t{2}, [&] { expect_damage("", "shapes of class 1"); });
  with(shape->count, uint64_t{7}, [&] { expect_damage("", "the class table: the shape"); });
  with(shape->parent, Offset{0}, [&] { expect_damage("", "the class table: the shape"); });
  with(shape->name, Offset{8}, [&] { expect_damage("", "the class table"); });
  with(shape->next, pool().offset_of(shape), [&] { expect_damage("", "another owner"); });
  heap::RootObject& root = pool().root();
  with(root.class_count, uint64_t{1} << 20, [&] { expect_damage("", "the class table"); });
  with(root.class_table, Offset{8}, [&] { expect_damage("", "the class table"); });
}

TEST_F(Check, FindsTuplesThatHoldThemselves) {
  const Value inner = values.tuple({Values::integer(1), values.list()});
  put("l", values.list({values.tuple({inner, Values::integer(2)})}));
  const Offset outer = Cell(cell(at("l"), 0)).offset();
  const auto cells = [&](Offset tuple) {
    return const_cast<uint64_t*>(tuple::cells(pool(), tuple).data());
  };
  const Offset within = Cell(cells(outer)[0]).offset();
  for (const Offset held : {outer, within}) {
    uint64_t& count = pool().at<heap::Counted>(held)->word;
    ++count;  // so that nothing else is wrong
    with(cells(within)[0], Cell::object(held).bits(), [&] {
      const auto findings = check().findings;
      ASSERT_EQ(findings.size(), 1U);
      EXPECT_NE(findings[0].what.find("holds itself"), std::string::npos) << findings[0].what;
      EXPECT_EQ(findings[0].path.rfind("pool[\"l\"][0]", 0), 0U) << findings[0].path;
      --count;
    });
  }
}

// ---- Lists of the heap's own

TEST_F(Check, FindsADamagedLimboList) {
  heap::RootObject& root = pool().root();
  auto* const segment = pool().at<heap::LimboSegment>(root.limbo);
  set_root(values.list());
  with(segment->slots[5], root_object(),
       [&] { expect_finding(Finding::Kind::limbo, "pool.root", "that is on limbo"); });
  with(segment->slots[5], Offset{8},
       [&] { expect_finding(Finding::Kind::limbo, "", "is no object"); });
  with(segment->next, root.limbo, [&] { expect_damage("", "another owner"); });
  with(segment->capacity, uint64_t{5}, [&] { expect_damage("", "another size"); });
  with(root.limbo, Offset{8}, [&] { expect_damage("", "the limbo list"); });
  with(root.tx.state, root.tx.state | 1, [&] { expect_damage("", "the undo log"); });
  with(root.root_dict, Cell::none().bits(), [&] { expect_damage("", "the pool's own dict"); });
}

// ---- libpmemobj's heap

TEST_F(CheckHeap, FindsABrokenChainOfChunks) {
  ChunkHeader& run = chunks()[first(ChunkType::run)];
  for (const uint32_t bad : {uint32_t{0}, uint32_t{1} << 30})
    with(run.chunks, bad, [&] { expect_damage("", "chunks"); });
  with(run.type, ChunkType::footer, [&] { expect_damage("", "where a chunk should begin"); });
  with(run.flags, uint16_t{0x100}, [&] { expect_damage("", "unknown flags"); });
}

TEST_F(CheckHeap, FindsDamagedRuns) {
  auto* const run =
      reinterpret_cast<heap::pmdk::RunHeader*>(chunk(first(ChunkType::run, heap::pmdk::kNoHeader)));
  with(run->unit, uint64_t{24}, [&] { expect_damage("", "no allocation class"); });
  with(run->unit, uint64_t{0}, [&] { expect_damage("", "units of 0 bytes"); });
  // The last word of the bitmap belongs to no unit.
  auto* const bitmap = reinterpret_cast<uint64_t*>(run + 1);
  const uint64_t words = (heap::pmdk::kChunkSize / run->unit + 63) / 64;
  with(bitmap[words - 1], bitmap[words - 1] & ~(uint64_t{1} << 63),
       [&] { expect_damage("", "behind its last one"); });
}

TEST_F(CheckHeap, FindsBlocksThatOverlap) {
  set_root(values.list({values.list(), values.list()}));
  auto* const block =
      reinterpret_cast<heap::pmdk::CompactHeader*>(pool().at<char>(root_object()) - 16);
  with(block->size, block->size + 64, [&] {
    const auto findings = check().findings;
    EXPECT_FALSE(findings.empty());
  });
  with(block->size, uint64_t{0}, [&] { expect_damage("", "a block of 0 bytes"); });
  with(block->type, uint64_t{99}, [&] { expect_damage("", "unknown type 99"); });
}

// ---- Whatever it meets

TEST_F(Check, ComesBackFromAnyDamage) {
  put("users", values.list({values.str("a long text"),
                            values.tuple({values.frozenset({Values::integer(1)})})}));
  put("d", numbers(200));
  put("s", values.set({Values::integer(1), values.str("an element of text")}));
  put_record();
  expect_sound();
  char* const base = const_cast<char*>(pool().file().base());
  const uint64_t size = pool().file().size();
  const std::string before(base, size);
  std::mt19937_64 random(20260101);
  std::vector<Offset> words;  // of all blocks in use
  heap::HeapWalk walk(base, size);
  for (heap::Block block; walk.next(block);)
    for (uint64_t at = 0; at < std::min<uint64_t>(block.usable, 512); at += 8)
      words.push_back(block.offset + at);
  for (int round = 0; round < 200; ++round) {
    for (uint64_t flips = 1 + random() % 4; flips != 0; --flips) {
      const Offset at = random() % 8 == 0 ? heap::pmdk::kFirstZone + random() % 4096 / 8 * 8
                                          : words[random() % words.size()];
      uint64_t& word = *reinterpret_cast<uint64_t*>(base + at);
      word = random() % 2 == 0 ? word ^ uint64_t { 1 } << random() % 64 : random() >> random() % 64;
    }
    check();
    std::memcpy(base, before.data(), size);
  }
  expect_sound();
}

TEST_F(Check, CanBeStopped) {
  set_root(numbers(1000));
  struct Stop {};
  EXPECT_THROW(check([](uint64_t, uint64_t) { throw Stop{}; }), Stop);
  expect_sound();
}

}  // namespace
}  // namespace nvm::object::testing
