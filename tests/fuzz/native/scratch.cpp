#include "fuzz/native/scratch.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace nvm::fuzz {
namespace {

class Folder {
 public:
  Folder() : name_(std::filesystem::exists("/dev/shm") ? "/dev/shm" : "/tmp") {
    name_ += "/nvm-fuzz-XXXXXX";
    if (mkdtemp(name_.data()) == nullptr) throw std::runtime_error("no folder for pools");
  }
  ~Folder() {
    std::error_code ignored;  // the process ends
    std::filesystem::remove_all(name_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& name() const { return name_; }

 private:
  std::string name_;
};

}  // namespace

std::string scratch_path(const std::string& name) {
  static const Folder folder;
  return folder.name() + "/" + name;
}

void write_file(const std::string& path, const std::string& content) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.exceptions(std::ios::failbit | std::ios::badbit);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  file.flush();
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

}  // namespace nvm::fuzz
