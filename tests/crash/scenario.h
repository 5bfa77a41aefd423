// A run of operations on a pool, cut at every point, each medium opened and judged by the real
// code.
//
// Steps must depend on nothing but the pool's content: after each cut the steps that are not done
// are run on what is left, and must end as the run that was never cut.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "crash/media.h"
#include "crash/recorder.h"
#include "heap/pool.h"

namespace nvm::crash {

using Step = std::function<void(heap::Pool&)>;

struct Scenario {
  std::string name;
  std::vector<Step> prepare;  // not cut
  std::vector<Step> steps;    // each is one operation or transaction: there or not
  // Runs after `prepare`, and the process dies at its end: what it leaves is recovered, and the
  // recovery is recorded with the steps. Its changes must all be undone.
  Step interrupted = {};
  // The pool to begin with, instead of a new one.
  std::string start = {};
  uint64_t size = uint64_t{16} << 20;
  // `prepare` leaves damage that the first step mends: check() is asked once that has returned.
  bool damaged = false;
};

struct Verdict {
  Summary summary;
  std::vector<std::string> failures;  // the first few
  std::vector<SiteSeen> sites;        // flushes and fences of ours that were passed
};

struct Options {
  const SiteSeen* leave_out = nullptr;  // a flush or fence of ours
  bool stop_at_failure = false;
  bool cut_opening = false;                                // cut while the pool is opened too
  std::function<void(const std::string& path)> keep = {};  // sees each medium before it is opened
  Effort effort = Effort::from_environment();
};

Verdict run(const Scenario& scenario, const Options& options = {});

// Cuts the first scenario, and on a seeded choice of what that leaves runs other steps and cuts
// them too.
void expect_whole_twice(const Scenario& first, const std::vector<Step>& then);

// Expects no failure; prints the count of states.
void expect_whole(const Scenario& scenario, Options options = {});

// What precedes the first operation happened long ago: it is part of the medium.
Recording without_opening(Recording recording);

// The pool as all tests here open it.
std::shared_ptr<heap::Pool> open_pool(const std::string& path, uint64_t size = uint64_t{16} << 20);

}  // namespace nvm::crash
