// Judges what power cuts have left, with the code that users have.
//
// The arguments: BACKEND COMMITS, of the workload. Each line of the input names a pool and the last
// commit that was acknowledged; the answer to it is a line, "ok" and the last commit that is there,
// or "wrong" and why. With the arguments POOL ACKNOWLEDGED besides, this one pool is judged.
//
// A pool is right if it holds what an undisturbed one holds after exactly the acknowledged commits,
// or after one more that had not returned yet; if check() finds nothing; and if it goes on like one
// that was never cut, through a close and an open.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "collect/check.h"
#include "crash/dump.h"
#include "heap/access.h"
#include "object/store.h"
#include "power/ledger.h"

namespace nvm::power {
namespace {

using heap::Pool;

constexpr uint64_t kMoreCommits = 3;

std::shared_ptr<Pool> open(const std::string& path, backend::Kind kind) {
  heap::OpenOptions options;
  options.path = path;
  options.backend = kind;
  options.limit = heap::kMinPoolSize;  // or what the file has
  return Pool::open(options, object::initialize, object::destroy);
}

std::string damage(Pool& pool) {
  const heap::Surveying surveying(pool, "check");
  std::string all;
  for (const collect::Finding& finding : collect::check(pool).findings)
    all += "at " + std::to_string(finding.offset) + ": " + finding.what + "; ";
  return all;
}

class Judge {
 public:
  Judge(backend::Kind kind, uint64_t commits) : kind_(kind) {
    std::string folder = std::filesystem::temp_directory_path() / "nvm-power-XXXXXX";
    if (mkdtemp(folder.data()) == nullptr) throw Error(ErrorKind::os, "cannot make " + folder);
    heap::OpenOptions options;
    options.path = folder + "/pool";
    options.backend = backend::Kind::memory;
    options.initial_size = heap::kMinPoolSize;
    options.limit = 2 * heap::kMinPoolSize;
    const std::shared_ptr<Pool> pool = Pool::open(options, object::initialize, object::destroy);
    history_ = {state_of(*pool)};
    for (uint64_t number = 1; number <= commits + kMoreCommits; ++number) {
      commit(*pool, number);
      history_.push_back(state_of(*pool));
    }
    pool->close();
    std::filesystem::remove_all(folder);
  }

  std::string verdict(const std::string& path, uint64_t acknowledged) const {
    try {
      uint64_t found = acknowledged;
      std::string complaint = look(path, acknowledged, found);
      if (complaint.empty()) complaint = look_again(path, found + kMoreCommits);
      if (complaint.empty()) return "ok " + std::to_string(found);
      return "wrong " + complaint;
    } catch (const std::exception& error) {
      return std::string("wrong ") + error.what();
    }
  }

 private:
  static size_t state_of(Pool& pool) { return std::hash<std::string>()(crash::dump(pool)); }
  bool is(uint64_t number, size_t state) const {
    return number < history_.size() && history_[number] == state;
  }

  std::string look(const std::string& path, uint64_t acknowledged, uint64_t& found) const {
    const std::shared_ptr<Pool> pool = open(path, kind_);
    const size_t state = state_of(*pool);
    if (!is(acknowledged, state)) found = acknowledged + 1;
    if (!is(found, state)) return which(state) + " instead of " + std::to_string(acknowledged);
    const std::string complaint = damage(*pool);
    for (uint64_t number = 1; number <= kMoreCommits; ++number) commit(*pool, found + number);
    pool->close();
    return complaint;
  }
  std::string look_again(const std::string& path, uint64_t expected) const {
    const std::shared_ptr<Pool> pool = open(path, kind_);
    if (!is(expected, state_of(*pool))) return "further commits end in another state";
    std::string complaint = damage(*pool);
    pool->close();
    if (std::filesystem::exists(path + ".journal")) complaint += "the journal is still there";
    return complaint;
  }
  std::string which(size_t state) const {
    for (uint64_t number = 0; number < history_.size(); ++number)
      if (history_[number] == state) return "commit " + std::to_string(number);
    return "a state of no commit";
  }

  backend::Kind kind_;
  std::vector<size_t> history_;  // hashes of what the pool holds after each commit
};

void tell(const Judge& judge, const std::string& path, uint64_t acknowledged) {
  std::string verdict = judge.verdict(path, acknowledged);
  std::replace(verdict.begin(), verdict.end(), '\n', ' ');
  std::cout << verdict << std::endl;
}

int run(int argc, char** argv) {
  if (argc != 3 && argc != 5) {
    std::fprintf(stderr, "usage: %s BACKEND COMMITS [POOL ACKNOWLEDGED]\n", argv[0]);
    return 2;
  }
  const Judge judge(backend::kind_from_name(argv[1]), std::stoull(argv[2]));
  if (argc == 5) {
    tell(judge, argv[3], std::stoull(argv[4]));
    return 0;
  }
  std::string path;
  uint64_t acknowledged = 0;
  while (std::cin >> path >> acknowledged) tell(judge, path, acknowledged);
  return 0;
}

}  // namespace
}  // namespace nvm::power

int main(int argc, char** argv) {
  try {
    return nvm::power::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
