// A file that becomes one content after another, at the cost of what differs: what a judge opens.
//
// The judge may do anything to it: what it has changed is found by looking. The file itself stays,
// under a second name, when the judge removes the first one or puts another file there.
#pragma once

#include <cstdint>
#include <string>

#include "crash/sparse_file.h"

namespace nvm::crash {

class ReusedFile {
 public:
  explicit ReusedFile(std::string path);
  ~ReusedFile();
  ReusedFile(const ReusedFile&) = delete;
  ReusedFile& operator=(const ReusedFile&) = delete;

  // REQUIRES: nobody has the file open.
  void become(const SparseFile& content);
  // There is no file of that name then.
  void vanish() const;

 private:
  void resize(uint64_t size);
  void punch_holes(const SparseFile& content) const;

  std::string path_;
  std::string second_name_;
  int fd_ = -1;
  char* mapping_ = nullptr;  // of the file; null while it is empty
  uint64_t mapped_ = 0;
};

}  // namespace nvm::crash
