#include <algorithm>
#include <vector>

#include "fuzz/native/scratch.h"
#include "fuzz/native/targets.h"
#include "heap/file/pool_journal.h"
#include "heap/layout/validate.h"

namespace nvm::fuzz {
namespace {

constexpr Place kPlaces[] = {Place::journal_record, Place::journal_header, Place::journal_any,
                             Place::pool_header,    Place::descriptor,     Place::cut};

}  // namespace

// Without a pool that has a journal the input's damage of one is none.
void fuzz_journal(Bytes input) {
  std::vector<uint8_t> bytes(input.begin(), input.end());
  bytes.resize(std::max(bytes.size(), kRecordBytes));
  bytes[0] = static_cast<uint8_t>(base_pools().size() - 1);
  Damaged damaged(bytes, kPlaces);
  const std::string path = scratch_path("damaged");
  write_file(heap::journal_path(path), damaged.journal());
  const auto lay_over = [&] { heap::lay_journal_over(damaged.pool(), damaged.size(), path); };
  if (!passes(lay_over)) return;
  passes([&] { heap::validate(damaged.pool(), damaged.size(), path); });
}

}  // namespace nvm::fuzz
