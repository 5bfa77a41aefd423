#include <string>
#include <vector>

#include "fuzz/native/targets.h"
#include "heap/layout/footers.h"
#include "heap/layout/heap_survey.h"
#include "heap/layout/heap_walk.h"
#include "heap/layout/pool_header.h"
#include "heap/layout/validate.h"

namespace nvm::fuzz {
namespace {

constexpr Place kPlaces[] = {
    Place::block_header, Place::chunk, Place::run,   Place::pool_header, Place::descriptor,
    Place::heap_header,  Place::page,  Place::block, Place::root,        Place::cut};

struct Surveyed : heap::HeapVisitor {
  std::vector<Offset> blocks;
  bool damaged = false;
  void block(const heap::Block& block) override { blocks.push_back(block.offset); }
  void damage(Offset, const std::string&) override { damaged = true; }
};

// Two ways over the heap, and two to a block: what one knows of a sound heap, the other does too.
void compare_walks(const char* base, uint64_t size) {
  Surveyed surveyed;
  heap::survey(base, size, surveyed);
  std::vector<Offset> walked;
  const bool passed = passes([&] {
    heap::HeapWalk walk(base, size);
    for (heap::Block block; walk.next(block);) walked.push_back(block.offset);
  });
  if (surveyed.damaged) return;
  expect(passed, "a walk fails where the survey finds nothing");
  expect(walked == surveyed.blocks, "walk and survey differ");
  expect(passes([&] { heap::check_zones(base, size); }), "zones of a sound heap are refused");
  expect(passes([&] { heap::check_runs(base, size); }), "runs of a sound heap are refused");
  for (const Offset block : walked) {
    const auto found = heap::quick_block_at(base, size, block);
    expect(found && found->offset == block, "a block is not found at its offset");
  }
}

void look_everywhere(const BasePool& known, const char* base, uint64_t size) {
  compare_walks(base, size);
  passes([&] { heap::heap_totals(base, size); });
  for (const heap::Block& block : known.blocks) {
    heap::quick_block_at(base, size, block.offset);
    heap::is_block_place(base, size, block.offset + sizeof(uint64_t));
  }
  for (size_t i = 0; i < known.blocks.size(); i += known.blocks.size() / 4 + 1)
    heap::block_at(base, size, known.blocks[i].offset);
}

}  // namespace

void fuzz_heap(Bytes input) {
  Damaged damaged(input, kPlaces);
  char* const base = damaged.pool();
  const uint64_t size = heap::usable_file_size(damaged.size());
  if (passes([&] { heap::check_pool_header(base, damaged.size(), "pool"); }))
    look_everywhere(damaged.base(), base, size);
  if (!passes([&] { heap::validate(base, damaged.size(), "pool"); })) return;
  look_everywhere(damaged.base(), base, size);
  passes([&] { heap::mend_footers(base, size); });
}

}  // namespace nvm::fuzz
