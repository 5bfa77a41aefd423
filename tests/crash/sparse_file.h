// The content of a file, of which pages of zeros take no room and copies share what is the same:
// thousands of media that differ in a few sectors are built of one pool.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "crash/mix.h"

namespace nvm::crash {

inline bool is_zero(const char* bytes, uint64_t length) {
  return length == 0 || (bytes[0] == 0 && std::memcmp(bytes, bytes + 1, length - 1) == 0);
}

class SparseFile {
 public:
  static constexpr uint64_t kPage = 4096;

  // REQUIRES: there is such a file.
  static SparseFile read(const std::string& path) {
    SparseFile file;
    std::ifstream stream(path, std::ios::binary | std::ios::ate);
    file.resize(static_cast<uint64_t>(stream.tellg()));
    stream.seekg(0);
    Page page{};
    for (uint64_t at = 0; at < file.size(); at += kPage) {
      const uint64_t length = std::min(kPage, file.size() - at);
      stream.read(page.data(), static_cast<std::streamsize>(length));
      if (!is_zero(page.data(), length)) file.write(at, page.data(), length);
    }
    return file;
  }

  static SparseFile of(const char* bytes, uint64_t length) {
    SparseFile file;
    file.resize(length);
    for (uint64_t at = 0; at < length; at += kPage) {
      const uint64_t part = std::min(kPage, length - at);
      if (!is_zero(bytes + at, part)) file.write(at, bytes + at, part);
    }
    return file;
  }

  uint64_t size() const { return size_; }

  // Calls visit(offset, bytes, length) for each page that is another one in `before`.
  template <class Visit>
  void for_each_change(const SparseFile& before, Visit visit) const {
    static const Page zeros{};
    for (size_t i = 0; i < pages_.size(); ++i) {
      const Page& now = pages_[i] ? *pages_[i] : zeros;
      const bool there = i < before.pages_.size() && before.pages_[i];
      const Page& old = there ? *before.pages_[i] : zeros;
      if (now != old) visit(i * kPage, now.data(), std::min(kPage, size_ - i * kPage));
    }
  }

  // Calls visit(offset, bytes, length) for each page that takes room.
  template <class Visit>
  void for_each_page(Visit visit) const {
    for (size_t i = 0; i < pages_.size(); ++i)
      if (pages_[i]) visit(i * kPage, pages_[i]->data(), std::min(kPage, size_ - i * kPage));
  }

  // Calls visit(begin, end) for each range of pages in [begin, end) that take none.
  template <class Visit>
  void for_each_hole(uint64_t begin, uint64_t end, Visit visit) const {
    const size_t last = std::min<size_t>((end + kPage - 1) / kPage, pages_.size());
    for (size_t i = begin / kPage; i < last; ++i) {
      const size_t first = i;
      while (i < last && !pages_[i]) ++i;
      if (i != first) visit(first * kPage, i * kPage);
    }
  }

  // Of size and bytes.
  uint64_t hash() const {
    uint64_t hash = mix(size_);
    for (size_t i = 0; i < pages_.size(); ++i) {
      if (!pages_[i]) continue;
      if (pages_[i]->hash == 0) pages_[i]->hash = hash_of(*pages_[i]);
      if (pages_[i]->hash != kHashOfZeros) hash ^= mix(pages_[i]->hash + i);
    }
    return hash;
  }

  // What is added is zeros.
  void resize(uint64_t size) {
    if (size < size_ && size % kPage != 0) {
      const uint64_t kept = size % kPage;
      if (pages_[size / kPage]) {
        Page& last = own_page(size / kPage);
        std::fill(last.begin() + static_cast<ptrdiff_t>(kept), last.end(), '\0');
      }
    }
    size_ = size;
    pages_.resize((size + kPage - 1) / kPage);
  }

  // Grows the file if it ends before. Whole pages of zeros take no room.
  void write(uint64_t offset, const char* bytes, uint64_t length) {
    if (offset + length > size_) resize(offset + length);
    while (length != 0) {
      const uint64_t in_page = offset % kPage;
      const uint64_t part = std::min(length, kPage - in_page);
      if (part == kPage && is_zero(bytes, part)) {
        pages_[offset / kPage].reset();
      } else {
        std::memcpy(own_page(offset / kPage).data() + in_page, bytes, part);
      }
      offset += part;
      bytes += part;
      length -= part;
    }
  }

  // Makes the file, in place of one that is there.
  void save(const std::string& path) const {
    std::filesystem::remove(path);
    std::ofstream stream(path, std::ios::binary | std::ios::trunc);
    for (size_t i = 0; i < pages_.size(); ++i) {
      if (!pages_[i]) continue;
      stream.seekp(static_cast<std::streamoff>(i * kPage));
      const uint64_t length = std::min(kPage, size_ - i * kPage);
      stream.write(pages_[i]->data(), static_cast<std::streamsize>(length));
    }
    stream.close();
    std::filesystem::resize_file(path, size_);
  }

 private:
  struct Page : std::array<char, kPage> {
    uint64_t hash = 0;  // 0: not known
  };
  static constexpr uint64_t kHashOfZeros = 1;

  static uint64_t hash_of(const Page& page) {
    if (is_zero(page.data(), kPage)) return kHashOfZeros;
    const uint64_t hash = std::hash<std::string_view>()({page.data(), kPage});
    return hash > kHashOfZeros ? hash : ~hash;
  }

  Page& own_page(uint64_t index) {
    std::shared_ptr<Page>& page = pages_[index];
    if (!page) {
      page = std::make_shared<Page>();
    } else if (page.use_count() > 1) {
      page = std::make_shared<Page>(*page);
    }
    page->hash = 0;
    return *page;
  }

  uint64_t size_ = 0;
  std::vector<std::shared_ptr<Page>> pages_;  // null: zeros
};

}  // namespace nvm::crash
