// A pool of 4 KiB that is stored to, flushed and fenced as the core does it: small enough to count
// the media by hand.
#pragma once

#include <array>
#include <cstdint>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "crash/media.h"
#include "crash/recorder.h"
#include "pmem/store.h"

namespace nvm::crash::tiny {

inline constexpr size_t kWords = 512;
inline constexpr size_t kWordsOfLine = kLineSize / sizeof(uint64_t);
using Words = std::array<uint64_t, kWords>;

class Model {
 public:
  explicit Model(Scan scan = Scan::at_fences)
      : recorder(std::vector<char>(sizeof(Words)), scan), backend_(recorder.make_backend()) {
    backend::attach(*backend_, words.data(), sizeof(Words));
  }
  ~Model() { backend::detach(words.data()); }
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  uint64_t* line(size_t number) { return &words[number * kWordsOfLine]; }

  void flush(const void* address, size_t length = sizeof(uint64_t), pmem::Site site = {}) {
    if (pmem::hook_flush(site)) backend_->flush(address, length);
  }
  void fence(pmem::Site site = {}) {
    if (pmem::hook_drain(site)) backend_->drain();
  }

  alignas(kLineSize) Words words{};
  Recorder recorder;

 private:
  std::unique_ptr<backend::Backend> backend_;
};

inline Words read_words(const std::string& path) {
  Words words{};
  std::ifstream stream(path, std::ios::binary);
  stream.read(reinterpret_cast<char*>(words.data()), sizeof(Words));
  return words;
}

// All media of the recording, and how they were found.
struct Media {
  std::set<Words> states;
  Summary summary;
};

inline Media media_of(Recording recording, const Effort& effort = {}) {
  Media media;
  media.summary = judge_media(
      recording,
      [&](const std::string& path, const Cut&) {
        media.states.insert(read_words(path));
        return true;
      },
      effort);
  return media;
}

// A record and the mark that says it is whole, in two lines.
inline constexpr uint64_t kRecord = 42;

inline void write_record(Model& model) {
  pmem::store(model.line(0), kRecord);
  model.flush(model.line(0));
  model.fence();
  pmem::store(model.line(1), uint64_t{1});
  model.flush(model.line(1));
  model.fence();
}

}  // namespace nvm::crash::tiny
