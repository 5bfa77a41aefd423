// A folder with a pool on the journal backend, of the smallest size and with the smallest journal.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/journal/journal_file.h"
#include "crash/workload.h"

namespace nvm::crash {

class JournalFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/dev/shm/nvm-journal-XXXXXX";
    folder_ = ::mkdtemp(name);
    half_bytes_ =
        std::exchange(backend::journal::wanted_half_bytes, backend::journal::kLeastHalfBytes);
  }
  void TearDown() override {
    backend::journal::wanted_half_bytes = half_bytes_;
    std::filesystem::remove_all(folder_);
  }

  std::string pool_path() const { return folder_ + "/pool"; }
  std::shared_ptr<Pool> open() const {
    heap::OpenOptions options;
    options.path = pool_path();
    options.limit = limit_;
    options.backend = backend::Kind::journal;
    options.promise = promise_;
    return Pool::open(options, object::initialize, object::destroy);
  }

  // With a list of lists as its root.
  std::shared_ptr<Pool> open_with_lists(uint64_t lists) const {
    std::shared_ptr<Pool> pool = open();
    assign_root([lists](Values& v) {
      std::vector<Value> all;
      for (uint64_t i = 0; i < lists; ++i) all.push_back(v.list({}));
      return v.list(all);
    })(*pool);
    return pool;
  }
  static Offset list_of(Pool& pool, uint64_t number) {
    return object::list::get(pool, root_object(pool), number).offset();
  }

  backend::Promise promise_ = backend::Promise::durable;
  uint64_t limit_ = heap::kMinPoolSize;
  std::string folder_;

 private:
  uint64_t half_bytes_ = 0;
};

}  // namespace nvm::crash
