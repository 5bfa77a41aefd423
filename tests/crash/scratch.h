// The file that judges open: one image of a medium after another, each made by changing few lines
// of the last and undone by looking for what the judge has changed.
//
// Pages of zeros stay holes, so that undoing looks only at what was ever written.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace nvm::crash {

class Scratch {
 public:
  // A folder of its own, which goes with the object.
  Scratch(const std::string& folder, std::vector<char> image);
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const std::string& path() const { return path_; }
  uint64_t size() const { return image_.size(); }
  const char* at(uint64_t offset) const { return image_.data() + offset; }

  // For good.
  void write(uint64_t offset, const char* bytes, uint64_t length);
  void resize(uint64_t size);

  // For the next judge only.
  void try_out(uint64_t offset, const char* bytes, uint64_t length);
  // Makes the file what it was but for try_out() and what a judge did.
  void restore();

 private:
  void open_file();
  void set_file_size();
  void restore_range(uint64_t begin, uint64_t end);

  std::string folder_;
  std::string path_;
  int fd_ = -1;
  char* mapping_ = nullptr;  // of the file; null while it is empty
  uint64_t mapped_ = 0;
  std::vector<char> image_;
};

}  // namespace nvm::crash
