// libFuzzer's entry points. NVM_FUZZ_TARGET names the target.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string_view>

#include "fuzz/native/targets.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t most);

namespace nvm::fuzz {
namespace {

const Target& chosen() {
  const char* const name = std::getenv("NVM_FUZZ_TARGET");
  for (const Target& target : kTargets)
    if (name != nullptr && std::string_view(name) == target.name) return target;
  std::fputs("NVM_FUZZ_TARGET names no target\n", stderr);
  std::exit(2);
}

// A record at random, the same number of bytes.
void change_record(uint8_t* record) { LLVMFuzzerMutate(record, kRecordBytes, kRecordBytes); }

}  // namespace
}  // namespace nvm::fuzz

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  nvm::fuzz::chosen();
  nvm::fuzz::base_pools();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const nvm::fuzz::Target& target = nvm::fuzz::chosen();
  target.run({data, size});
  return 0;
}

// Inputs stay sequences of records: one is changed, repeated elsewhere, or left out.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t most, unsigned seed) {
  using nvm::fuzz::kRecordBytes;
  std::minstd_rand random(seed);
  size_t records = size / kRecordBytes;
  if (records < 2) {
    if (most < 2 * kRecordBytes) return size;
    std::memset(data + size, 0, 2 * kRecordBytes - size);
    records = 2;
  }
  const auto at = [&](size_t record) { return data + record * kRecordBytes; };
  const size_t chosen = random() % records;
  const unsigned how = random() % 8;
  if (how == 0 && records > 2 && chosen != 0) {
    std::memmove(at(chosen), at(chosen + 1), (records - chosen - 1) * kRecordBytes);
    return (records - 1) * kRecordBytes;
  }
  if (how <= 2 && (records + 1) * kRecordBytes <= most) {
    std::memcpy(at(records), at(std::max<size_t>(chosen, 1)), kRecordBytes);
    nvm::fuzz::change_record(at(records));
    return (records + 1) * kRecordBytes;
  }
  nvm::fuzz::change_record(at(chosen));
  return records * kRecordBytes;
}
