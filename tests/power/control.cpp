// The workload with something left out, as if it had been forgotten: what the cuts leave then must
// be wrong. The first argument says what: "records", the syncs that commits wait for; "pages",
// those after a checkpoint's pages; "syncs", these and those of headers; or "transactions".
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string_view>
#include <utility>

#include "backend/journal/disk_file.h"
#include "backend/journal/format.h"
#include "forwarding_file.h"
#include "power/ledger.h"
#include "power/workload.h"

namespace {

using nvm::backend::DiskFile;

constexpr uint64_t kHeaders = nvm::backend::journal::kHalvesOffset;

class UnsyncedFile final : public nvm::backend::ForwardingFile {
 public:
  UnsyncedFile(std::unique_ptr<DiskFile> file, bool headers)
      : ForwardingFile(std::move(file)), syncs_headers_(headers) {}

  void write(const void* data, size_t length, uint64_t offset) override {
    last_write_ = offset;
    ForwardingFile::write(data, length, offset);
  }
  void sync() override {
    if (syncs_headers_ && last_write_ < kHeaders) ForwardingFile::sync();
  }

 private:
  bool syncs_headers_;
  uint64_t last_write_ = kHeaders;
};

class LeaveOut final : public nvm::backend::DiskObserver {
 public:
  explicit LeaveOut(std::string_view which) : which_(which) {}

  std::unique_ptr<DiskFile> wrap(std::unique_ptr<DiskFile> file) override {
    const bool is_journal = std::string_view(file->path()).ends_with(".journal");
    const bool all = which_ == "syncs";
    if (!all && is_journal != (which_ == "records")) return file;
    return std::make_unique<UnsyncedFile>(std::move(file), !all);
  }
  void created(const std::string&) override {}
  void removed(const std::string&) override {}

 private:
  std::string_view which_;
};

}  // namespace

int main(int argc, char** argv) {
  constexpr std::string_view known[] = {"records", "pages", "syncs", "transactions"};
  const std::string_view which = argc > 1 ? argv[1] : "";
  if (std::find(std::begin(known), std::end(known), which) == std::end(known)) {
    std::fprintf(stderr, "usage: %s records|pages|syncs|transactions ...\n", argv[0]);
    return 2;
  }
  nvm::power::without_transactions = which == "transactions";
  LeaveOut observer(which);
  if (!nvm::power::without_transactions) nvm::backend::set_disk_observer(&observer);
  return nvm::power::run(argc - 1, argv + 1);
}
