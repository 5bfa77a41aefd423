// Pool files in a folder of their own, for tests of PoolFile and what is below it.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/pool_folder.h"
#include "heap/file/pool_file.h"
#include "heap/layout/heap_walk.h"

namespace nvm::heap::testing {

struct Caught {
  ErrorKind kind = ErrorKind::internal;
  int error_number = 0;
  std::string message;
};

// What f throws.
template <class F>
Caught caught(F&& f) {
  try {
    std::forward<F>(f)();
  } catch (const Error& error) {
    return {error.kind(), error.error_number(), error.what()};
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

inline void expect_in(const std::string& part, const std::string& whole) {
  EXPECT_NE(whole.find(part), std::string::npos) << "not in: " << whole;
}

class FileTest : public ::testing::Test {
 protected:
  void SetUp() override { make_folder(fixture::place_for_pools()); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void make_folder(const std::string& where) { folder_ = fixture::make_pool_folder(where); }

  std::string path(const std::string& name = "pool") const { return folder_ + "/" + name; }
  OpenOptions options(const std::string& name = "pool") const {
    OpenOptions result;
    result.path = path(name);
    result.limit = uint64_t{64} << 20;
    result.initial_size = kMinPoolSize;
    return result;
  }
  OpenOptions read_options(const std::string& name = "pool") const {
    OpenOptions result = options(name);
    result.access = Access::read;
    return result;
  }
  std::unique_ptr<PoolFile> create(const std::string& name = "pool") const {
    std::unique_ptr<PoolFile> file = PoolFile::open(options(name));
    EXPECT_TRUE(file->created());
    file->finish_creation();
    return file;
  }
  std::unique_ptr<PoolFile> open(const std::string& name = "pool") const {
    OpenOptions existing = options(name);
    existing.if_missing = IfMissing::fail;
    return PoolFile::open(existing);
  }

  // Allocates a block; its offset goes to a word behind the root object's own fields.
  static Offset allocate(PoolFile& file, size_t bytes, BlockKind kind = {false, Type::blob}) {
    Action action;
    const Offset block = file.reserve(bytes, kind, action);
    if (block != 0) file.publish(&action, 1);
    return block;
  }
  static void release(PoolFile& file, Offset block) {
    Action action;
    file.defer_free(action, block);
    file.publish(&action, 1);
  }
  static uint64_t* word(const PoolFile& file, size_t index = 0) {
    auto* root = reinterpret_cast<RootObject*>(file.base() + file.root());
    return &root->reserved2[index];
  }
  static std::vector<Block> blocks_of(const PoolFile& file) {
    std::vector<Block> result;
    HeapWalk walk(file.base(), file.size());
    Block block;
    while (walk.next(block)) result.push_back(block);
    return result;
  }

  std::string content(const std::string& name = "pool") const {
    std::string result(std::filesystem::file_size(path(name)), '\0');
    std::ifstream stream(path(name), std::ios::binary);
    stream.read(result.data(), static_cast<std::streamsize>(result.size()));
    return result;
  }
  void put(const std::string& content, const std::string& name = "pool") const {
    std::ofstream(path(name), std::ios::binary)
        .write(content.data(), static_cast<std::streamsize>(content.size()));
  }
  // Overwrites a few bytes of a file.
  template <class T>
  void poke(uint64_t offset, const T& value, const std::string& name = "pool") const {
    const Fd fd(::open(path(name).c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_EQ(::pwrite(fd.get(), &value, sizeof value, static_cast<off_t>(offset)),
              static_cast<ssize_t>(sizeof value));
  }
  void copy(const std::string& from, const std::string& to) const {
    std::filesystem::copy_file(path(from), path(to),
                               std::filesystem::copy_options::overwrite_existing);
  }
  // Names in the folder that begin with a dot: creations under way.
  size_t temporaries() const {
    size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder_))
      count += entry.path().filename().string().starts_with(".") ? 1 : 0;
    return count;
  }

  std::string folder_;
};

// Runs f in a forked child, which ends with what f returns; gives that.
inline int in_child(const std::function<int()>& f) {
  const pid_t child = fork();
  if (child == 0) {
    int code = 99;
    try {
      code = f();
    } catch (const std::exception& error) {
      fprintf(stderr, "in the child: %s\n", error.what());
    }
    _exit(code);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

// A forked child that has run f and then waits until it is let go.
class WaitingChild {
 public:
  explicit WaitingChild(const std::function<void()>& f) {
    int ready[2];
    int go[2];
    if (pipe2(ready, O_CLOEXEC) != 0 || pipe2(go, O_CLOEXEC) != 0) abort();
    child_ = fork();
    char byte = 0;
    if (child_ == 0) {
      close(ready[0]);
      close(go[1]);
      f();
      if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) < 0) _exit(1);
      _exit(0);
    }
    close(ready[1]);
    close(go[0]);
    go_ = go[1];
    EXPECT_EQ(read(ready[0], &byte, 1), 1);
    close(ready[0]);
  }
  ~WaitingChild() { let_go(); }
  void let_go() {
    if (go_ < 0) return;
    close(std::exchange(go_, -1));
    waitpid(child_, nullptr, 0);
  }

 private:
  pid_t child_ = -1;
  int go_ = -1;
};

}  // namespace nvm::heap::testing
